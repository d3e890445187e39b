"""`suggest` finds what is there, by "select" alone, and says what it measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import factory
import snahelpers as sna
from snahelpers.neurons import attributions
from snahelpers.sweeps import suggest

ASKED = factory.task("short", factory.PROMPTS, factory.TARGETS)


@pytest.fixture(scope="module")
def planted():
    return sna.load_dimmed(0.4), sna.load_tasks("planted")["planted"]


def test_it_finds_the_planted_layer_and_gains_on_new_facts(planted):
    model, task = planted
    table, test = suggest(model, task, tries=3), task.split("test")
    best, key = table.iloc[0], sna.answer_key()
    assert len(table) == 3 and table.expected.is_monotonic_decreasing
    assert best.layer == key["layer"] and len(set(best.neurons) & set(key["neurons"])) >= 6
    assert best.expected > 1 > best.control
    with sna.amplify(model, sna.Amplification(best.layer, best.neurons, best.multiplier)):
        after = sna.measure(model, test)
    assert (after.logodds - sna.measure(model, test).logodds).mean() > 1


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_slope_and_measured_gain_are_those_of_the_sweep(family):
    model, grid = factory.load(family), sna.Grid(counts=(8,), multipliers=(1.01, 3.0))
    table = suggest(model, ASKED, grid, tries=3)
    swept = factory.sweep(model, ASKED, grid, method="attribution", split="select")
    slopes = attributions(model, ASKED.split("select"))
    for row in table.itertuples():
        gains = swept[swept.layer == row.layer].set_index("multiplier").delta_logodds
        slope = slopes[row.layer, list(row.neurons)].sum().item()
        assert row.first_order == pytest.approx((row.multiplier - 1) * slope, rel=1e-5)
        if row.multiplier == 3:
            assert row.expected == pytest.approx(gains[3.0], abs=1e-4)
        else:  # 3 measured worse than the parabola's other end
            assert gains[3.0] < row.expected


def test_the_answers_of_test_are_not_looked_at():
    swapped = tuple(e if e.split == "select" else replace(e, target=" the") for e in ASKED.examples)
    tables = [
        suggest(factory.load("gpt2"), replace(ASKED, examples=e), tries=2)
        for e in (ASKED.examples, swapped)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_only_what_the_grid_names_is_suggested():
    grid = sna.Grid(layers=[2, 0], counts=(3, 4), multipliers=(0.5, 1.0))
    table = suggest(factory.load("gpt2"), ASKED, grid, tries=2)
    assert set(table.layer) == {0, 2} and set(table.n_neurons) == {4}
    assert table.multiplier.isin(grid.multipliers).all() and np.isfinite(table.control).all()


def test_what_cannot_be_is_refused():
    model = factory.load("gpt2")
    with pytest.raises(sna.SNAError, match="tries 4 is out of range"):
        suggest(model, ASKED, tries=4)
    with pytest.raises(sna.SNAError, match="multipliers go from 1 is 0"):
        suggest(model, ASKED, sna.Grid(counts=[3], multipliers=[1.0]), tries=1)
    with pytest.raises(sna.DataError, match="no examples"):
        suggest(model, ASKED.split("test"), tries=1)

"""Side effects are what amplify and measure give by hand; intervals and controls behave."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers import interference

TEXTS = factory.SENTENCES[:4]
WORDS = factory.task()
VERSE = replace(factory.task("verse", factory.PROMPTS[1:], factory.TARGETS[1:]), domain="verse")
TASKS = [WORDS, VERSE]
PUSH = sna.Amplification(1, [3, 7, 20, 31], 4.0)


@pytest.fixture(scope="module")
def model():
    return factory.load("gpt2")


@pytest.fixture(scope="module")
def changes(model):
    return interference.side_effects(model, TASKS, TEXTS, PUSH)


@pytest.fixture(scope="module")
def means(model):
    return interference.domain_means(model, TASKS, TEXTS)


@pytest.mark.parametrize("family", factory.DENSE)
def test_side_effects_are_those_of_amplify_and_measure(family):
    model = factory.load(family)
    changes = interference.side_effects(model, TASKS, TEXTS, PUSH)
    for task in TASKS:
        before = sna.measure(model, task)
        with sna.amplify(model, PUSH):
            after = sna.measure(model, task)
        own = changes[changes.task == task.name]
        assert own.example.tolist() == list(range(len(task)))
        for name in ("p", "logodds", "rank", "entropy"):
            np.testing.assert_allclose(own[name], after[name] - before[name], rtol=1e-3, atol=1e-5)
        assert own.logodds.abs().max() > 1e-3 and own.loss.isna().all()


def test_the_loss_gives_the_change_of_neutral_perplexity(model, changes):
    before = factory.perplexity(model, TEXTS)
    with sna.amplify(model, PUSH):
        after = factory.perplexity(model, TEXTS)
    table = interference.effects(changes).set_index(["domain", "outcome"])
    assert np.exp(table.value["neutral", "loss"]) == pytest.approx(after / before, rel=1e-4)
    assert set(table.loc["neutral"].index) == {"loss"}


def test_a_multiplier_of_one_has_no_effect_and_no_interval(model):
    same = interference.side_effects(model, TASKS, TEXTS, replace(PUSH, multiplier=1.0))
    table = interference.effects(same)
    assert (table[["value", "low", "high"]].abs() < 1e-5).all(axis=None)


def test_effects_are_means_over_tasks_with_intervals_around_them(changes):
    table = interference.effects(changes, "task").set_index(["task", "outcome"])
    assert (table.low <= table.value).all() and (table.value <= table.high).all()
    assert table.n["tiny", "p"] == len(WORDS) and table.n["neutral", "loss"] == len(TEXTS)
    pooled = changes[changes.domain != "neutral"].assign(domain="both")
    both = interference.effects(pooled).set_index("outcome").value
    assert both.p == pytest.approx((table.value["tiny", "p"] + table.value["verse", "p"]) / 2)


def test_the_same_seed_gives_the_same_interval(changes):
    first, again, other = (interference.effects(changes, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert first.value.equals(other.value) and not first.low.equals(other.low)


def test_an_interval_is_as_wide_as_theory_says():
    x = np.random.default_rng(0).normal(size=400)
    frame = pd.DataFrame({"domain": "d", "task": "t", "weight": 1.0, "example": range(400)})
    frame = frame.assign(p=x, logodds=x, rank=x, entropy=x, loss=np.nan)
    row = interference.effects(frame).iloc[0]
    assert row.high - row.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.1)


def test_matched_pushes_are_other_neurons_alike_but_for_the_seed(model, means):
    first, again, other = (interference.matched(model, PUSH, means["words"], s) for s in (0, 0, 1))
    assert first == again != other
    assert first.layer == PUSH.layer and first.multiplier == PUSH.multiplier
    assert len(first.neurons) == len(PUSH.neurons) and not set(first.neurons) & set(PUSH.neurons)


def test_matched_effects_are_side_effects_of_the_matched_push(model, means):
    before = interference.answers(model, TASKS, TEXTS)
    table = interference.matched_effects(model, TASKS, TEXTS, PUSH, means, [0, 5], before)
    assert table.draw.tolist() == [0, 5] * 3
    push = interference.matched(model, PUSH, means["verse"], 5)
    by_hand = interference.side_effects(model, [VERSE], [], push).logodds.mean()
    [row] = table.query("draw == 5 and domain == 'verse'").itertuples()
    assert row.logodds == pytest.approx(by_hand, abs=1e-5) and np.isnan(row.loss)


def test_means_are_of_the_select_prompts_and_the_texts(model, means):
    assert list(means) == ["words", "verse", "neutral"]
    own = sna.mean_activations(model, WORDS.split("select").prompts)
    torch.testing.assert_close(means["words"], own)


def test_the_best_configuration_is_that_of_the_mean_over_tasks_on_select():
    grid = sna.Grid(layers=[0, 1], counts=[2, 3], multipliers=[2.0])
    tasks = [WORDS, replace(VERSE, domain="words")]
    frame = sna.sweep(factory.load("gpt2"), tasks, grid, neutral=TEXTS, progress=False)
    frame["delta_logodds"] = -frame.layer - frame.n_neurons - 100.0 * (frame.split == "test")
    frame.loc[(frame.task == "tiny") & (frame.layer == 1), "delta_logodds"] += 9
    [row] = interference.best_configurations(frame).itertuples()
    assert (row.domain, row.layer, row.n_neurons, row.multiplier) == ("words", 1, 2, 2.0)
    with pytest.raises(sna.DataError, match="select"):
        interference.best_configurations(frame[frame.split == "test"])


def test_a_table_of_effects_keeps_their_order_and_says_units():
    rows = [("b", "y", "logodds", -0.1), ("b", "x", "p", 0.25), ("a", "y", "loss", np.log(1.02))]
    cells = pd.DataFrame(rows, columns=["amplified", "domain", "outcome", "value"])
    table = interference.as_table(cells.assign(low=0.0, high=1.0), "amplified", "domain")
    assert table.index.tolist() == ["b", "a"] and table.columns.tolist() == ["y", "x"]
    assert table.loc["b"].tolist() == ["-0.100 [+0.000, +1.000]", "+25.00 [+0.00, +100.00]"]
    assert table.loc["a"].tolist() == ["+2.00 [+0.00, +171.83]", ""]


def test_bad_input_is_refused(model, changes):
    with pytest.raises(sna.DataError, match="nothing to measure"):
        interference.answers(model, [])
    with pytest.raises(sna.DataError, match="No token of 'A' can"):
        interference.answers(factory.load("neox"), [], ["A dog", "A"])
    with pytest.raises(sna.DataError, match="other examples"):
        interference.side_effects(model, [WORDS], (), PUSH, before=changes)
    with pytest.raises(sna.SNAError, match="layer 9"):
        interference.side_effects(model, TASKS, TEXTS, replace(PUSH, layer=9))
    with pytest.raises(sna.DataError, match="no changes"):
        interference.effects(changes[:0])
    with pytest.raises(sna.SNAError, match="n_resamples"):
        interference.effects(changes, n_resamples=0)

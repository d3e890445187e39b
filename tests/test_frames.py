"""Frames are checked before anything is computed from them; tasks are means of their examples."""

import pandas as pd
import pytest

import snahelpers as sna
from planted import COLUMNS, noise, sweep

pytestmark = pytest.mark.filterwarnings("error")


def test_task_level_takes_means_and_the_percentage_of_the_mean():
    frame = sweep(lambda *_, **__: 0.0, {"maths_0": ("maths", 0.5)}, examples=2, layers=[0])
    frame = frame[(frame.n_neurons == 3) & (frame.multiplier == 1.1) & (frame.split == "test")]
    frame = frame.assign(
        p_base=[0.1, 0.3],
        p_post=[0.3, 0.3],
        pct_improvement=[200.0, 0.0],
        delta_logodds=[1.5, 0.1],
        rank_base=[1, 4],
        rank_post=[1, 2],
        entropy_base=[1.0, 2.0],
    )
    table = sna.task_level(frame)
    assert list(table.columns) == [column for column in COLUMNS if column != "example"]
    [row] = table.itertuples()
    assert (row.p_base, row.p_post) == pytest.approx((0.2, 0.3))
    assert row.pct_improvement == pytest.approx(50)  # not the 100 of the mean percentage
    assert row.delta_logodds == pytest.approx(0.8)
    assert (row.rank_base, row.rank_post, row.entropy_base) == (2.5, 1.5, 1.5)
    assert (row.task, row.split, row.layer, row.n_neurons) == ("maths_0", "test", 0, 3)


def test_task_level_keeps_the_order_and_every_configuration():
    frame = sweep(noise(), examples=3)
    table = sna.task_level(frame)
    labels = [column for column in COLUMNS[:10] if column != "example"]
    expected = frame[labels].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_frame_equal(table[labels], expected)


def test_sweeps_from_which_nothing_can_be_chosen():
    frame = sweep(noise())
    with pytest.raises(sna.DataError, match=r"No 'select' rows for .*maths_0.*sweep that split"):
        sna.summarize(frame[frame.split == "test"])
    lost = (frame.task == "coding_1") & (frame.split == "select")
    with pytest.raises(sna.DataError, match=r"\[\('toy', 'found', 'coding_1'\)\]"):
        sna.summarize(frame[~lost])
    with pytest.raises(sna.DataError, match="any task"):
        sna.summarize(frame.head(0))


@pytest.mark.parametrize("function", [sna.summarize, sna.decompose])
def test_single_examples_are_sent_to_task_level(function):
    frame = sweep(noise(), examples=2)
    with pytest.raises(sna.DataError, match=r"pass task_level\(table\), or sweep without"):
        function(frame)
    function(sna.task_level(frame))
    with pytest.raises(sna.DataError, match=r"stands twice: .*'task': 'maths_0'.*Keep one"):
        function(frame.drop(columns="example"))

"""The bootstrap over facts does what summarizing every resample would do."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import snahelpers as sna

CONFIGURATIONS = [(layer, 5, m) for layer in (0, 1) for m in (1.5, 2.0)]


def made(n_tasks=6, facts=8, effect=0.0, seed=0):
    """A per-example sweep of made-up numbers: baselines from low to high, shifts of log-odds."""
    rng, rows = np.random.default_rng(seed), []
    for t in range(n_tasks):
        base = rng.normal(-4 + t, 0.5, 2 * facts)
        for layer, count, multiplier in CONFIGURATIONS:
            shift = rng.normal(effect, 0.2, 2 * facts)
            for i, (before, delta) in enumerate(zip(base, shift, strict=True)):
                p, q = 1 / (1 + np.exp(-before)), 1 / (1 + np.exp(-before - delta))
                rows.append(dict(
                    model="m", task=f"t{t}", domain="d", difficulty="e",
                    split=("select", "test")[i % 2], method="differential", example=i,
                    layer=layer, n_neurons=count, multiplier=multiplier, p_base=p, p_post=q,
                    pct_improvement=100 * (q / p - 1), delta_logodds=delta, rank_base=1.0,
                    rank_post=1.0, entropy_base=1.0, entropy_post=1.0,
                ))  # fmt: skip
    return pd.DataFrame(rows)


def test_values_are_those_of_the_summary():
    frame = made()
    table, summary = sna.correlate_facts(frame), sna.summarize(sna.task_level(frame))
    assert table.outcome.tolist() == ["best_pct", "best_logodds", "test_pct", "test_logodds"]
    for row in table.itertuples():
        expected = stats.spearmanr(summary.p_base, summary[row.outcome]).statistic
        assert row.value == pytest.approx(expected) and (row.n, row.facts) == (6, 96)
        assert row.low <= row.high


def test_resamples_are_what_summarizing_each_would_give(monkeypatch):
    """With weights fixed, one resample is a table in which examples stand several times."""
    frame = made(n_tasks=4)
    n = len(frame[(frame.task == "t0") & (frame.split == "select")].example.unique())
    counts = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n))

    class Fixed:
        def multinomial(self, n, p, size):
            return np.tile(counts, (size, 1))

    again = []
    for _, part in frame.groupby(["task", "split"]):
        for place, example in enumerate(sorted(part.example.unique())):
            for copy in range(counts[place]):
                again.append(part[part.example == example].assign(example=100 * copy + example))
    summary = sna.summarize(sna.task_level(pd.concat(again)))
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed())
    table = sna.correlate_facts(frame, n_resamples=3)
    for row in table.itertuples():
        expected = stats.spearmanr(summary.p_base, summary[row.outcome]).statistic
        assert row.low == pytest.approx(expected) and row.high == pytest.approx(expected)


def test_the_same_shift_for_all_falls_in_per_cent_and_not_in_log_odds():
    frame = made(n_tasks=8, facts=20, effect=0.5)
    table = sna.correlate_facts(frame).set_index("outcome")
    assert table.high["best_pct"] < -0.9
    assert table.low["test_logodds"] < 0 < table.high["test_logodds"]


def test_the_same_seed_gives_the_same_and_more_facts_a_narrower_interval():
    few, many = made(effect=0.1, facts=4), made(effect=0.1, facts=60)
    pd.testing.assert_frame_equal(sna.correlate_facts(few), sna.correlate_facts(few))
    width = [
        (t.high - t.low).iloc[0] for t in (sna.correlate_facts(few), sna.correlate_facts(many))
    ]
    assert width[1] < width[0]


def test_tables_that_cannot_be_used():
    frame = made()
    for bad, message in [
        (sna.task_level(frame), "no column example"),
        (pd.concat([frame, frame.assign(method="matched")]), "mixes 2 methods"),
        (frame[frame.split == "test"], "No 'select' rows"),
    ]:
        with pytest.raises(sna.DataError, match=message):
            sna.correlate_facts(bad)
    with pytest.raises(sna.SNAError, match="n_resamples 0"):
        sna.correlate_facts(frame, n_resamples=0)

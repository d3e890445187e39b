"""Correlations are scipy's; over facts they are what summarizing every resample would give."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

import snahelpers as sna
from planted import noisy_summary, summary, sweep
from snahelpers.zones import correlate_facts


@pytest.mark.parametrize("n", [12, 48])
def test_correlations_and_p_are_scipys(n):
    table = noisy_summary(n)
    result = sna.correlate(table, outcomes=["mean_pct", "test_pct"], n_resamples=100)
    assert len(result) == 2 * 2 * 5
    functions = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}
    for row in result.itertuples():
        part = table[table.domain != row.left_out]
        expected = functions[row.statistic](part.p_base, part[row.outcome])
        assert (row.value, row.p) == pytest.approx(tuple(expected))
        assert row.n == len(part) == (n if row.left_out == "" else n * 3 // 4)
        assert np.isnan(row.low) == np.isnan(row.high) == (row.left_out != "")


def pearson(x, y, axis=-1):
    return stats.pearsonr(x, y, axis=axis).statistic


def spearman(x, y, axis=-1):
    return pearson(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis)


@pytest.mark.parametrize("statistic", [pearson, spearman])
def test_interval_agrees_with_scipys_bootstrap(statistic):
    table = noisy_summary()
    result = sna.correlate(table, outcomes=["mean_pct"]).set_index(["statistic", "left_out"])
    row = result.loc[(statistic.__name__, "")]
    options = dict(paired=True, vectorized=True, method="percentile", random_state=1)
    expected = stats.bootstrap((table.p_base, table.mean_pct), statistic, **options)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.03)
    assert row.low < row.value < row.high


def test_few_tasks_and_tasks_without_an_outcome():
    table = summary([0.1, 0.2, 0.3, 0.4], [3.0, 1.0, 2.0, np.nan])
    result = sna.correlate(table, outcomes=["mean_pct"]).set_index(["statistic", "left_out"])
    assert (result.loc["spearman"].n == [3, 2, 2, 2]).all()
    assert result.loc[("spearman", ""), "value"] == pytest.approx(-0.5)
    # A ninth of the resamples is one task three times over, where nothing varies.
    assert result.loc[("spearman", ""), ["low", "high"]].tolist() == pytest.approx([-1, 1])
    assert result.loc[("spearman", "domain 0"), ["value", "p"]].isna().all()


def test_an_outcome_that_never_varies_has_no_correlation():
    result = sna.correlate(summary([0.1, 0.2, 0.3], [5.1] * 3), outcomes=["mean_pct"])
    assert result[["value", "p", "low", "high"]].isna().all(axis=None)


def test_correlations_follow_the_seed():
    table = noisy_summary()
    one, two, other = (sna.correlate(table, outcomes=["mean_pct"], seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert one.low[0] != other.low[0] and one.low[0] == pytest.approx(other.low[0], abs=0.05)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (summary([0.1, 0.2], [1.0, 2.0]), "2 tasks have a finite mean_pct: at least 3"),
        (summary([0.1, 0.2, 0.3], [1.0, 2.0, np.inf]), "2 tasks have a finite mean_pct"),
        (summary([0.1] * 4, [1.0] * 4, method=["a", "a", "b", "b"]), r"2 methods.* table\[tab"),
        (
            summary([0.1] * 4, [1.0] * 4, model=["a", "b", "c", "c"]),
            r"3 models.*table.model == 'a'",
        ),
        (summary([0.1] * 4, [1.0] * 4).drop(columns="domain"), "no column domain"),
        (summary([0.1] * 4, [1.0] * 4).drop(columns="mean_pct"), "no column mean_pct"),
    ],
)
def test_summaries_that_cannot_be_correlated(table, message):
    with pytest.raises(sna.DataError, match=message):
        sna.correlate(table, outcomes=["mean_pct"])


# correlate_facts


def made(n_tasks=6, facts=8, effect=0.0, seed=0):
    """A per-example sweep of made-up numbers: baselines from low to high, shifts of log-odds."""
    rng = np.random.default_rng(seed)
    tasks = {f"t{t}_easy": ("d", 0.5) for t in range(n_tasks)}
    frame = sweep(lambda *_, **__: rng.normal(effect, 0.2), tasks, examples=facts, layers=(0, 1))
    frame["example"] = 2 * frame.example + (frame.split == "test")
    before = frame.task.str[1].astype(int) - 4 + rng.normal(0, 0.5, len(frame))
    before = before.groupby([frame.task, frame.example]).transform("first")
    p, q = expit(before), expit(before + frame.delta_logodds)
    return frame.assign(p_base=p, p_post=q, pct_improvement=100 * (q / p - 1))


def test_values_are_those_of_the_summary():
    frame = made()
    table, summary = correlate_facts(frame), sna.summarize(sna.task_level(frame))
    assert table.outcome.tolist() == ["best_pct", "best_logodds", "test_pct", "test_logodds"]
    for row in table.itertuples():
        expected = stats.spearmanr(summary.p_base, summary[row.outcome]).statistic
        assert row.value == pytest.approx(expected) and (row.n, row.facts) == (6, 96)
        assert row.low <= row.high


def test_resamples_are_what_summarizing_each_would_give(monkeypatch):
    """With draws fixed, one resample is a table in which examples stand several times."""
    frame = made(n_tasks=4)
    n = len(frame[(frame.task == "t0_easy") & (frame.split == "select")].example.unique())
    places = np.random.default_rng(1).integers(n, size=n)

    class Fixed:
        def integers(self, n, size):
            return np.tile(places, (size[0], 1))

    again = []
    for _, part in frame.groupby(["task", "split"]):
        for place, example in enumerate(sorted(part.example.unique())):
            for copy in range((places == place).sum()):
                again.append(part[part.example == example].assign(example=100 * copy + example))
    summary = sna.summarize(sna.task_level(pd.concat(again)))
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed())
    table = correlate_facts(frame, n_resamples=3)
    for row in table.itertuples():
        expected = stats.spearmanr(summary.p_base, summary[row.outcome]).statistic
        assert row.low == pytest.approx(expected) and row.high == pytest.approx(expected)


def test_the_same_shift_for_all_falls_in_per_cent_and_not_in_log_odds():
    frame = made(n_tasks=8, facts=20, effect=0.5)
    table = correlate_facts(frame).set_index("outcome")
    assert table.high["best_pct"] < -0.9
    assert table.low["test_logodds"] < 0 < table.high["test_logodds"]


def test_the_same_seed_gives_the_same_and_more_facts_a_narrower_interval():
    few, many = made(effect=0.1, facts=4), made(effect=0.1, facts=60)
    pd.testing.assert_frame_equal(correlate_facts(few), correlate_facts(few))
    width = [(t.high - t.low).iloc[0] for t in (correlate_facts(few), correlate_facts(many))]
    assert width[1] < width[0]


def test_tables_that_cannot_be_used():
    frame = made()
    for bad, message in [
        (sna.task_level(frame), "no column example"),
        (pd.concat([frame, frame.assign(method="matched")]), "mixes 2 methods"),
        (frame[frame.split == "test"], "No 'select' rows"),
    ]:
        with pytest.raises(sna.DataError, match=message):
            correlate_facts(bad)
    with pytest.raises(sna.SNAError, match="n_resamples 0"):
        correlate_facts(frame, n_resamples=0)

"""Baseline and gain over tasks, with the facts of each task as what chance has drawn.

`zones.correlate` asks what other tasks would have given. Here the tasks stay, and each one's
examples are drawn again: the baseline, the best configuration and its gain all follow from them.
"""

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.errors import check_range
from snahelpers.sweep import task_level
from snahelpers.zones import CONFIGURATION, MIDDLE_95, TASK, check_table, select_rows, summarize

OUTCOMES = ("best_pct", "best_logodds", "test_pct", "test_logodds")


def correlate_facts(frame: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """The Spearman correlation of baseline P and gain, its interval over facts (section 4.1).

    In "best_pct" baseline and gain are coupled twice: the gain is divided by the baseline, and both
    come from the same prompts. "test_logodds" has neither: the baseline is that of "select", the
    gain is the change of log-odds on "test".

    Args:
        frame: From `sweep` with per_example=True, both splits, one model and one method.
        n_resamples: How often every task's examples are drawn again, each split by itself.
        seed: Of the draws.

    Returns:
        One row an outcome (those of `summarize`): n (tasks), facts (examples), value, low and high
        (95 %).

    Raises:
        DataError: the table is no per-example frame, or mixes models or methods.
        SNAError: n_resamples is less than 1.
    """
    check_range("n_resamples", n_resamples, 1, 10**6)
    check_table(frame, ["example"], one_sweep=True)
    select_rows(whole := task_level(frame))
    summary, rng = summarize(whole), np.random.default_rng(seed)
    parts = [
        _resampled(part, n_resamples, rng)
        for _, part in frame.groupby(TASK, sort=False, observed=True)
    ]
    baselines = np.stack([part["p_base"] for part in parts], axis=1)
    rows = []
    for outcome in OUTCOMES:
        gains = np.stack([part[outcome] for part in parts], axis=1)
        ranks = (stats.rankdata(x, axis=1) for x in (baselines, gains))
        drawn = stats.pearsonr(*ranks, axis=1).statistic
        value = stats.spearmanr(summary.p_base, summary[outcome]).statistic
        facts = len(frame[["task", "example"]].drop_duplicates())
        rows.append((outcome, len(parts), facts, value, *np.nanquantile(drawn, MIDDLE_95)))
    return pd.DataFrame(rows, columns="outcome n facts value low high".split())


def _resampled(
    part: pd.DataFrame, n_resamples: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """A task's baseline and outcomes in every resample of its examples."""
    means = {
        split: _means(part[part.split == split], n_resamples, rng) for split in ("select", "test")
    }
    best, rows = means["select"]["p_post"].argmax(axis=1), np.arange(n_resamples)
    found = {"p_base": means["select"]["p_base"][:, 0]}
    for split, prefix in (("select", "best"), ("test", "test")):
        mean = means[split]
        gain = mean["p_post"][rows, best] / mean["p_base"][rows, best] - 1
        found[f"{prefix}_pct"] = 100 * gain
    found["test_logodds"] = means["test"]["delta_logodds"][rows, best]
    found["best_logodds"] = means["select"]["delta_logodds"].max(axis=1)
    return found


def _means(part: pd.DataFrame, n_resamples: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Means [resample, configuration] over examples drawn with replacement."""
    columns = ["p_base", "p_post", "delta_logodds"]
    table = part.pivot(index="example", columns=CONFIGURATION, values=columns)
    n = len(table)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) / n
    return {name: weights @ table[name].to_numpy() for name in columns}

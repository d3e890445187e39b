"""How baseline and gain go together over tasks, and how sure that is (section 4.1).

`correlate` asks what other tasks would have given. In `correlate_facts` the tasks stay, and each
one's examples are drawn again: the baseline, the best configuration and its gain all follow from
them.
"""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.errors import check_range
from snahelpers.sweep import CONFIGURATION, TASK, task_level
from snahelpers.zones.metrics import (
    MIDDLE_95,
    check_table,
    finite_tasks,
    select_rows,
    summarize,
)

FACT_OUTCOMES = ("best_pct", "best_logodds", "test_pct", "test_logodds")


def correlate(
    summary: pd.DataFrame,
    *,
    outcomes: Sequence[str] = ("mean_pct", "best_pct", "mean_logodds", "best_logodds"),
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """How baseline P goes with improvement over tasks (section 4.1), and without each domain.

    The bootstrap takes tasks as independent; tasks of one domain are not: see left_out. Intervals
    are percentiles: BCa is undefined where every resample gives the same (monotone tasks).

    Returns:
        One row an outcome, a statistic (pearson, spearman) and a domain left_out ("" for none):
        n (tasks with a finite outcome), value, p (two-sided, by the t distribution), low and high
        (95 %, for "" only). NaN where fewer than 3 tasks are left or nothing varies.

    Raises:
        DataError: fewer than 3 tasks, several models or methods, or a column is missing.
    """
    rows, columns = [], "outcome statistic left_out n value p low high".split()
    for outcome in outcomes:
        tasks = finite_tasks(summary, outcome, 3)
        draws = np.random.default_rng(seed).integers(len(tasks), size=(n_resamples, len(tasks)))
        for statistic in ("pearson", "spearman"):
            for domain in ["", *tasks.domain.unique()]:
                part = tasks[tasks.domain != domain] if domain else tasks
                x, y = part.p_base.to_numpy(), part[outcome].to_numpy()
                value, p = _correlation(x, y, statistic)
                low = high = math.nan
                if not domain and np.isfinite(value):
                    resampled, _ = _correlation(x[draws], y[draws], statistic)
                    low, high = np.nanquantile(resampled, MIDDLE_95)
                rows.append((outcome, statistic, domain, len(part), value, p, low, high))
    return pd.DataFrame(rows, columns=columns)


def correlate_facts(frame: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """The Spearman correlation of baseline P and gain, its interval over facts (section 4.1).

    In "best_pct" baseline and gain are coupled twice: the gain is divided by the baseline, and both
    come from the same prompts. "test_logodds" has neither: the baseline is that of "select", the
    gain is the change of log-odds on "test".

    The tasks stay as they are: for what other tasks would have given see `correlate`. And the
    examples are noisy before they are drawn again, which pulls the resamples towards 0.

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
    for outcome in FACT_OUTCOMES:
        gains = np.stack([part[outcome] for part in parts], axis=1)
        ranks = (stats.rankdata(x, axis=1) for x in (baselines, gains))
        drawn = stats.pearsonr(*ranks, axis=1).statistic
        value = stats.spearmanr(summary.p_base, summary[outcome]).statistic
        facts = len(frame[["task", "example"]].drop_duplicates())
        rows.append((outcome, len(parts), facts, value, *np.nanquantile(drawn, MIDDLE_95)))
    return pd.DataFrame(rows, columns="outcome n facts value low high".split())


def _correlation(x: np.ndarray, y: np.ndarray, statistic: str) -> tuple:
    """Along the last axis, with its p; NaN, and no warning, for 2 tasks or where nothing varies."""
    if x.shape[-1] < 3:
        return math.nan, math.nan
    if statistic == "spearman":
        x, y = stats.rankdata(x, axis=-1), stats.rankdata(y, axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return tuple(stats.pearsonr(x, y, axis=-1))


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

"""How baseline and gain go together over tasks, and how sure that is (section 4.1).

`correlate` asks what other tasks would have given. In `correlate_facts` the tasks stay, and each
one's examples are drawn again: the baseline, the best configuration and its gain all follow from
them.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import DegenerateDataWarning, pearsonr, spearmanr

from snahelpers.columns import CONFIGURATION, SPLITS, TASK
from snahelpers.errors import check_range
from snahelpers.frames import GROUPS, check_table, finite_tasks, task_level
from snahelpers.stats import bootstrap, interval, spearman
from snahelpers.zones import summarize

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
    rows = []
    for outcome in outcomes:
        tasks = finite_tasks(summary, outcome, 3)
        for name, correlation in CORRELATIONS.items():
            for domain in ["", *tasks.domain.unique()]:
                pairs = tasks.loc[tasks.domain != domain, ["p_base", outcome]].to_numpy()
                value, p = correlation(pairs)
                ends = np.nan, np.nan
                if not domain and np.isfinite(value):
                    draws = bootstrap(correlation, pairs, n_resamples=n_resamples, seed=seed)
                    ends = interval(draws[0])
                rows.append((outcome, name, domain, len(pairs), value, p, *ends))
    return pd.DataFrame(rows, columns="outcome statistic left_out n value p low high".split())


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
    summary, rng = summarize(task_level(frame)), np.random.default_rng(seed)
    baselines, *gains = np.stack(  # each [resample, task]
        [_resampled(part, n_resamples, rng) for _, part in frame.groupby(TASK, **GROUPS)], axis=-1
    )
    facts, rows = len(frame[["task", "example"]].drop_duplicates()), []
    for outcome, gain in zip(FACT_OUTCOMES, gains, strict=True):
        value = spearmanr(summary.p_base, summary[outcome]).statistic
        draws = spearman(baselines, gain).statistic
        rows.append((outcome, len(summary), facts, value, *interval(draws)))
    return pd.DataFrame(rows, columns="outcome n facts value low high".split())


def _correlation(statistic: Callable, pairs: np.ndarray) -> tuple:
    """Of pairs [..., task, 2], with its p; NaN, and no warning, for 2 or where nothing varies."""
    if pairs.shape[-2] < 3:
        return np.nan, np.nan
    with warnings.catch_warnings(action="ignore", category=DegenerateDataWarning):
        return tuple(statistic(pairs[..., 0], pairs[..., 1]))


CORRELATIONS = {
    "pearson": partial(_correlation, partial(pearsonr, axis=-1)),
    "spearman": partial(_correlation, spearman),
}


def _resampled(
    part: pd.DataFrame, n_resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """A task's baseline and `FACT_OUTCOMES` in every resample of its examples."""
    (base, pct, logodds), (_, test_pct, test_logodds) = (
        _gains(part[part.split == split], n_resamples, rng) for split in SPLITS
    )
    best = np.arange(n_resamples), pct.argmax(axis=1)
    return base, pct[best], logodds.max(axis=1), test_pct[best], test_logodds[best]


def _gains(
    part: pd.DataFrame, n_resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Baseline P [resample]; % and Δlog-odds [resample, configuration], of examples drawn again."""
    values = ["p_base", "p_post", "delta_logodds"]
    table = part.pivot(index="example", columns=CONFIGURATION, values=values)
    # Of unit vectors the mean is how often each was drawn: the weight of each example.
    units = np.eye(len(table))
    weights = bootstrap(lambda drawn: drawn.mean(axis=1), units, n_resamples=n_resamples, seed=rng)
    before, after, logodds = (weights @ table[name].to_numpy() for name in values)
    return before[:, 0], 100 * (after / before - 1), logodds

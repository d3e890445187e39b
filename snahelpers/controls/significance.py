"""Is it more than chance: over many configurations, over many tasks, and with how many tasks."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.errors import DataError, SNAError, check_choice, check_range
from snahelpers.sweep import CONFIGURATION, TASK
from snahelpers.tasks import SPLITS
from snahelpers.zones import MIDDLE_95, check_table

AT_ONCE = 500  # sign flips: with 2,016 configurations 8 MB
N_RESAMPLES = 10_000
ROUNDING = 1e-9  # the same sum in another order is still the same


def max_t(
    frame: pd.DataFrame, *, split: str = "test", n_flips: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """The best of many configurations against the best that chance gives (max-T permutation).

    If no configuration did anything, each prompt's Δlog-odds would be as likely of the other sign,
    in all configurations at once. So the signs of whole prompts are flipped, and each t value is
    set against the largest of all configurations' t values in every flip: whatever the
    configurations have in common, the chance of any p below 0.05 is at most 5 %.

    It asks whether log-odds rise, not whether they rise by more than by a push of other neurons:
    compare with the controls for that. n prompts cannot give a p below about 2 to the power -n.

    Args:
        frame: From `sweep` or `rival_sweep` with per_example=True.
        split: Whose examples. On "select", methods that look at the answers (attribution,
            learned_scaling) rise without any effect.
        n_flips: How many random flips.
        seed: Of the flips; the same for each task.

    Returns:
        One row a configuration of each (model, method, task), in the frame's order: model, method,
        task, layer, n_neurons, multiplier, n (prompts), t, p (adjusted for all configurations of
        this task), and p_task, the smallest of these: for `holm` over tasks.

    Raises:
        DataError: the table is no per-example frame, has no such split, lacks a configuration of
            an example or has it twice, has fewer than 2 examples, or a value is not finite.
        SNAError: n_flips is less than 1.
    """
    check_choice("split", split, SPLITS)
    check_range("n_flips", n_flips, 1, 10**9)
    check_table(frame, [*TASK, *CONFIGURATION, "split", "example", "delta_logodds"])
    rows = frame[frame.split == split]
    if rows.empty:
        raise DataError(f"The table has no {split!r} rows: sweep that split too, or name another.")
    parts = []
    for labels, part in rows.groupby(TASK, sort=False, observed=True):
        deltas, configurations = _by_configuration(part, labels)
        t, p = flip_signs(deltas, n_flips, np.random.default_rng(seed))
        found = configurations.assign(n=len(deltas), t=t, p=p, p_task=p.min())
        found.insert(0, "task", labels[2])
        found.insert(0, "method", labels[1])
        found.insert(0, "model", labels[0])
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def flip_signs(
    deltas: np.ndarray, n_flips: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Each column's t value, and its p against the largest t of each flip of whole rows.

    Args:
        deltas: [prompt, configuration], at least 2 prompts.
        n_flips: How many flips are drawn; the data as they are count as one more.
        rng: Draws them.
    """
    n = len(deltas)
    size = np.sqrt((deltas**2).mean(axis=0))
    # The mean over the root mean square: t grows with it, but it stays finite where all are equal,
    # and a flip changes no size, so that it takes one product of matrices.
    scaled = deltas / np.where(size > 0, size, 1) / n
    observed = scaled.sum(axis=0)
    hits = np.ones(len(observed))
    for start in range(0, n_flips, AT_ONCE):
        signs = rng.choice([-1.0, 1.0], size=(min(AT_ONCE, n_flips - start), n))
        largest = (signs @ scaled).max(axis=1)
        hits += (largest[:, None] >= observed - ROUNDING).sum(axis=0)
    with np.errstate(divide="ignore"):
        t = observed * np.sqrt((n - 1) / np.clip(1 - observed**2, 0, None))
    return t, hits / (1 + n_flips)


def holm(p: Sequence[float] | pd.Series) -> np.ndarray:
    """Holm's adjusted p values: below alpha in all, at most alpha to name any task wrongly.

    Args:
        p: One p value a task, in any order.

    Returns:
        The adjusted values, in the same order.

    Raises:
        DataError: no values, or one that is not between 0 and 1.
    """
    p = np.asarray(p, dtype=float)
    bad = p[~((p >= 0) & (p <= 1))]
    if p.ndim != 1 or not len(p) or len(bad):
        raise DataError(
            f"The p values are {p.tolist()}: expected a list of one or more numbers from 0 to 1."
        )
    order = p.argsort(kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = stepped.clip(max=1)
    return adjusted


def bootstrap_mean(
    values: Sequence[float] | pd.Series, *, seed: int = 0
) -> tuple[float, float, float]:
    """A mean with the middle 95 % of what other values drawn from these would give.

    Args:
        values: One number a unit, whatever chance has drawn: prompts, facts, tasks.
        seed: Of the resampling.

    Returns:
        The mean, low and high.

    Raises:
        DataError: fewer than 2 values, or one that is not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.size < 2 or not np.isfinite(values).all():
        raise DataError(f"The values are {values.tolist()}: expected 2 or more finite numbers.")
    draws = np.random.default_rng(seed).choice(values, (N_RESAMPLES, len(values)))
    return (float(values.mean()), *np.quantile(draws.mean(axis=1), MIDDLE_95).tolist())


def power(
    rho: float, n: int, *, alpha: float = 0.05, n_simulations: int = 10_000, seed: int = 0
) -> float:
    """How often a Spearman test over n tasks would find a true correlation of rho.

    Simulated: normal values whose Spearman correlation is rho, and the two-sided test by the t
    distribution, as in `correlate`. Tasks are taken as independent, which tasks of one domain are
    not: with 12 tasks in 4 domains it is less.

    Args:
        rho: The true Spearman correlation.
        n: How many tasks.
        alpha: The level of the test.
        n_simulations: How many tests are simulated.
        seed: Of the simulation.

    Returns:
        The share of tests with p below alpha: the power, or for rho = 0 the level.

    Raises:
        SNAError: rho is not between -1 and 1, alpha not between 0 and 1, or n is less than 4.
    """
    for name, value, low in (("rho", rho, -1), ("alpha", alpha, 0)):
        if not low <= value <= 1:  # also for NaN
            raise SNAError(f"{name} is {value!r}: expected a number from {low} to 1.")
    check_range("n", n, 4, 10**6)
    check_range("n_simulations", n_simulations, 1, 10**7)
    x, noise = np.random.default_rng(seed).standard_normal((2, n_simulations, n))
    pearson = 2 * math.sin(math.pi * rho / 6)  # of normal values with this Spearman correlation
    y = pearson * x + math.sqrt(max(0.0, 1 - pearson**2)) * noise
    x, y = stats.rankdata(x, axis=-1), stats.rankdata(y, axis=-1)
    return float((stats.pearsonr(x, y, axis=-1).pvalue < alpha).mean())


def _by_configuration(part: pd.DataFrame, labels: tuple) -> tuple[np.ndarray, pd.DataFrame]:
    """Δlog-odds [prompt, configuration], and the configurations, in the frame's order."""
    configurations = part[CONFIGURATION].drop_duplicates(ignore_index=True)
    if (twice := part.duplicated([*CONFIGURATION, "example"])).any():
        row = part.loc[twice, [*CONFIGURATION, "example"]].iloc[0].to_dict()
        raise DataError(f"{labels[2]} has {row} twice. Keep one sweep, or name methods apart.")
    table = part.pivot(index="example", columns=CONFIGURATION, values="delta_logodds")
    deltas = table[list(configurations.itertuples(index=False, name=None))].to_numpy()
    if len(deltas) < 2 or not np.isfinite(deltas).all():
        raise DataError(
            f"{labels[2]} has {len(deltas)} examples, {int((~np.isfinite(deltas)).sum())} of whose "
            "Δlog-odds are missing or not finite: expected 2 or more, each finite in every "
            "configuration. Sweep it again, whole."
        )
    return deltas, configurations

"""How sure a number is: one bootstrap, and what is more than chance over many of anything."""

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, rankdata

from snahelpers.errors import DataError, Seed, check_number, check_range, checked, listed
from snahelpers.frames import CONFIGURATION, GROUPS, TASK, check_table

AT_ONCE = 500  # sign flips: with 2,016 configurations 8 MB


def bootstrap(
    statistic: Callable,
    *samples: np.ndarray,
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> np.ndarray:
    """What a statistic would be of other samples: rows of these, drawn with replacement.

    Each sample is drawn by itself. What belongs together (a task's baseline and its gain) is one
    row of one sample. To draw the rows of several tables together, or to save memory, give
    `np.arange(n)` as the sample: the statistic then gets the places that were drawn.

    Args:
        statistic: Gets every sample's draws at once, [resample, row, ...], and returns its value
            for each resample.
        samples: Arrays [row, ...].
        n_resamples: How often the samples are drawn again.
        seed: Of the draws; a generator where several calls are to share one stream.

    Returns:
        What the statistic returned, as an array: usually [resample, ...].

    Raises:
        SNAError: n_resamples is not from 1 to a million.
    """
    check_range("n_resamples", n_resamples, 1, 10**6)
    rng = np.random.default_rng(seed)
    draws = [
        sample[rng.integers(len(sample), size=(n_resamples, len(sample)))] for sample in samples
    ]
    return np.asarray(statistic(*draws))


def interval(draws: np.ndarray, **options) -> np.ndarray:
    """The middle 95 % of draws [resample, ...], as low and high; missing draws are left out.

    Args:
        draws: From `bootstrap`, or repeats of whatever chance has a hand in.
        options: Of `np.nanquantile`, such as its method.
    """
    return np.nanquantile(draws, (0.025, 0.975), axis=0, **options)


@checked
def bootstrap_mean(values: Collection[float], *, seed: Seed = 0) -> tuple[float, float, float]:
    """A mean with the middle 95 % of what other values drawn from these would give.

    Args:
        values: One number a unit, whatever chance has drawn: prompts, facts, tasks.
        seed: Of the resampling.

    Returns:
        The mean, low and high.

    Raises:
        DataError: fewer than 2 values, or one that is not finite.
    """
    values = pd.to_numeric(pd.Series(listed(values)), errors="coerce").to_numpy(float)
    if values.size < 2 or not np.isfinite(values).all():
        raise DataError(f"The values are {values.tolist()}: expected 2 or more finite numbers.")
    draws = bootstrap(lambda drawn: drawn.mean(axis=1), values, seed=seed)
    return (float(values.mean()), *interval(draws).tolist())


def bootstrap_groups(
    groups: Sequence[np.ndarray],
    *,
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> np.ndarray:
    """What the mean of groups' means would be of other groups, and of other values in each.

    Args:
        groups: The values of each group, such as a task's prompts.
        n_resamples: How often groups are drawn again, and in each of them its values.
        seed: Of the draws.

    Returns:
        [resample].
    """
    rng, n = np.random.default_rng(seed), len(groups)
    # Of every group as many means as there are places: a group that is drawn twice is two samples.
    means = [
        bootstrap(lambda drawn: drawn.mean(axis=1), group, n_resamples=n_resamples * n, seed=rng)
        for group in groups
    ]
    by_place = np.stack(means).reshape(n, n_resamples, n)
    drawn = rng.integers(n, size=(1, n_resamples, n))
    return np.take_along_axis(by_place, drawn, axis=0)[0].mean(axis=1)


def spearman(x: np.ndarray, y: np.ndarray):
    """Spearman correlation along the last axis: statistic and two-sided pvalue (t distribution)."""
    return pearsonr(rankdata(x, axis=-1), rankdata(y, axis=-1), axis=-1)


@checked
def power(
    rho: float, n: int, *, alpha: float = 0.05, n_simulations: int = 10_000, seed: Seed = 0
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
    check_number("rho", rho, -1, 1)
    check_number("alpha", alpha, 0, 1)
    check_range("n", n, 4, 10**6)
    check_range("n_simulations", n_simulations, 1, 10**7)
    x, noise = np.random.default_rng(seed).standard_normal((2, n_simulations, n))
    pearson = 2 * np.sin(np.pi * rho / 6)  # of normal values with this Spearman correlation
    y = pearson * x + np.sqrt(max(0, 1 - pearson**2)) * noise
    return float((spearman(x, y).pvalue < alpha).mean())


def in_words(mean: float, low: float, high: float) -> str:
    """What an effect's interval says: "yes" above 0, "no, less" below 0, else "not shown"."""
    word = "yes" if low > 0 else "no, less" if high < 0 else "not shown"
    return f"{word}: {mean:+.3g} [{low:+.2g}, {high:+.2g}]"


@checked
def holm(p: Collection[float]) -> np.ndarray:
    """Holm's adjusted p values: below alpha in all, at most alpha to name any task wrongly.

    Args:
        p: One p value a task, in any order.

    Returns:
        The adjusted values, in the same order.

    Raises:
        DataError: no values, or one that is not between 0 and 1.
    """
    p = pd.to_numeric(pd.Series(listed(p)), errors="coerce").to_numpy(float)
    if p.ndim != 1 or not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise DataError(
            f"The p values are {p.tolist()}: expected a list of one or more numbers from 0 to 1."
        )
    steps = pd.Series(p).sort_values() * np.arange(len(p), 0, -1)
    return steps.cummax().clip(upper=1).sort_index().to_numpy()


@checked
def max_t(
    frame: pd.DataFrame,
    *,
    split: Literal["select", "test"] = "test",
    n_flips: int = 10_000,
    seed: Seed = 0,
) -> pd.DataFrame:
    """The best of many configurations against the best that chance gives (max-T permutation).

    If no configuration did anything, each prompt's Δlog-odds would be as likely of the other sign,
    in all configurations at once. So the signs of whole prompts are flipped, and each t value is
    set against the largest of all configurations' t values in every flip: whatever the
    configurations have in common, the chance of any p below 0.05 is at most 5 %.

    It asks whether log-odds rise, not whether they rise by more than by a push of other neurons:
    compare with the controls for that. n prompts cannot give a p below about 2 to the power -n.

    Args:
        frame: From `sweep` with per_example=True.
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
        SNAError: n_flips is less than 1 or more than a million.
    """
    check_range("n_flips", n_flips, 1, 10**6)
    keys = [*TASK, "split", "example", *CONFIGURATION]
    check_table(frame, [*keys, "delta_logodds"], once=keys)
    rows = frame[frame.split == split]
    if rows.empty:
        raise DataError(f"The table has no {split!r} rows: sweep that split too, or name another.")
    return pd.concat(
        [_best_of_task(part, n_flips, seed) for _, part in rows.groupby(TASK, **GROUPS)],
        ignore_index=True,
    )


def _best_of_task(part: pd.DataFrame, n_flips: int, seed: int) -> pd.DataFrame:
    """The rows of `max_t` for one model, method and task."""
    table = part[[*TASK, *CONFIGURATION]].drop_duplicates()
    wide = part.pivot(index="example", columns=CONFIGURATION, values="delta_logodds")
    deltas = wide[list(table[CONFIGURATION].itertuples(index=False, name=None))].to_numpy()
    if len(deltas) < 2 or not np.isfinite(deltas).all():
        raise DataError(
            f"{table.task.iloc[0]} has {len(deltas)} examples, {(~np.isfinite(deltas)).sum()} of "
            "whose Δlog-odds are missing or not finite: expected 2 or more, each finite in every "
            "configuration. Sweep it again, whole."
        )
    t, p = flip_signs(deltas, n_flips, np.random.default_rng(seed))
    return table.assign(n=len(deltas), t=t, p=p, p_task=p.min())


@np.errstate(divide="ignore")  # t is infinite where all values are equal
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
    signs = rng.choice([-1.0, 1.0], size=(n_flips, n))
    largest = np.concatenate(
        [(some @ scaled).max(axis=1) for some in np.array_split(signs, 1 + n_flips // AT_ONCE)]
    )
    # Less than rounding apart is equal: the same sum in another order.
    smaller = np.searchsorted(np.sort(largest), observed - 1e-9)
    t = observed * np.sqrt((n - 1) / np.clip(1 - observed**2, 0, None))
    return t, (1 + n_flips - smaller) / (1 + n_flips)

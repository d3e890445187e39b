"""Which layer matters, and where an improvement comes from (sections 4.5 and 5.1)."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from snahelpers.columns import KEYS, TASK
from snahelpers.errors import DataError
from snahelpers.frames import GROUPS, check_table, finite_tasks, select_rows
from snahelpers.stats import bootstrap, interval

PAPER_LAST = 23  # the last layer of GPT-2 Medium


def layer_at(depth: float, n_layers: int) -> int:
    """The layer of a model that is as deep as layer `depth` of GPT-2 Medium's 0 to 23."""
    return round(depth / PAPER_LAST * (n_layers - 1))


def layer_peaks(
    frame: pd.DataFrame,
    *,
    by: str | list[str] = "domain",
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Where amplification helps most (section 5.1), and how sure the prompts make that layer.

    The effect is Δlog-odds: its mean over counts and multipliers, then a task's examples (of all
    splits in the frame), then the tasks of a group (one or several of domain, task, difficulty).
    Not %: an example's is mostly its tiny P, and a task's % is not the mean of its examples'.

    Returns:
        One row a group: the columns of `by`, layer, depth (0 for the first layer, 1 for the last),
        effect (there, in nats), share (of resamples of each task's examples that peak there), low
        and high (95 % of the resampled peaks).

    Raises:
        DataError: whole tasks, several models or methods, a task with one example, missing layers.
    """
    keys = [by] if isinstance(by, str) else by
    check_table(frame, ["example", *keys, *KEYS, "delta_logodds"], one_sweep=True)
    unit = list(dict.fromkeys([*keys, "task", "split", "example"]))
    cells, rng, rows = _cells(frame, unit, "delta_logodds"), np.random.default_rng(seed), []
    layers = cells.columns.to_numpy()
    for group, part in cells.groupby(keys, **GROUPS):
        tasks = [task.to_numpy() for _, task in part.groupby("task", **GROUPS)]
        if min(map(len, tasks)) < 2:
            raise DataError(
                f"A task of {group} has a single example: resampling needs two or more."
            )
        means = _mean_of_tasks(*tasks)
        draws = bootstrap(_mean_of_tasks, *tasks, n_resamples=n_resamples, seed=rng)
        peaks, peak = layers[draws.argmax(axis=1)], layers[means.argmax()]
        ends = interval(peaks, method="inverted_cdf")  # layers, none between two of them
        rows.append(
            (*group, peak, peak / max(layers[-1], 1), means.max(), (peaks == peak).mean(), *ends)
        )
    return pd.DataFrame(rows, columns=[*keys, "layer", "depth", "effect", "share", "low", "high"])


def decompose(
    frame: pd.DataFrame, *, metric: str = "pct_improvement", n_resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Shares of the variance of ranked improvement: baseline, layer, domain (section 4.5).

    Ranked are cells (task, layer): means of `metric` over counts and multipliers, `select` rows.
    Factors: the rank of the task's baseline P; which layer for which domain (dummies that leave
    out the domain's own mean); the domain. A share is a factor's part of R², averaged over the
    orders of entering (Shapley).

    Returns:
        Rows baseline, layer, domain, unexplained; columns factor, share, low and high (95 %, the
        spread over resampled tasks), chance (mean share with tasks shuffled, and layers within
        tasks: many dummies explain much of anything), paper (58 is ρ², 28 and 14 come without a
        computation).

    Raises:
        DataError: several models or methods, fewer than 3 tasks, cells that are not finite or all
            equal.
    """
    select = check_table(select_rows(frame), [metric])
    tasks = finite_tasks(select.drop_duplicates(TASK), "p_base", 3)
    y = _cells(select, ["task"], metric).loc[tasks.task].to_numpy()
    if np.ptp(y) == 0:
        raise DataError(f"{metric} is {y[0, 0]} at all tasks and layers: there is no variance.")
    p, domains = tasks.p_base.to_numpy(), pd.get_dummies(tasks.domain).to_numpy(float)
    share, rng = _shares(y, p, domains), np.random.default_rng(seed)
    resampled = bootstrap(
        lambda draws: [_shares(y[draw], p[draw], domains[draw]) for draw in draws],
        np.arange(len(y)),
        n_resamples=n_resamples,
        seed=rng,
    )
    chance = [
        _shares(rng.permuted(rng.permutation(y), axis=1), p, domains) for _ in range(n_resamples)
    ]
    # A task drawn twice agrees with itself, and dummies explain that: resampled shares lie too
    # high (layer, twelve tasks of noise: 0.5, not 0.3). Only their spread is used.
    spread = share + resampled - np.nanmean(resampled, axis=0)
    low, high = interval(spread).clip(0, 1)
    return pd.DataFrame(
        {
            "factor": ["baseline", "layer", "domain", "unexplained"],
            "share": share,
            "low": low,
            "high": high,
            "chance": np.mean(chance, axis=0),
            "paper": [0.58, 0.28, 0.14, np.nan],
        }
    )


def _cells(frame: pd.DataFrame, unit: list[str], metric: str) -> pd.DataFrame:
    """The mean of `metric` over counts and multipliers: one row a `unit`, one column a layer."""
    cells = (
        frame.groupby([*unit, "layer"], **GROUPS)[metric].mean().unstack("layer").sort_index(axis=1)
    )
    if len(broken := cells.index[~np.isfinite(cells).all(axis=1)]):
        raise DataError(
            f"{metric} of {broken[0]!r} is missing or infinite at some layer: sweep all tasks over "
            "the same layers, or leave this one out (a baseline P of 0 has no percentage)."
        )
    return cells


def _mean_of_tasks(*tasks: np.ndarray) -> np.ndarray:
    """The mean over tasks [..., example, layer] of the mean over their examples: [..., layer]."""
    return np.mean([effects.mean(axis=-2) for effects in tasks], axis=0)


@np.errstate(invalid="ignore")  # a resample may be one task over and over: NaN
def _shares(cells: np.ndarray, p: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """The shares of baseline, layer, domain, unexplained: [task, layer], [task], [task, domain]."""
    y, rank = rankdata(cells).reshape(cells.shape) - (cells.size + 1) / 2, rankdata(p)[:, None]
    level = y.mean(axis=1, keepdims=True)

    def r2(x: np.ndarray, part: np.ndarray) -> float:
        fit = x @ np.linalg.lstsq(x, part, rcond=None)[0]
        return (np.broadcast_to(fit, y.shape) ** 2).sum() / (y**2).sum()

    # All tasks have all layers, so layers are orthogonal to what is one number a task: their share
    # is their own R², and of the six orders only that of baseline and domain matters.
    alone, domain, layer = r2(rank - rank.mean(), level), r2(domains, level), r2(domains, y - level)
    both = r2(np.hstack([domains, rank]), level)
    shared = alone + domain - both
    return np.array([alone - shared / 2, layer, domain - shared / 2, 1 - both - layer])

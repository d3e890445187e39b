"""Where an improvement comes from: baseline, layer and domain (sections 4.5 and 5.1)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.errors import DataError
from snahelpers.sweep import KEYS, TASK
from snahelpers.zones.metrics import GROUPS, MIDDLE_95, check_table, finite_tasks, select_rows

PAPER_SHARES = {"baseline": 0.58, "layer": 0.28, "domain": 0.14, "unexplained": math.nan}


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
    tasks = select.groupby(TASK, **GROUPS)[["domain", "p_base"]].first().reset_index()
    tasks = finite_tasks(tasks, "p_base", 3)
    y = _cells(select, ["task"], metric).loc[tasks.task].to_numpy()
    if np.ptp(y) == 0:
        raise DataError(f"{metric} is {y[0, 0]} at all tasks and layers: there is no variance.")
    p, domains = tasks.p_base.to_numpy(), pd.get_dummies(tasks.domain).to_numpy(float)
    share, rng = _shares(y, p, domains), np.random.default_rng(seed)
    draws = rng.integers(len(y), size=(n_resamples, len(y)))
    resampled = np.array([_shares(y[draw], p[draw], domains[draw]) for draw in draws])
    chance = [_shares(rng.permuted(rng.permutation(y), axis=1), p, domains) for _ in draws]
    # A task drawn twice agrees with itself, and dummies explain that: resampled shares lie too
    # high (layer, twelve tasks of noise: 0.5, not 0.3). Only their spread is used.
    spread = share + resampled - np.nanmean(resampled, axis=0)
    low, high = np.nanquantile(spread, MIDDLE_95, axis=0).clip(0, 1)
    columns = {"share": share, "low": low, "high": high, "chance": np.mean(chance, axis=0)}
    return pd.DataFrame({"factor": PAPER_SHARES.keys(), **columns, "paper": PAPER_SHARES.values()})


def layer_peaks(
    frame: pd.DataFrame, *, by: str | Sequence[str] = "domain", n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
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
    keys = [by] if isinstance(by, str) else list(by)
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
        means = np.mean([effects.mean(axis=0) for effects in tasks], axis=0)
        draws = [rng.choice(e, (n_resamples, len(e))).mean(axis=1) for e in tasks]
        peaks, peak = layers[np.mean(draws, axis=0).argmax(axis=1)], layers[means.argmax()]
        low, high = np.quantile(peaks, MIDDLE_95, method="inverted_cdf")
        share, depth = (peaks == peak).mean(), peak / max(layers[-1], 1)
        rows.append((*group, peak, depth, means.max(), share, low, high))
    return pd.DataFrame(rows, columns=[*keys, "layer", "depth", "effect", "share", "low", "high"])


def _cells(frame: pd.DataFrame, unit: list[str], metric: str) -> pd.DataFrame:
    """The mean of `metric` over counts and multipliers: one row a `unit`, one column a layer."""
    means = frame.groupby([*unit, "layer"], **GROUPS)[metric].mean()
    cells = means.unstack("layer").sort_index(axis=1)
    if len(broken := cells.index[~np.isfinite(cells).all(axis=1)]):
        raise DataError(
            f"{metric} of {broken[0]!r} is missing or infinite at some layer: sweep all tasks over "
            "the same layers, or leave this one out (a baseline P of 0 has no percentage)."
        )
    return cells


def _shares(cells: np.ndarray, p: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """The shares of baseline, layer, domain, unexplained: [task, layer], [task], [task, domain]."""
    y, rank = stats.rankdata(cells).reshape(cells.shape), stats.rankdata(p)[:, None]
    y -= y.mean()
    level = y.mean(axis=1, keepdims=True)

    def r2(x: np.ndarray, part: np.ndarray) -> float:
        fit = x @ np.linalg.lstsq(x, part, rcond=None)[0]
        with np.errstate(invalid="ignore"):  # a resample may be one task over and over: NaN
            return (np.broadcast_to(fit, y.shape) ** 2).sum() / (y**2).sum()

    # All tasks have all layers, so layers are orthogonal to what is one number a task: their share
    # is their own R², and of the six orders only that of baseline and domain matters.
    alone, domain, layer = r2(rank - rank.mean(), level), r2(domains, level), r2(domains, y - level)
    both = r2(np.hstack([domains, rank]), level)
    shared = alone + domain - both
    return np.array([alone - shared / 2, layer, domain - shared / 2, 1 - both - layer])

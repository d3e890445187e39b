"""Zone edges for another model than the paper's."""

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.errors import DataError
from snahelpers.zones.metrics import HIGH, LOW, MIDDLE_95, finite_tasks


def calibrate_zones(
    summary: pd.DataFrame, *, outcome: str = "mean_pct", n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Zone edges for another model: those that best explain its tasks' ranks in `outcome`.

    Of all pairs of geometric midpoints between neighbouring baselines, the one whose zones' mean
    ranks leave the least squared error; equal edges leave Zone 2 empty.

    Returns:
        Rows low and high; columns edge, value, ci_low and ci_high (95 %, tasks resampled), paper,
        r2, and p: how often the best edges for shuffled outcomes explain as much (few tasks are
        explained well even in noise).

    Raises:
        DataError: fewer than 4 tasks, all of one baseline, or several models or methods.
    """
    tasks, rng = (
        finite_tasks(summary, outcome, 4).sort_values("p_base"),
        np.random.default_rng(seed),
    )
    p, y = tasks.p_base.clip(lower=1e-12).to_numpy(), tasks[outcome].to_numpy()
    if p[0] == p[-1]:
        raise DataError(
            f"All {len(p)} tasks have a baseline P of {p[0]}, and an edge lies between two: add "
            "tasks of other baselines."
        )
    value, r2 = _best_edges(p, y)
    draws = np.sort(rng.integers(len(p), size=(n_resamples, len(p))))  # sorted: p stays ascending
    edges = [_best_edges(p[draw], y[draw])[0] for draw in draws if p[draw[0]] < p[draw[-1]]]
    low, high = np.quantile(edges, MIDDLE_95, axis=0)
    hits = sum(_best_edges(p, rng.permutation(y))[1] >= r2 for _ in draws)
    columns = {"value": value, "ci_low": low, "ci_high": high, "paper": (LOW, HIGH), "r2": r2}
    return pd.DataFrame({"edge": ["low", "high"], **columns, "p": (1 + hits) / (1 + n_resamples)})


def _best_edges(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The two edges between ascending p that explain the ranks of y best, and their R²."""
    ranks, cuts = stats.rankdata(y), np.flatnonzero(np.diff(p)) + 1  # never between equal p
    sums = np.append(0, (ranks - ranks.mean()).cumsum())
    i, j = cuts[np.stack(np.triu_indices(len(cuts)))]
    bounds = np.stack([0 * i, i, j, 0 * j + len(p)])
    between = (np.diff(sums[bounds], axis=0) ** 2 / np.diff(bounds, axis=0).clip(1)).sum(axis=0)
    r2 = (between / max(((ranks - ranks.mean()) ** 2).sum(), 1)).round(9)
    best = np.lexsort((j - i, -r2))[0]  # of equals the pair with the smallest Zone 2
    edges = np.sqrt(p[[i[best], j[best]]] * p[[i[best] - 1, j[best] - 1]])
    return edges, r2[best]

"""The paper's metrics and zones (sections 3.4 to 5.1), and what choosing alone makes of noise."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from snahelpers.columns import CONFIGURATION, TASK
from snahelpers.errors import DataError, check_number, check_range
from snahelpers.frames import GROUPS, finite_tasks, select_rows
from snahelpers.stats import bootstrap, interval

LOW, HIGH = 0.07, 0.10  # of baseline P, for GPT-2 Medium


def zone(p: float, low: float = LOW, high: float = HIGH) -> int:
    """Zone of a baseline probability: 1 below `low`, 3 above `high`, 2 from one to the other.

    The paper's edges belong to GPT-2 Medium and its tasks (section 7.3). It leaves open where the
    edges themselves belong; here both are Zone 2.

    Raises:
        SNAError: p is not a probability.
    """
    check_number("The probability p", p, 0, 1)
    return 1 if p < low else 3 if p > high else 2


def summarize(frame: pd.DataFrame, *, low: float = LOW, high: float = HIGH) -> pd.DataFrame:
    """Each task's metrics (section 3.4), zone and best configuration, one row a task.

    All from `select` rows; test_… is what the configuration that was best there does on `test`
    rows (NaN without them). Where baseline P is 0, % is NaN, and any gain is golden.

    Returns:
        model, method, task, domain, difficulty, p_base, zone; mean_pct, best_pct (%),
        mean_logodds, best_logodds (nats); success_rate (share of configurations that gain);
        golden, golden_share (above 10 %); best_layer (highest mean over counts and multipliers);
        layer, n_neurons, multiplier (highest P, the first of equals); test_p_base, test_pct,
        test_logodds.

    Raises:
        DataError: single examples, a configuration twice, or a task without `select` rows.
    """
    select = select_rows(frame).assign(
        gain=lambda rows: rows.pct_improvement > 0,
        golden=lambda rows: rows.pct_improvement > 10,
        layer_p=lambda rows: rows.groupby([*TASK, "layer"], **GROUPS).p_post.transform("mean"),
    )
    table = select.groupby(TASK, **GROUPS).agg(
        domain=("domain", "first"),
        difficulty=("difficulty", "first"),
        p_base=("p_base", "first"),
        zone=("p_base", lambda p: zone(p.iloc[0], low, high)),
        mean_pct=("pct_improvement", "mean"),
        best_pct=("pct_improvement", "max"),
        mean_logodds=("delta_logodds", "mean"),
        best_logodds=("delta_logodds", "max"),
        success_rate=("gain", "mean"),
        golden=("golden", "sum"),
        golden_share=("golden", "mean"),
        best_layer=("layer_p", lambda p: select.layer[p.idxmax()]),
        best=("p_post", "idxmax"),  # in a task P orders as % does
    )
    names = dict(p_base="test_p_base", pct_improvement="test_pct", delta_logodds="test_logodds")
    test = frame.loc[frame.split == "test", [*TASK, *CONFIGURATION, *names]].rename(columns=names)
    return (
        table.join(select[CONFIGURATION], on="best")
        .drop(columns="best")
        .reset_index()
        .merge(test, how="left", on=[*TASK, *CONFIGURATION])
        .replace(dict.fromkeys(["mean_pct", "best_pct", "test_pct"], np.inf), np.nan)
    )


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
    tasks = finite_tasks(summary, outcome, 4).sort_values("p_base")
    p, y = tasks.p_base.clip(lower=1e-12).to_numpy(), tasks[outcome].to_numpy()
    if p[0] == p[-1]:
        raise DataError(
            f"All {len(p)} tasks have a baseline P of {p[0]}, and an edge lies between two: add "
            "tasks of other baselines."
        )
    edges, r2 = _best_edges(p, y)
    rng = np.random.default_rng(seed)
    # Places of tasks; sorted, so that p stays ascending.
    draws = bootstrap(np.sort, np.arange(len(p)), n_resamples=n_resamples, seed=rng)
    low, high = interval(
        [_best_edges(p[draw], y[draw])[0] for draw in draws if p[draw[0]] < p[draw[-1]]]
    )
    hits = sum(_best_edges(p, rng.permutation(y))[1] >= r2 for _ in range(n_resamples))
    return pd.DataFrame(
        {
            "edge": ["low", "high"],
            "value": edges,
            "ci_low": low,
            "ci_high": high,
            "paper": [LOW, HIGH],
            "r2": r2,
            "p": (1 + hits) / (1 + n_resamples),
        }
    )


def best_of_noise(
    p: Sequence[float] | pd.Series,
    sd: float,
    *,
    configurations: int = 2016,
    prompts: int = 1,
    repeats: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """What the best of many configurations gains where all of them do nothing but add noise.

    In each configuration every prompt's log-odds shift by normal noise, whatever its P. The one
    with the highest mean P is the best. It was lucky, and on new noise it shows.

    Args:
        p: Baseline P of each task; all of a task's prompts have this one.
        sd: Standard deviation of the noise, in nats.
        configurations: How many *independent* ones are tried on each task. The paper's 2,016 share
            neurons (168 sets, each with 12 multipliers), so that they are worth fewer: the truth
            lies between about 168 and 2,016.
        prompts: How many prompts a task has, each with noise of its own, which their mean dampens;
            1 is also noise that all prompts of a task have in common.
        repeats: How often all of it is done.
        seed: Of the noise.

    Returns:
        One row a task: p_base; zone; best_pct, the best configuration's gain (% of P), with low and
        high (the middle 95 % of repeats); best_logodds, its mean change of log-odds (nats);
        test_pct, its gain on new noise (%): about 0, where P is low up to 50 sd² above it, for
        odds rise by more than they fall. All but low and high are means over repeats.

    Raises:
        DataError: p is no list of probabilities above 0 and below 1.
        SNAError: sd, configurations, prompts or repeats is out of range.
    """
    baselines = np.asarray(p, dtype=float)
    if baselines.ndim != 1 or not len(baselines) or not ((baselines > 0) & (baselines < 1)).all():
        raise DataError(
            f"The baseline P are {baselines.tolist()}: expected a list of one or more numbers "
            "above 0 and below 1 (0 and 1 have no log-odds to shift)."
        )
    check_number("sd (in nats)", sd, 0, 10)  # more would overflow
    check_range("configurations", configurations, 1, 100_000)
    check_range("prompts", prompts, 1, 100)
    check_range("repeats", repeats, 1, 1_000_000)
    rng = np.random.default_rng(seed)
    winners = [
        _winner(baseline, sd, configurations, prompts, rng)
        for baseline in baselines.repeat(repeats).tolist()
    ]
    best, logodds, test = np.array(winners, dtype=float).reshape(-1, repeats, 3).T
    low, high = interval(100 * best)
    return pd.DataFrame(
        {
            "p_base": baselines,
            "zone": [zone(baseline) for baseline in baselines],
            "best_pct": 100 * best.mean(axis=0),
            "low": low,
            "high": high,
            "best_logodds": logodds.mean(axis=0),
            "test_pct": 100 * test.mean(axis=0),
        }
    )


def _best_edges(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The two edges between ascending p that explain the ranks of y best, and their R²."""
    ranks = rankdata(y) - (len(y) + 1) / 2
    cuts = np.flatnonzero(np.diff(p)) + 1  # never between equal p
    sums = np.append(0, ranks.cumsum())
    i, j = cuts[np.stack(np.triu_indices(len(cuts)))]
    bounds = np.stack([0 * i, i, j, 0 * j + len(p)])
    between = (np.diff(sums[bounds], axis=0) ** 2 / np.diff(bounds, axis=0).clip(1)).sum(axis=0)
    r2 = (between / max((ranks**2).sum(), 1)).round(9)
    best = np.lexsort((j - i, -r2))[0]  # of equals the pair with the smallest Zone 2
    return np.sqrt(p[[i[best], j[best]]] * p[[i[best] - 1, j[best] - 1]]), r2[best]


def _winner(
    p: float, sd: float, configurations: int, prompts: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The best configuration's gain (share of P), its change of log-odds, its gain on new noise."""
    shifts = _noise(sd, (prompts, configurations), rng)
    gains = _gain(p, shifts).mean(axis=0)
    best = gains.argmax()
    return gains[best], shifts[:, best].mean(), _gain(p, _noise(sd, prompts, rng)).mean()


def _noise(sd: float, shape: int | tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    # Single precision: twice as fast, and its rounding is far below the spread of repeats.
    return float(sd) * rng.standard_normal(shape, dtype=np.float32)


def _gain(p: float, shifts: np.ndarray) -> np.ndarray:
    """What P gains when its log-odds shift, as a share of P: exactly 0 for no shift."""
    odds = np.expm1(shifts)  # their gain
    return (1 - p) * odds / (1 + p * odds)

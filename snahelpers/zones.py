"""The paper's metrics and zones (sections 3.4 to 5.1), and what choosing alone makes of noise.

How baseline and gain go together (section 4.1): `correlate` asks what other tasks would have given.
In `correlate_facts` the tasks stay, and each one's examples are drawn again: the baseline, the best
configuration and its gain all follow from them.
"""

import warnings
from collections.abc import Callable, Collection, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import DegenerateDataWarning, pearsonr, rankdata, spearmanr

from snahelpers.errors import DataError, Seed, check_number, check_range, checked, listed
from snahelpers.frames import (
    CONFIGURATION,
    GROUPS,
    KEYS,
    SPLITS,
    TASK,
    check_table,
    finite_tasks,
    select_rows,
    task_level,
)
from snahelpers.stats import bootstrap, interval, spearman

LOW, HIGH = 0.07, 0.10  # of baseline P, for GPT-2 Medium
PAPER_LAST = 23  # the last layer of GPT-2 Medium
FACT_OUTCOMES = ("best_pct", "best_logodds", "test_pct", "test_logodds")


@checked
def zone(p: float, low: float = LOW, high: float = HIGH) -> int:
    """Zone of a baseline probability: 1 below `low`, 3 above `high`, 2 from one to the other.

    The paper's edges belong to GPT-2 Medium and its tasks (section 7.3). It leaves open where the
    edges themselves belong; here both are Zone 2.

    Raises:
        SNAError: p is not a probability.
    """
    check_number("The probability p", p, 0, 1)
    return 1 if p < low else 3 if p > high else 2


@checked
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


@checked
def calibrate_zones(
    summary: pd.DataFrame, *, outcome: str = "mean_pct", n_resamples: int = 1000, seed: Seed = 0
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


@checked
def best_of_noise(
    p: Collection[float],
    sd: float,
    *,
    configurations: int = 2016,
    prompts: int = 1,
    repeats: int = 200,
    seed: Seed = 0,
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
    baselines = pd.to_numeric(pd.Series(listed(p)), errors="coerce").to_numpy(float)
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
    # Single precision: twice as fast, and its rounding is far below the spread of repeats.
    shifts, fresh = (
        float(sd) * rng.standard_normal(shape, dtype=np.float32)
        for shape in ((prompts, configurations), prompts)
    )
    gains = _gain(p, shifts).mean(axis=0)
    best = gains.argmax()
    return gains[best], shifts[:, best].mean(), _gain(p, fresh).mean()


def _gain(p: float, shifts: np.ndarray) -> np.ndarray:
    """What P gains when its log-odds shift, as a share of P: exactly 0 for no shift."""
    odds = np.expm1(shifts)  # their gain
    return (1 - p) * odds / (1 + p * odds)


# Baseline and gain


@checked
def correlate(
    summary: pd.DataFrame,
    *,
    outcomes: Sequence[str] = ("mean_pct", "best_pct", "mean_logodds", "best_logodds"),
    n_resamples: int = 10_000,
    seed: Seed = 0,
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


@checked
def correlate_facts(
    frame: pd.DataFrame, *, n_resamples: int = 1000, seed: Seed = 0
) -> pd.DataFrame:
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


# Which layer matters, and where an improvement comes from (sections 4.5 and 5.1)


def layer_at(depth: float, n_layers: int) -> int:
    """The layer of a model that is as deep as layer `depth` of GPT-2 Medium's 0 to 23."""
    return round(depth / PAPER_LAST * (n_layers - 1))


@checked
def layer_peaks(
    frame: pd.DataFrame,
    *,
    by: str | list[str] = "domain",
    n_resamples: int = 1000,
    seed: Seed = 0,
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
    keys = listed(by)
    check_range("The number of columns in by", len(keys), 1, 5)
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


@checked
def decompose(
    frame: pd.DataFrame, *, metric: str = "pct_improvement", n_resamples: int = 500, seed: Seed = 0
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

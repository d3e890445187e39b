"""Tables in, the quantities that the paper's claims need out (sections 3 to 6).

Every function returns one row a quantity: measure, value, low and high (95 %; NaN for a count, or
where there is nothing to resample), n (how many tasks, prompts or reviews) and method. A quantity
that cannot be had (no task in Zone 3, …) is NaN. `ledger` takes them.
"""

import math
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers import interference
from snahelpers.errors import DataError
from snahelpers.frames import check_table, finite_tasks, select_rows
from snahelpers.stats import bootstrap, bootstrap_mean, interval
from snahelpers.zones import PAPER_LAST, correlate, decompose, layer_at, layer_peaks, summarize

Numbers = dict[str, tuple[float, float, float, int]]  # value, low, high, n by measure


def measure_sweep(frame: pd.DataFrame) -> pd.DataFrame:
    """What sections 3 and 4 of the paper speak of, from a sweep of whole tasks.

    Zones have the paper's edges. Means over tasks have bootstrap intervals over tasks; the
    interval of a difference of two shares is that of the most careful reading (their ends'
    differences).

    Args:
        frame: From `sweep` or `task_level`, of every layer, one model and one method.

    Raises:
        DataError: as `summarize` and `decompose`; fewer than 3 tasks; several models or methods.
    """
    select, summary = select_rows(frame), finite_tasks(summarize(frame), "p_base", 3)
    found = _sizes(select) | _correlations(summary) | _shares(frame)
    found |= _zones(select, summary) | _domains(select, summary)
    return as_table(found, f"{frame.method.iloc[0]} sweep")


def measure_layers(singles: pd.DataFrame) -> pd.DataFrame:
    """Where each domain's effect peaks (section 5.1), as layers of 24, from a per-example sweep.

    Raises:
        DataError: as `layer_peaks`.
    """
    scale = PAPER_LAST / max(singles.layer.max(), 1)
    everywhere = layer_peaks(singles, by="model").assign(domain="all")
    domains = layer_peaks(singles)
    peaks = pd.concat([domains, everywhere]).set_index("domain")
    peaks[["layer", "low", "high"]] *= scale
    units = singles.drop_duplicates(["task", "split", "example"]).domain
    sizes = units.value_counts().to_dict() | {"all": len(units)}
    found = {
        f"layer_{name}": (row.layer, row.low, row.high, sizes[name])
        for name, row in peaks.iterrows()
    }
    if {"coding", "maths", "poetry"} <= set(domains.domain):
        coding, other = peaks.loc["coding"], peaks.drop(["coding", "all"])
        deepest = (other.layer.max(), other.low.max(), other.high.max(), len(units))
        found["layer_coding_less_deepest_other"] = less_of(
            (*coding[["layer", "low", "high"]], sizes["coding"]), deepest
        )
        steady = peaks.share["maths"] - peaks.share["poetry"]
        found["layer_share_maths_less_poetry"] = exact(steady, sizes["maths"] + sizes["poetry"])
    levels = layer_peaks(singles, by=["domain", "difficulty"]).groupby("domain").layer
    ranges = (levels.max() - levels.min()) * scale
    found["domains_of_one_layer"] = exact((ranges == 0).sum(), len(ranges))
    found |= {f"layer_{name}_range": exact(x, sizes[name]) for name, x in ranges.items()}
    return as_table(found, f"{singles.method.iloc[0]} sweep, prompts resampled")


def measure_interference(changes: pd.DataFrame) -> pd.DataFrame:
    """What early and late amplification does to other domains (section 5.2).

    Args:
        changes: Rows of `side_effects` with the columns `amplified` (a domain) and `depth` ("early"
            or "late": the layers as deep as 8 and 21 of 24), of the same prompts in all of them.

    Raises:
        DataError: a column is missing, or maths and poetry were not amplified early and late.
    """
    keys = interference.KEYS
    check_table(changes, ["amplified", "depth", *keys, *interference.OUTCOMES])
    cells = interference.effects(changes, ["amplified", "depth", "domain"])
    cells = cells.set_index(["amplified", "depth", "domain", "outcome"]).sort_index()
    others = changes[(changes.amplified != changes.domain) & (changes.domain != "neutral")]
    early, late = (
        others[others.depth == depth].groupby(keys, sort=False)[interference.OUTCOMES].mean()
        for depth in ("early", "late")
    )
    gap = (early - late).reset_index().assign(weight=1, all="all")
    try:
        points = cells.loc[("maths", "early", "poetry", "p"), :]
        maths = tuple(cells.loc[("maths", "early", "poetry", "logodds"), :])
        poetry = tuple(cells.loc[("poetry", "late", "maths", "logodds"), :])
        paired = interference.effects(gap, "all").set_index("outcome").loc["logodds"]
    except KeyError as error:
        raise DataError(
            f"There is no {error}: amplify maths and poetry, early and late, and measure both."
        ) from None
    found = {
        "maths_early_on_poetry_points": (*(100 * points[["value", "low", "high"]]), points.n),
        "maths_early_on_poetry_logodds": maths,
        "poetry_late_on_maths_logodds": poetry,
        "maths_early_less_poetry_late": less_of(maths, poetry),
        "early_less_late_logodds": tuple(paired[["value", "low", "high", "n"]]),
    }
    return as_table(found, "15 neurons × 2.5, test prompts resampled")


def measure_sentiment(
    tables: pd.DataFrame,
    chosen: tuple[str, int, float],
    n_layers: int,
    *,
    overlap: float,
    contrast_overlap: float,
    zone1_by_p: float,
) -> pd.DataFrame:
    """What section 6 speaks of.

    Args:
        tables: Of every configuration what `compare` gives on the scored reviews, with the columns
            `arm`, `layer` and `multiplier`.
        chosen: Arm, layer and multiplier of the configuration that is best on other reviews.
        n_layers: How many layers the model has.
        overlap: How many of the neurons for positive and for negative reviews, both against
            neutral text, are the same (%).
        contrast_overlap: The same of the two sets that were amplified (%).
        zone1_by_p: Reviews in Zone 1 by the right word's P (%).

    Raises:
        DataError: a column is missing, or the chosen configuration is not in the tables.
    """
    where = ["arm", "layer", "multiplier"]
    check_table(tables, [*where, "zone", "n", "before", "low", "high", "gain"])
    here = (tables[where] == list(chosen)).all(axis=1)
    if not here.any():
        raise DataError(f"The chosen configuration {chosen} is not among those that were scored.")
    first = tables[here].drop_duplicates("zone").set_index("zone")
    all_n = int(first.n["all"])
    found = {f"sst_zone{z}_n": exact(first.n.get(z, 0), all_n) for z in (1, 2, 3)}
    before = {z: 100 * first.before.get(z, math.nan) for z in (1, 2, 3)}
    found |= {f"sst_zone{z}_before": exact(before[z], first.n.get(z, 0)) for z in before}
    rise = min(before[2] - before[1], before[3] - before[2], key=lambda x: (x == x, x))
    found |= {
        "sst_n": exact(all_n, all_n),
        "sst_all_before": exact(100 * first.before["all"], all_n),
        "sst_smallest_rise": exact(rise, all_n),
        "sst_zone1_by_p": exact(zone1_by_p, all_n),
        "sst_overlap": exact(overlap, math.nan),
        "sst_contrast_overlap": exact(contrast_overlap, math.nan),
        "sst_configurations": exact(len(tables[where].drop_duplicates()), all_n),
        "sst_layers_times_multipliers": exact(
            len(tables[["layer", "multiplier"]].drop_duplicates()), all_n
        ),
    }
    third = tables[tables.zone == 3].gain
    if len(third):
        found["sst_zone3_unmoved"] = exact(100 * (third == 0).mean(), int(first.n[3]))
    if 1 in first.index:
        row, low = first.loc[1], tables[tables.zone == 1].reset_index(drop=True)
        # The interval of the accuracy after; the accuracy before is taken as it is.
        ends = (100 * (end - row.before) for end in (row.low, row.high))
        found["sst_zone1_chosen_gain"] = (row.gain, *ends, row.n)
        best = low.loc[low.gain.idxmax()]
        found["sst_zone1_peak_gain"] = exact(best.gain, row.n)
        gaining = (low.groupby("layer").gain.mean() > 0).sum()
        found["sst_layers_that_gain"] = exact(gaining, row.n)
        if best.gain > 0:
            depth = PAPER_LAST * best.layer / (n_layers - 1)
            found["sst_best_layer"] = exact(depth, row.n)
            found["sst_best_multiplier"] = exact(best.multiplier, row.n)
    return as_table(found, "contrastive neurons, scored reviews")


def less_of(a: tuple, b: tuple) -> tuple:
    """The first less the second; its interval is at least as wide as it has to be."""
    return (a[0] - b[0], a[1] - b[2], a[2] - b[1], max(a[3], b[3]))


def exact(value: float, n: float) -> tuple:
    """A number without an interval."""
    return (float(value), math.nan, math.nan, n)


def as_table(found: Mapping[str, tuple], method: str) -> pd.DataFrame:
    """One row a measure, infinite numbers as missing."""
    rows = [(name, *numbers) for name, numbers in found.items()]
    table = pd.DataFrame(rows, columns="measure value low high n".split())
    numbers = ["value", "low", "high"]
    table[numbers] = table[numbers].astype(float).replace([math.inf, -math.inf], math.nan)
    return table.assign(method=method)


def _sizes(select: pd.DataFrame) -> Numbers:
    tasks = select.task.value_counts()
    numbers = {
        "configurations": len(select),
        "configurations_per_task": tasks.max(),
        "tasks": len(tasks),
        "largest_multiplier": select.multiplier.max(),
    }
    return {name: exact(number, len(tasks)) for name, number in numbers.items()}


def _correlations(summary: pd.DataFrame) -> Numbers:
    outcomes = [
        name
        for name in ("best_pct", "mean_pct", "best_logodds", "test_logodds")
        if np.isfinite(summary[name]).sum() >= 3
    ]
    found: Numbers = {}
    table = correlate(summary, outcomes=outcomes)
    for row in table[table.left_out == ""].itertuples():
        name, n = f"{row.statistic}_{row.outcome}", row.n
        found[name] = (row.value, row.low, row.high, n)
        found |= {f"{name}_p": exact(row.p, n), f"{name}_squared": exact(row.value**2, n)}
        found |= {f"{name}_low": exact(row.low, n), f"{name}_high": exact(row.high, n)}
    without = table[(table.outcome == "best_pct") & (table.statistic == "spearman")]
    without = without.value[without.left_out != ""]
    found["spearman_without_a_domain"] = exact(without.max(skipna=False), len(summary))
    rest = [summary.drop(index=place) for place in summary.index]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing varies: NaN
        each = [stats.spearmanr(part.p_base, part.best_pct).statistic for part in rest]
    found["spearman_without_a_task"] = exact(np.max(each), len(summary))
    return found


def _shares(frame: pd.DataFrame) -> Numbers:
    n = frame.task.nunique()
    if frame.layer.nunique() < 2:
        return {}
    shares = decompose(frame).set_index("factor")[["share", "low", "high"]]
    found = {f"share_{name}": (*row, n) for name, *row in shares.itertuples()}
    for other in ("domain", "layer"):
        found[f"share_baseline_less_{other}"] = less_of(
            found["share_baseline"], found[f"share_{other}"]
        )
    return found


def _zones(select: pd.DataFrame, summary: pd.DataFrame) -> Numbers:
    one, three = (summary[summary.zone == z] for z in (1, 3))
    found = {f"zone{z}_tasks": exact((summary.zone == z).sum(), len(summary)) for z in (1, 2, 3)}
    for name in ("mean_pct", "best_pct", "test_logodds"):
        found[f"zone1_{name}"] = _mean(one[name])
    for name in ("best_pct", "best_logodds"):
        found[f"zone1_less_zone3_{name}"] = _difference(one[name], three[name])
    found["zone1_peak_pct"] = exact(one.best_pct.max(), len(one))
    found["zone3_peak_pct"] = exact(three.best_pct.max(), len(three))
    above = select.pct_improvement[select.task.isin(three.task)] > 7
    found["zone3_share_above_7"] = exact(above.mean() if len(above) else math.nan, len(three))
    return found


def _domains(select: pd.DataFrame, summary: pd.DataFrame) -> Numbers:
    found: Numbers = {}
    for name, part in summary.groupby("domain", sort=False):
        n = len(part)
        found |= {f"{name}_zone{z}_tasks": exact((part.zone == z).sum(), n) for z in (1, 3)}
        found |= {f"{name}_p_min": exact(part.p_base.min(), n)}
        found |= {f"{name}_p_max": exact(part.p_base.max(), n)}
        found |= {f"{name}_success_rate_min": exact(part.success_rate.min(), n)}
        found |= {f"{name}_mean_pct": _mean(part.mean_pct)}
    poetry = summary[summary.domain == "poetry"]
    found["poetry_tasks_with_8_points"] = exact((poetry.p_base >= 0.08).sum(), len(poetry))
    layers = sorted(select.layer.unique())
    there = (select.layer == layer_at(8, layers[-1] + 1)) & select.domain.isin(["poetry", "coding"])
    means = select[there].groupby("task").pct_improvement.mean()
    found["poetry_coding_at_8_pct"] = _mean(means)
    return found


def _mean(values: pd.Series) -> tuple:
    """A mean over tasks, with its interval where there are two or more."""
    x = values[np.isfinite(values)].to_numpy(float)
    if len(x) < 2:
        return exact(x.mean() if len(x) else math.nan, len(x))
    return (*bootstrap_mean(x), len(x))


def _difference(values: pd.Series, others: pd.Series) -> tuple:
    """The mean of the first less that of the others, with its interval."""
    a, b = (x[np.isfinite(x)].to_numpy(float) for x in (values, others))
    if min(len(a), len(b)) < 2:
        return exact(math.nan, len(a) + len(b))
    draws = bootstrap(lambda a, b: a.mean(axis=1) - b.mean(axis=1), a, b)
    return (a.mean() - b.mean(), *interval(draws), len(a) + len(b))

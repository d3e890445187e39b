"""A sweep's table in, the quantities that the paper's claims need out (sections 3 to 5.1).

Here and in `side_evidence` every function returns one row a quantity: measure, value, low and high
(95 %; NaN for a count, or where there is nothing to resample), n (how many tasks, prompts or
reviews) and method. A quantity that cannot be had (no task in Zone 3, …) is NaN. `ledger` takes
them.
"""

import math
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from snahelpers.controls.significance import N_RESAMPLES, bootstrap_mean
from snahelpers.zones import (
    MIDDLE_95,
    correlate,
    decompose,
    finite_tasks,
    layer_peaks,
    select_rows,
    summarize,
)

PAPER_LAST = 23  # the last layer of GPT-2 Medium
Numbers = dict[str, tuple[float, float, float, int]]  # value, low, high, n by measure


def layer_at(depth: float, n_layers: int) -> int:
    """The layer of a model that is as deep as layer `depth` of GPT-2 Medium's 0 to 23."""
    return round(depth / PAPER_LAST * (n_layers - 1))


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
        found["layer_coding_less_deepest_other"] = (
            coding.layer - other.layer.max(), coding.low - other.high.max(),
            coding.high - other.low.max(), len(units),
        )  # fmt: skip
        steady = peaks.share["maths"] - peaks.share["poetry"]
        found["layer_share_maths_less_poetry"] = exact(steady, sizes["maths"] + sizes["poetry"])
    levels = layer_peaks(singles, by=["domain", "difficulty"]).groupby("domain").layer
    ranges = (levels.max() - levels.min()) * scale
    found["domains_of_one_layer"] = exact((ranges == 0).sum(), len(ranges))
    found |= {f"layer_{name}_range": exact(x, sizes[name]) for name, x in ranges.items()}
    return as_table(found, f"{singles.method.iloc[0]} sweep, prompts resampled")


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
        "configurations": len(select), "configurations_per_task": tasks.max(),
        "tasks": len(tasks), "largest_multiplier": select.multiplier.max(),
    }  # fmt: skip
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
        found[f"zone1_less_zone3_{name}"] = _mean(one[name], three[name])
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


def _mean(values: Iterable[float], less: Iterable[float] | None = None) -> tuple:
    """A mean over tasks, or that of the first less that of the second, with its interval."""
    rng, means, draws, n = np.random.default_rng(0), [], [], 0
    for sample in (values,) if less is None else (values, less):
        x = np.array([number for number in sample if np.isfinite(number)])
        n += len(x)
        if len(x) < 2:
            return (x.mean() if len(x) and less is None else math.nan, math.nan, math.nan, n)
        if less is None:
            return (*bootstrap_mean(x), n)
        means.append(x.mean())
        draws.append(rng.choice(x, (N_RESAMPLES, len(x))).mean(axis=1))
    return (means[0] - means[1], *np.quantile(draws[0] - draws[1], MIDDLE_95), n)

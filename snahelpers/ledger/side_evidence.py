"""Side effects and sentiment in, the quantities that the claims of sections 5.2 and 6 need out."""

import math

import pandas as pd

from snahelpers import interference
from snahelpers.errors import DataError
from snahelpers.ledger.evidence import PAPER_LAST, as_table, exact, less_of
from snahelpers.zones import check_table


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
    tables: pd.DataFrame, chosen: tuple[str, int, float], n_layers: int, *, overlap: float,
    contrast_overlap: float, zone1_by_p: float,
) -> pd.DataFrame:  # fmt: skip
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

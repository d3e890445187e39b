"""The paper's metrics and zones (sections 3.4 to 5.1): a sweep's table in, small tables out."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from snahelpers.errors import DataError, SNAError
from snahelpers.sweep import CONFIGURATION, KEYS, OUTCOMES, TASK

LOW, HIGH = 0.07, 0.10  # of baseline P, for GPT-2 Medium
MIDDLE_95 = (0.025, 0.975)
# In the frame's order, missing labels included, also where labels are pandas' categories.
GROUPS = {"sort": False, "observed": True, "dropna": False}


def zone(p: float, low: float = LOW, high: float = HIGH) -> int:
    """Zone of a baseline probability: 1 below `low`, 3 above `high`, 2 from one to the other.

    The paper's edges belong to GPT-2 Medium and its tasks (section 7.3). It leaves open where the
    edges themselves belong; here both are Zone 2.

    Raises:
        SNAError: p is not a probability.
    """
    if math.isnan(p) or not 0 <= p <= 1:
        raise SNAError(f"p = {p} is not a probability: expected a number from 0 to 1.")
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
    select = select_rows(frame)
    select["gain"], select["golden"] = select.pct_improvement > 0, select.pct_improvement > 10
    select["layer_p"] = select.groupby([*TASK, "layer"], **GROUPS).p_post.transform("mean")
    table = select.groupby(TASK, **GROUPS).agg(
        domain=("domain", "first"), difficulty=("difficulty", "first"), p_base=("p_base", "first"),
        mean_pct=("pct_improvement", "mean"), best_pct=("pct_improvement", "max"),
        mean_logodds=("delta_logodds", "mean"), best_logodds=("delta_logodds", "max"),
        success_rate=("gain", "mean"), golden=("golden", "sum"), golden_share=("golden", "mean"),
        best_layer=("layer_p", "idxmax"), best=("p_post", "idxmax"),  # in a task P orders as % does
    )  # fmt: skip
    table.insert(3, "zone", [zone(p, low, high) for p in table.p_base])
    table["best_layer"] = select.layer[table.best_layer].to_numpy()
    table = table.join(select[CONFIGURATION], on="best").drop(columns="best").reset_index()
    names = dict(p_base="test_p_base", pct_improvement="test_pct", delta_logodds="test_logodds")
    test = frame.loc[frame.split == "test", [*TASK, *CONFIGURATION, *names]].rename(columns=names)
    table = table.merge(test, how="left", on=[*TASK, *CONFIGURATION])
    percent = ["mean_pct", "best_pct", "test_pct"]
    table[percent] = table[percent].replace(math.inf, math.nan)
    return table


def check_table(
    frame: pd.DataFrame, columns: Sequence[str], *, one_sweep: bool = False
) -> pd.DataFrame:
    """The table, if it has these columns and, for `one_sweep`, one model and one method."""
    if missing := [column for column in columns if column not in frame]:
        raise DataError(
            f"The table has no column {', '.join(missing)}: expected is what sweep or summarize "
            "returns (sweep with per_example=True for a column example)."
        )
    for column in [name for name in ("model", "method") if one_sweep and name in frame]:
        if len(names := frame[column].unique()) > 1:
            raise DataError(
                f"The table mixes {len(names)} {column}s, and one is expected: take "
                f"table[table.{column} == {names[0]!r}], for instance."
            )
    return frame


def select_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The `select` rows of a sweep of tasks, if there are some for each task."""
    check_table(frame, KEYS + OUTCOMES)
    if "example" in frame:
        raise DataError(
            "The table has one row an example, and one a task is expected: pass task_level(table), "
            "or sweep without per_example."
        )
    if (twice := frame.duplicated(KEYS)).any():
        raise DataError(
            f"A configuration stands twice: {frame.loc[twice, KEYS].iloc[0].to_dict()}. Keep one "
            "sweep, or name their methods apart."
        )
    select = frame[frame.split == "select"].reset_index(drop=True)
    lost = pd.MultiIndex.from_frame(frame[TASK]).difference(pd.MultiIndex.from_frame(select[TASK]))
    if len(lost) or frame.empty:
        raise DataError(
            f"No 'select' rows for {[*lost] or 'any task'}: configurations are chosen on them, so "
            "sweep that split too."
        )
    return select


def finite_tasks(summary: pd.DataFrame, outcome: str, at_least: int) -> pd.DataFrame:
    """The rows with a finite outcome, if they are enough, of one model and one method."""
    check_table(summary, ["domain", "p_base", outcome], one_sweep=True)
    table = summary[np.isfinite(summary[["p_base", outcome]]).all(axis=1)]
    if len(table) < at_least:
        raise DataError(
            f"{len(table)} tasks have a finite {outcome}: at least {at_least} are needed."
        )
    return table

"""What every function over frames needs: columns, checks, `select` rows, tasks from examples."""

import numpy as np
import pandas as pd

from snahelpers.errors import DataError, checked

# The columns of a sweep's table.
SPLITS = ("select", "test")
TASK, CONFIGURATION = ["model", "method", "task"], ["layer", "n_neurons", "multiplier"]
KEYS = ["model", "task", "domain", "difficulty", "split", "method", *CONFIGURATION]
OUTCOMES = [
    *("p_base", "p_post", "pct_improvement", "delta_logodds"),
    *("rank_base", "rank_post", "entropy_base", "entropy_post"),
]
# In the frame's order, missing labels included, also where labels are pandas' categories.
GROUPS = {"sort": False, "observed": True, "dropna": False}


@checked
def task_level(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a configuration from one row an example: means, and % of the mean P (section 3.4).

    Raises:
        DataError: the frame has no column `example`, so it is no per-example frame.
    """
    means = (
        check_table(frame, ["example", *KEYS, *OUTCOMES])
        .groupby(KEYS, as_index=False, **GROUPS)[OUTCOMES]
        .mean()
    )
    return means.assign(pct_improvement=100 * (means.p_post - means.p_base) / means.p_base)


def check_table(
    frame: pd.DataFrame,
    columns: list[str],
    *,
    one_sweep: bool = False,
    once: list[str] | None = None,
) -> pd.DataFrame:
    """The table, if it has these columns and what else is asked for.

    Args:
        frame: Any table of the course.
        columns: Those that it must have.
        one_sweep: It must be of one model and one method, as far as it names them.
        once: Columns in which no two rows may be the same.

    Raises:
        DataError: it is not so.
    """
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
    if once and (twice := frame.duplicated(once)).any():
        raise DataError(
            f"A configuration stands twice: {frame.loc[twice, once].iloc[0].to_dict()}. Keep one "
            "sweep, or name their methods apart."
        )
    return frame


def select_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The `select` rows of a sweep of tasks, if there are some for each task."""
    if "example" in frame:
        raise DataError(
            "The table has one row an example, and one a task is expected: pass task_level(table), "
            "or sweep without per_example."
        )
    check_table(frame, KEYS + OUTCOMES, once=KEYS)
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

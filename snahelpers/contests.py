"""Amplification beside its controls and rivals, each with its own best configuration.

A control that is tried once, where the amplification had its pick of the grid, is none. So every
method here sweeps the same grid on "select", and what was best there is judged on "test".
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.columns import CONFIGURATION, SPLITS, TASK
from snahelpers.errors import DataError, SNAError, check_choice, check_range
from snahelpers.frames import check_table, task_level
from snahelpers.methods import METHODS, Readings
from snahelpers.stats import bootstrap_mean, flip_signs, holm
from snahelpers.sweeps import PAPER_GRID, Grid, Sweeper, Tasks
from snahelpers.tasks import as_tasks
from snahelpers.zones import summarize

AMPLIFIED = "differential"
N_FLIPS = 10_000


def contest(
    model: TransformerBridge,
    tasks: Tasks,
    grid: Grid = PAPER_GRID,
    *,
    methods: Sequence[str] = tuple(METHODS),
    draws: int = 20,
    neutral: Sequence[str] | None = None,
    memory_gb: float = 1.0,
    out: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Sweep with every method, and keep what each does at its own best configuration.

    Args:
        model: As for `sweep`, and so are tasks, grid, neutral and memory_gb.
        tasks: With examples of both splits.
        grid: What every method may choose from.
        methods: Of `sweep`; "differential" is the amplification itself.
        draws: How often the methods that draw neurons by chance are run.
        neutral: Ordinary text.
        memory_gb: About how much memory to use beside the model.
        out: A folder, for a parquet file of every method and draw; the same call goes on from there
            if it was stopped.
        progress: Show a bar over methods and draws.

    Returns:
        One row an example of both splits, task, method and draw (0 where nothing is drawn), as from
        `sweep` with per_example=True.

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task cannot be measured, or a file in `out` belongs to another sweep.
    """
    check_range("draws", draws, 1, 10_000)
    if not methods:
        raise SNAError("methods is empty: name at least one.")
    for method in methods:
        check_choice("method", method, tuple(METHODS))
    readings, options = Readings(model, neutral, "all"), dict(per_example=True, memory_gb=memory_gb)
    tasks = as_tasks(tasks)
    choosing, judging = (Sweeper(readings, tasks, grid, split=split, **options) for split in SPLITS)
    rounds = [
        (name, draw) for name in methods for draw in range(draws if METHODS[name].drawn else 1)
    ]
    places = {pair: place for place, pair in enumerate(grid.configurations())}
    parts = []
    for method, draw in tqdm(rounds, unit="sweep", disable=not progress):
        files = [out and Path(out) / f"{method}-{draw}{end}.parquet" for end in ("", "-test")]
        select = choosing.run(method, seed=draw, out=files[0], progress=False)
        best = _best(select)
        at = {
            row.task: (row.layer, places[row.n_neurons, row.multiplier])
            for row in best.itertuples()
        }
        test = judging.run(method, seed=draw, at=at, out=files[1], progress=False)
        both = pd.concat([select, test]).merge(best)
        parts.append(both.assign(draw=draw))
    return pd.concat(parts, ignore_index=True)


def winners(frame: pd.DataFrame) -> pd.DataFrame:
    """Of a per-example sweep the rows of each task's best configuration on "select".

    Raises:
        DataError: as `task_level` and `summarize`.
    """
    return frame.merge(_best(frame))


def _best(frame: pd.DataFrame) -> pd.DataFrame:
    """Each task's best configuration on "select"."""
    return summarize(task_level(frame))[[*TASK, *CONFIGURATION]]


def compare(frame: pd.DataFrame, rival: str, *, seed: int = 0) -> pd.DataFrame:
    """How much more the amplification does than a rival, on the same new prompts.

    A rival that was drawn several times counts with the mean of its draws. Beside that, p_draws
    sets the amplification's mean among those of the draws; it cannot be below 1 / (draws + 1).

    Args:
        frame: From `contest`, with the method "differential".
        rival: Which method to set it against.
        seed: Of the resampling.

    Returns:
        One row a model and task: n (test prompts); sna and rival (mean Δlog-odds), difference,
        low and high (95 %, prompts resampled), p (that prompts rise no more than under the rival:
        signs of their differences flipped), p_holm (over the tasks of a model), p_draws.

    Raises:
        DataError: a column or one of the two methods is missing, or the two were measured on
            different prompts.
    """
    check_table(frame, [*TASK, "draw", "split", "example", "delta_logodds"])
    test = frame[frame.split == "test"]
    for name in (AMPLIFIED, rival):
        if name not in set(test.method):
            raise DataError(f"No 'test' rows of {name!r}: run contest with that method.")
    rows = []
    for (model, task), part in test.groupby(["model", "task"], sort=False, observed=True):
        effects = part.pivot_table("delta_logodds", "example", ["method", "draw"])
        if effects[[AMPLIFIED, rival]].isna().to_numpy().any():
            raise DataError(f"{task}: {rival!r} was not measured on all of its prompts. Run again.")
        rows.append({"model": model, "task": task, **_duel(effects, rival, seed)})
    table = pd.DataFrame(rows)
    table.insert(9, "p_holm", table.groupby("model").p.transform(holm))
    return table


def _duel(effects: pd.DataFrame, rival: str, seed: int) -> dict[str, float]:
    """One row of `compare`, from Δlog-odds [prompt, (method, draw)]."""
    own, others = effects[AMPLIFIED].mean(axis=1), effects[rival]
    differences = (own - others.mean(axis=1)).to_numpy()
    _, [p] = flip_signs(differences[:, None], N_FLIPS, np.random.default_rng(seed))
    difference, low, high = bootstrap_mean(differences, seed=seed)
    return {
        "n": len(differences),
        "sna": own.mean(),
        "rival": others.to_numpy().mean(),
        "difference": difference,
        "low": low,
        "high": high,
        "p": p,
        "p_draws": (1 + (others.mean() >= own.mean()).sum()) / (1 + others.shape[1]),
    }

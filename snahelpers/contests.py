"""Amplification beside its controls and rivals, each with its own best configuration.

A control that is tried once, where the amplification had its pick of the grid, is none. So every
method here sweeps the same grid on "select", and what was best there is judged on "test".
"""

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError, Seed, SNAError, check_choice, check_range, checked, listed
from snahelpers.frames import CONFIGURATION, SPLITS, TASK, check_table, task_level
from snahelpers.methods import METHODS, Readings
from snahelpers.stats import bootstrap_groups, bootstrap_mean, flip_signs, holm, interval
from snahelpers.sweeps import PAPER_GRID, Grid, Sweeper, Tasks
from snahelpers.tasks import as_tasks
from snahelpers.zones import summarize

AMPLIFIED = "differential"
N_FLIPS = 10_000


@checked
def contest(
    model: TransformerBridge,
    tasks: Tasks,
    grid: Grid = PAPER_GRID,
    *,
    methods: str | Collection[str] = tuple(METHODS),
    draws: int = 20,
    neutral: Collection[str] | None = None,
    memory_gb: float = 1.0,
    out: str | Path | None = None,
    executor: Executor | None = None,
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
        executor: Who measures, as for `sweep`.
        progress: Show a bar over methods and draws.

    Returns:
        One row an example of both splits, task, method and draw (0 where nothing is drawn), as from
        `sweep` with per_example=True.

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task cannot be measured, or a file in `out` belongs to another sweep.
    """
    check_range("draws", draws, 1, 10_000)
    methods = listed(methods)
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
    parts, run = [], dict(executor=executor, progress=False)
    for method, draw in tqdm(rounds, unit="sweep", disable=not progress):
        files = [out and Path(out) / f"{method}-{draw}{end}.parquet" for end in ("", "-test")]
        select = choosing.run(method, seed=draw, out=files[0], **run)
        best = _best(select)
        at = {
            row.task: (row.layer, places[row.n_neurons, row.multiplier])
            for row in best.itertuples()
        }
        test = judging.run(method, seed=draw, at=at, out=files[1], **run)
        parts.append(pd.concat([select, test]).merge(best).assign(draw=draw))
    return pd.concat(parts, ignore_index=True)


@checked
def winners(frame: pd.DataFrame) -> pd.DataFrame:
    """Of a per-example sweep the rows of each task's best configuration on "select".

    Raises:
        DataError: as `task_level` and `summarize`.
    """
    return frame.merge(_best(frame))


def _best(frame: pd.DataFrame) -> pd.DataFrame:
    """Each task's best configuration on "select"."""
    return summarize(task_level(frame))[[*TASK, *CONFIGURATION]]


@checked
def compare(frame: pd.DataFrame, rival: str, *, seed: Seed = 0) -> pd.DataFrame:
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
    test, rows = _measured_alike(frame, (AMPLIFIED, rival)), []
    for (model, task), part in test.groupby(["model", "task"], sort=False, observed=True):
        effects = _effects(part, task, (AMPLIFIED, rival))
        rows.append({"model": model, "task": task, **_duel(effects, rival, seed)})
    table = pd.DataFrame(rows)
    table.insert(9, "p_holm", table.groupby("model").p.transform(holm))
    return table


@checked
def mean_advantage(
    frame: pd.DataFrame,
    rival: str,
    tasks: Collection[str],
    less: Collection[str] = (),
    *,
    method: str = AMPLIFIED,
    seed: Seed = 0,
) -> dict[str, float]:
    """How much more a method does than a rival over several tasks, and more there than over others.

    A prompt's advantage is its Δlog-odds under the method less that under the rival (the mean of
    its draws); tasks count alike.

    Args:
        frame: From `contest`, of one model.
        rival: Which method to set it against.
        tasks: Whose mean advantage is asked for.
        less: From which that of these is taken off.
        method: The method, if it is not the amplification by difference.
        seed: Of the resampling.

    Returns:
        value, low and high (nats; 95 %, tasks drawn again and in each its prompts), p (one-sided:
        signs of prompts' advantages flipped), n (prompts).

    Raises:
        DataError: a column, a task or one of the two methods is missing.
    """
    pair = method, rival
    test = _measured_alike(frame, pair)
    groups = [
        [_advantages(_effects(test[test.task == name], name, pair), *pair) for name in names]
        for names in (tasks, less)
    ]
    rng = np.random.default_rng(seed)
    draws, terms = np.zeros(N_FLIPS), []
    for sign, side in zip((1, -1), groups, strict=True):
        if side:
            draws += sign * bootstrap_groups(side, n_resamples=N_FLIPS, seed=rng)
        terms += [sign * advantages / len(advantages) / len(side) for advantages in side]
    parts = np.concatenate(terms)
    _, [p] = flip_signs(parts[:, None], N_FLIPS, rng)
    low, high = interval(draws)
    return {"value": parts.sum(), "low": low, "high": high, "p": p, "n": len(parts)}


def _measured_alike(frame: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """The "test" rows of a contest in which these methods were held."""
    check_table(frame, [*TASK, "draw", "split", "example", "delta_logodds"])
    test = frame[frame.split == "test"]
    for name in methods:
        if name not in set(test.method):
            raise DataError(f"No 'test' rows of {name!r}: run contest with that method.")
    return test


def _effects(part: pd.DataFrame, task: str, methods: Sequence[str]) -> pd.DataFrame:
    """A task's Δlog-odds [prompt, (method, draw)], all of them known for these methods."""
    effects = part.pivot_table("delta_logodds", "example", ["method", "draw"])
    for name in methods:
        if name not in effects or effects[name].isna().to_numpy().any():
            raise DataError(f"{task}: {name!r} was not measured on all of its prompts. Run again.")
    return effects


def _advantages(effects: pd.DataFrame, method: str, rival: str) -> np.ndarray:
    """How much more each prompt rises under the method than under the mean draw of the rival."""
    return (effects[method].mean(axis=1) - effects[rival].mean(axis=1)).to_numpy()


def _duel(effects: pd.DataFrame, rival: str, seed: int) -> dict[str, float]:
    """One row of `compare`, from Δlog-odds [prompt, (method, draw)]."""
    own, others = effects[AMPLIFIED].mean(axis=1), effects[rival]
    differences = _advantages(effects, AMPLIFIED, rival)
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

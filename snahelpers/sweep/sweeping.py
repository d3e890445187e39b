"""What a sweep runs and what comes out; how it is run fast is the business of `engines`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError, check_range, did_you_mean
from snahelpers.sweep.grid import PAPER_GRID, Grid
from snahelpers.sweep.readings import Readings
from snahelpers.sweep.results import Results, digest, fingerprint
from snahelpers.sweep.runner import Job, Runner
from snahelpers.tasks import SPLITS, Task, load_tasks

TASK, CONFIGURATION = ["model", "method", "task"], ["layer", "n_neurons", "multiplier"]
KEYS = ["model", "task", "domain", "difficulty", "split", "method", *CONFIGURATION]
OUTCOMES = [
    *("p_base", "p_post", "pct_improvement", "delta_logodds"),
    *("rank_base", "rank_post", "entropy_base", "entropy_post"),
]


def sweep(
    model: TransformerBridge,
    tasks: Mapping[str, Task] | Iterable[Task | str] | Task | str,
    grid: Grid = PAPER_GRID,
    *,
    split: str | Sequence[str] = SPLITS,
    neutral: Sequence[str] | None = None,
    method: str = "differential",
    seed: int = 0,
    positions: Literal["all", "last"] = "all",
    per_example: bool = False,
    engine: Literal["auto", "resume", "batched", "hooks"] = "auto",
    memory_gb: float = 1.0,
    out: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure every configuration of the grid on every task (the paper's section 3.3).

    Neurons are chosen on each task's "select" examples, whatever is measured. All input is checked
    before anything runs.

    Args:
        model: From `load_model`, not amplified.
        tasks: From `load_tasks`, or some of them, or names of the twelve.
        grid: The paper's by default: 84 configurations a layer.
        split: Which examples are measured: "select", "test" or both.
        neutral: Ordinary text for choosing neurons; by default `load_neutral()`.
        method: How neurons are chosen, one of `choose_neurons`. For other rivals: `rival_sweep`.
        seed: Of methods that draw by chance.
        positions: Where to score and amplify: "all" (but the beginning of sequence) or "last".
        per_example: One row an example instead of one a task, with a column `example`, its place
            in the task.
        engine: "resume" (fast), "batched" or "hooks" (plain, slow); "auto" takes "resume" if it
            agrees with "hooks" on this model and these prompts, else "batched".
        memory_gb: About how much memory to use beside the model.
        out: A parquet file. Finished (task, layer) parts are kept beside it, and the same call
            goes on from there if it was stopped.
        progress: Show a bar, and one line on the engine.

    Returns:
        One row a task, split and configuration: model, task, domain, difficulty, split, method,
        layer, n_neurons, multiplier; p_base and p_post (mean P of the target without and with
        amplification), pct_improvement (of these two means, in per cent), delta_logodds (natural
        logarithm, mean over examples), and mean rank_base, rank_post, entropy_base, entropy_post
        (nats).

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task cannot be measured, or `out` belongs to another sweep.
        ModelError: engine="resume" is not exact for this model.
    """
    return run(
        Runner, Readings(model, neutral, positions), tasks, grid, split=split, method=method,
        seed=seed, per_example=per_example, engine=engine, memory_gb=memory_gb, out=out,
        progress=progress,
    )  # fmt: skip


def run(
    kind: type[Runner], readings: Readings, tasks, grid: Grid,
    *, split, method, seed, per_example, engine, memory_gb, out, progress,
) -> pd.DataFrame:  # fmt: skip
    """A sweep by any kind of runner: that of `sweep`, or a rival's. The rest is as for `sweep`."""
    model, splits = readings.model, _as_splits(split)
    layers = _layers(model, grid)
    jobs = [Job(model, task, splits) for task in as_tasks(tasks)]
    runner = kind(
        readings, jobs, grid.configurations(),
        method=method, seed=seed, engine=engine, memory_gb=memory_gb, layers=layers,
    )  # fmt: skip
    settings = dict(
        layers=layers, counts=grid.counts, multipliers=grid.multipliers, split=splits,
        per_example=per_example, tasks={job.task.name: digest(job.task) for job in jobs},
        neutral=digest(list(readings.neutral)), method=method, seed=seed,
        positions=readings.positions, engine=engine,
    )  # fmt: skip
    results = Results(out, fingerprint(model) | settings)
    if (frame := results.finished()) is not None:
        return frame
    units = [(job, layer) for job in jobs for layer in layers]
    frame = pd.concat(_parts(runner, results, units, per_example, progress), ignore_index=True)
    results.finish(frame)
    return frame


def task_level(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a configuration from one row an example: means, and % of the mean P (section 3.4).

    Raises:
        DataError: the frame has no column `example`, so it is no per-example frame.
    """
    if "example" not in frame:
        raise DataError("This frame has no column 'example'. Sweep with per_example=True.")
    groups = frame.groupby(KEYS, sort=False, as_index=False, dropna=False, observed=True)
    means = groups[OUTCOMES].mean()
    means["pct_improvement"] = 100 * (means.p_post - means.p_base) / means.p_base
    return means


def _parts(
    runner: Runner, results: Results, units: list[tuple[Job, int]], per_example: bool,
    progress: bool,
) -> Iterator[pd.DataFrame]:  # fmt: skip
    """The frame of each (task, layer): from an earlier run, or measured and kept."""
    each = len(runner.configurations)
    total = each * len(units)
    with tqdm(total=total, unit="config", unit_scale=True, disable=not progress) as bar:
        for done, (job, layer) in enumerate(units, start=1):
            name = f"task{runner.jobs.index(job):03d}-layer{layer:03d}"
            part = results.read(name)
            if part is None:
                part = runner.measure(job, layer, bar)
                part = part if per_example else task_level(part)
                results.write(name, part)
            bar.update(each * done - bar.n)
            yield part


def _layers(model: TransformerBridge, grid: Grid) -> list[int]:
    """The layers to sweep, if the model has them, and as many neurons as the grid counts."""
    for layer in grid.layers or ():
        check_range("The grid's layer", layer, 0, model.cfg.n_layers - 1)
    check_range("The grid's largest count", max(grid.counts), 1, model.cfg.d_mlp)
    return list(range(model.cfg.n_layers) if grid.layers is None else grid.layers)


def _as_splits(split: str | Sequence[str]) -> tuple[str, ...]:
    splits = (split,) if isinstance(split, str) else tuple(split or ())
    if not splits or not set(splits) <= set(SPLITS):
        raise DataError(f"split is 'select', 'test' or both of them, not {split!r}.")
    return splits


def as_tasks(tasks: Mapping[str, Task] | Iterable[Task | str] | Task | str) -> list[Task]:
    """The tasks themselves, whichever way they were named.

    Raises:
        DataError: there is no such task, none is named, or one is named twice.
    """
    if isinstance(tasks, Mapping):
        tasks = tasks.values()
    elif isinstance(tasks, (Task, str)):
        tasks = [tasks]
    chosen, twelve = [], load_tasks()
    for task in tasks:
        if not isinstance(task, Task) and task not in twelve:
            raise DataError(
                f"There is no task {task!r}.{did_you_mean(str(task), twelve)} Name one of "
                f"{', '.join(twelve)}, or give what load_tasks returns."
            )
        chosen.append(twelve[task] if isinstance(task, str) else task)
    names = [task.name for task in chosen]
    if not names or len(set(names)) < len(names):
        raise DataError(f"The tasks are {names}: expected one or more, each once.")
    return chosen

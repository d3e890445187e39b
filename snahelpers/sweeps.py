"""The paper's parameter sweep (section 3.3): every layer, neuron count and multiplier, on tasks.

And `suggest`, which chooses from the same grid without sweeping it.
"""

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import Amplification, amplify, check_multiplier
from snahelpers.engines import Configuration, Factors, Logits, choose_engine
from snahelpers.errors import (
    DataError,
    ModelError,
    Seed,
    SNAError,
    check_choice,
    check_number,
    check_range,
    checked,
    listed,
)
from snahelpers.files import MADE_WITH, Results, made_with
from snahelpers.frames import SPLITS, task_level
from snahelpers.methods import METHODS, Prepared, Readings
from snahelpers.neurons import attributions, matched_neurons, mean_activations, output_norms
from snahelpers.scoring import measure, score
from snahelpers.tasks import Batch, Task, answer_batches, as_tasks, text_batches


def digest(value: object) -> str:
    """A short name for the content of a list of texts or examples."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


Tasks = Mapping[str, Task] | Iterable | Task | str  # the tasks themselves, or names
MEASURED = ("p", "logodds", "rank", "entropy")
ONE_AT_A_TIME = threading.Lock()  # in a process: hooks are on the model that all would share


@dataclass(frozen=True)
class Grid:
    """Which configurations a sweep runs: all of layers × counts × multipliers.

    Attributes:
        layers: Which layers, or None for every layer of the model.
        counts: How many of the chosen neurons.
        multipliers: What their activations are multiplied by. By default the paper's twelve.

    Raises:
        SNAError: a part is empty or names a value twice, a count is not at least 1, or a
            multiplier is negative or not finite.
    """

    layers: Sequence[int] | None = None
    counts: Sequence[int] = (3, 5, 8, 10, 15, 20, 25)
    multipliers: Sequence[float] = tuple(np.linspace(1.1, 2.4, 12).tolist())

    def __post_init__(self) -> None:
        """Check what needs no model, and keep plain tuples."""
        for name in ("layers", "counts", "multipliers"):
            values = getattr(self, name)
            if values is None and name == "layers":
                continue
            values = tuple(listed(values))
            if not values or any(v in values[:i] for i, v in enumerate(values)):
                raise SNAError(f"The grid's {name} are {values}: expected one or more, each once.")
            object.__setattr__(self, name, values)
        for count in self.counts:
            check_range("The grid's count", count, 1, 10**9)
        for multiplier in self.multipliers:
            check_multiplier(multiplier)

    def configurations(self) -> list[tuple[int, float]]:
        """Every (count, multiplier) of one layer, in the order of the frame."""
        return list(product(self.counts, self.multipliers))


PAPER_GRID = Grid()


@checked
def sweep(
    model: TransformerBridge,
    tasks: Tasks,
    grid: Grid = PAPER_GRID,
    *,
    split: str | Collection[str] = SPLITS,
    neutral: Collection[str] | None = None,
    method: str = "differential",
    seed: Seed = 0,
    positions: Literal["all", "last"] = "all",
    per_example: bool = False,
    engine: Literal["auto", "resume", "batched", "hooks"] = "auto",
    memory_gb: float = 1.0,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure every configuration of the grid on every task (the paper's section 3.3).

    Neurons are chosen on each task's "select" examples, whatever is measured. All input is checked
    before anything runs.

    Methods that choose neurons: "differential" is the paper's, the highest difference to neutral
    text; "absolute" takes the largest |difference|, "negative" the lowest, "random" any, "matched"
    other ones that are as loud, "attribution" the highest gradient × activation. Rivals stand in
    for the paper's amplification of each configuration, fitted on "select": "temperature" (as
    confident, ranks stay), "steering" (a vector as long, in the direction of the task),
    "learned_scaling" (a factor for each neuron, learned within the multiplier's reach) and
    "norm_matched" (other neurons that add as long vectors). What each does exactly stands with its
    function in `methods`.

    Args:
        model: From `load_model`, not amplified.
        tasks: From `load_tasks`, or some of them, or names of the twelve.
        grid: The paper's by default: 84 configurations a layer.
        split: Which examples are measured: "select", "test" or both.
        neutral: Ordinary text for choosing neurons; by default `load_neutral()`.
        method: What is done to the model, one of `METHODS`.
        seed: Of methods that draw by chance.
        positions: Where to score and amplify: "all" (but the beginning of sequence) or "last".
        per_example: One row an example instead of one a task, with a column `example`, its place
            in the task.
        engine: "resume" (fast), "batched" or "hooks" (plain, slow); "auto" takes "resume" if it
            agrees with "hooks" on this model and these prompts, else "batched".
        memory_gb: About how much memory to use beside the model.
        out: A parquet file. Finished (task, layer) parts are kept beside it, and the same call
            goes on from there if it was stopped, with any executor or none. `read_results` and
            plain pandas read it.
        executor: Who measures the parts: any `concurrent.futures.Executor`, of processes, a
            cluster or GPUs. Each worker loads the model once, by name. The rows are the same, up to
            rounding. See docs/executors.md.
        progress: Show a bar, and one line on the engine.

    Returns:
        One row a task, split and configuration: model, task, domain, difficulty, split, method,
        layer, n_neurons, multiplier; p_base and p_post (mean P of the target without and with
        amplification), pct_improvement (of these two means, in per cent), delta_logodds (natural
        logarithm, mean over examples), and mean rank_base, rank_post, entropy_base, entropy_post
        (nats).

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task cannot be measured, there is no direction to steer in (the prompts are
            the neutral text), or `out` belongs to another sweep, is being measured by another
            process, or cannot be written.
        ModelError: engine="resume" is not exact for this model, or workers cannot load it.
    """
    sweeper = Sweeper(
        Readings(model, neutral, positions),
        tasks,
        grid,
        split=split,
        per_example=per_example,
        engine=engine,
        memory_gb=memory_gb,
    )
    return sweeper.run(method, seed=seed, out=out, executor=executor, progress=progress)


class Job:
    """One task of a sweep, with the examples that are measured and their tokens.

    Args:
        model: Gives the tokens.
        task: Neurons are chosen on its "select" examples.
        splits: Which examples are measured.

    Raises:
        DataError: a split has no examples, or an example cannot be measured.
    """

    def __init__(self, model: TransformerBridge, task: Task, splits: Sequence[str]) -> None:
        self.task = task
        for name in ("select", *splits):
            if not len(task.split(name)):
                raise DataError(
                    f"{task.name} has no examples in the split {name!r}. Neurons are chosen on "
                    "'select'; give it some examples there, and on each split that is measured."
                )
        self.places = [i for i, example in enumerate(task.examples) if example.split in splits]
        measured = [task.examples[i] for i in self.places]
        list(text_batches(model, task.prompts))  # raises if a prompt cannot run
        self.batches: list[Batch] = list(answer_batches(model, measured))
        self.splits = [example.split for example in measured]


class Sweeper:
    """What sweeps of one model, tasks and grid have in common, read once however many they are.

    Args: as for `sweep`; `readings` are of the model.

    Raises:
        SNAError: an argument is out of range or unknown.
        DataError: a task or a neutral text cannot be used.
    """

    def __init__(
        self,
        readings: Readings,
        tasks: Tasks,
        grid: Grid = PAPER_GRID,
        *,
        split: str | Collection[str] = SPLITS,
        per_example: bool = False,
        engine: Literal["auto", "resume", "batched", "hooks"] = "auto",
        memory_gb: float = 1.0,
    ) -> None:
        check_number("memory_gb", memory_gb, 1e-9, 1e9)
        self.readings, self.model = readings, readings.model
        self.grid, self.per_example = grid, per_example
        self.layers, self.configurations = layers_of(self.model, grid), grid.configurations()
        self.engine, self.budget = engine, memory_gb * 2**30
        self.splits = tuple(listed(split) or [""])
        self.options = dict(  # for workers
            split=self.splits, per_example=per_example, engine=engine, memory_gb=memory_gb
        )
        self.jobs = [Job(self.model, task, self.splits) for task in as_tasks(tasks)]

    def run(
        self,
        method: str = "differential",
        *,
        seed: int = 0,
        at: Mapping[str, tuple[int, int]] | None = None,
        out: str | Path | None = None,
        executor: Executor | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """One sweep: see `sweep`.

        `at` names one configuration for each task, and only that is measured: its layer, and its
        place among the grid's `configurations`.
        """
        check_choice("method", method, tuple(METHODS))
        options = dict(seed=seed, at=at, executor=executor, progress=progress)
        if out is None:
            return pd.concat(self.parts(method, **options), ignore_index=True)
        results = Results(out, self._identity(method, seed) | ({"at": at} if at else {}))
        return results.finish(partial(self.parts, method, results=results, **options))

    def parts(
        self,
        method: str = "differential",
        *,
        seed: int = 0,
        at: Mapping[str, tuple[int, int]] | None = None,
        results: Results | None = None,
        executor: Executor | None = None,
        progress: bool = True,
    ) -> Iterator[pd.DataFrame]:
        """One sweep, a task's layer at a time: read from `results`, or measured and kept there."""
        plan = {  # a part by its name
            f"task{number:03d}-layer{layer:03d}": (job, layer, within)
            for number, job in enumerate(self.jobs)
            for layer, within in self._steps(job, at)
        }
        done = dict(results.parts) if results else {}
        n = len(self.configurations) if at is None else 1
        with (
            closing(self._elsewhere(executor, plan, done, method, seed, at)) as elsewhere,
            tqdm(total=n * len(plan), unit="config", unit_scale=True, disable=not progress) as bar,
        ):
            bar.update(n * len(done))
            prepare = lru_cache(1)(partial(self._prepare, method=method, seed=seed, bar=bar))
            for name, (job, layer, within) in plan.items():
                part = done.get(name)
                if part is None:
                    if executor:
                        part = next(elsewhere)
                        bar.update(n)
                    else:
                        prepared = prepare(job)
                        frame = measure_layer(job, prepared, method, layer, bar, within)
                        part = frame if self.per_example else task_level(frame)
                        part.attrs[MADE_WITH] = made_with(self.model.cfg.device, prepared.engine)
                    if results:
                        results.write(part, name)
                yield part

    def _steps(self, job: Job, at: Mapping | None) -> list[tuple[int, slice]]:
        """The layers to measure for a task, and which of the configurations there."""
        if at is None:
            return [(layer, slice(0, len(self.configurations))) for layer in self.layers]
        layer, place = at[job.task.name]
        return [(layer, slice(place, place + 1))]

    def _identity(self, method: str, seed: int) -> dict:
        """All that determines what a sweep gives."""
        return self.readings.fingerprint | dict(
            tokenizer=digest(sorted(self.model.tokenizer.get_vocab().items())),
            layers=self.layers,
            counts=self.grid.counts,
            multipliers=self.grid.multipliers,
            split=self.splits,
            per_example=self.per_example,
            tasks={job.task.name: digest(job.task) for job in self.jobs},
            neutral=digest(self.readings.neutral),
            method=method,
            seed=int(seed),
            positions=self.readings.positions,
            engine=self.engine,
        )

    def _elsewhere(
        self,
        executor: Executor,
        plan: Mapping[str, tuple[Job, int, slice]],
        done: Collection[str],
        method: str,
        seed: int,
        at: Mapping | None,
    ) -> Iterator[pd.DataFrame]:
        """The parts that are not done, in order, one piece of work each for an executor."""
        order, asked = self._order(executor), dict(method=method, seed=seed, at=at)
        pieces = [
            (job.task, replace(self.grid, layers=[layer]))
            for name, (job, layer, _) in plan.items()
            if name not in done
        ]
        try:
            yield from executor.map(partial(run_here, order, self.options, asked), pieces)
        except Exception as error:  # pools and clusters each have their own
            raise SNAError(
                f"A worker stopped ({type(error).__name__}: {error}). Finished parts are kept with "
                "out, and the same call goes on from there."
            ) from error

    def _order(self, executor: Executor) -> tuple:
        """What workers must know to have the same readings, if they can.

        Raises:
            SNAError: workers are copies of this process, in which torch has run: these can hang.
            ModelError: they cannot load the model as it is here.
        """
        context, readings = getattr(executor, "_mp_context", None), self.readings
        if context and context.get_start_method() == "fork":
            raise SNAError(
                "Processes that are forked from one that has run torch can hang. Have new ones "
                "started: ProcessPoolExecutor(…, mp_context=multiprocessing.get_context('spawn'))."
            )
        load, options, weights = getattr(self.model, "loaded_by", (None, {}, None))
        if weights != readings.fingerprint["weights"] or readings.hooked:
            raise ModelError(
                f"Workers cannot load {self.model.cfg.model_name} as it is here: it was changed "
                "after it was loaded. Save it with save_pretrained and load that folder, or leave "
                "out executor."
            )
        return load, tuple(options.items()), weights, readings.neutral, readings.positions

    def _prepare(self, job: Job, method: str, seed: int, bar: tqdm) -> Prepared:
        """Choose a task's neurons and an engine that is exact."""
        readings, k = self.readings, max(self.grid.counts)
        neurons = METHODS[method].choose(readings, job.task, k, seed)
        prepared = Prepared(
            readings, job.task, self.configurations, neurons, self.engine, self.budget
        )
        prepared.engine, line = self._choose_engine(neurons, prepared.factors)
        if line and job is self.jobs[0] and not bar.disable:
            bar.write(line)
        return prepared

    def _choose_engine(
        self, neurons: Int[torch.Tensor, "layer k"], factors: Factors
    ) -> tuple[str, str | None]:
        """An engine that is exact here; what these weights have shown once is not proven again."""
        known, positions = self.readings.kept, self.readings.positions
        kept = known.setdefault((self.engine, positions, float(factors.max())), {})
        batches = [batch for job in self.jobs for batch in job.batches]
        asked = frozenset(self.layers), frozenset(batch.tokens.shape[1] for batch in batches)
        wider = next((shown for shown in kept if all(map(frozenset.issubset, asked, shown))), asked)
        if wider not in kept:
            kept[asked] = choose_engine(
                self.model, batches, neurons, positions, self.layers, factors, self.engine
            )
        return kept[wider]


def run_here(order: tuple, options: dict, asked: dict, piece: tuple[Task, Grid]) -> pd.DataFrame:
    """What a worker does: one small sweep, of a model that it loads once."""
    with ONE_AT_A_TIME:
        return Sweeper(_readings(*order), *piece, **options).run(**asked, progress=False)


@lru_cache(maxsize=1)
def _readings(
    load: Callable, options: tuple, weights: str, neutral: tuple[str, ...], positions: str
) -> Readings:
    """Of the model that is swept, loaded by name, if its weights are the same here."""
    readings = Readings(load(**dict(options)), neutral, positions)
    if (found := readings.fingerprint["weights"]) != weights:
        raise ModelError(
            f"A worker has another model under the name of {readings.fingerprint['model']}: its "
            f"weights are {found} there and {weights} here."
        )
    return readings


@torch.no_grad()
def measure_layer(
    job: Job, prepared: Prepared, method: str, layer: int, bar: tqdm, within: slice
) -> pd.DataFrame:
    """The configurations `within` at `layer`: one row a configuration and example."""
    answer = METHODS[method].fit(prepared, layer)
    configurations = prepared.configurations[within]
    shape, first = (len(MEASURED), len(configurations), len(job.places)), within.start
    before, after = np.empty(shape), np.empty(shape)
    for clean in map(prepared.clean_pass, job.batches):
        places = clean.places.numpy()
        before[..., places] = _measured(clean.logits, clean.answers)[:, None]
        for rows in prepared.chunks(clean, within=within):
            logits, here = answer(clean, rows), slice(rows.start - first, rows.stop - first)
            after[:, here, places] = _measured(logits, clean.answers)
            bar.update(len(logits) * len(places) / len(job.places))
    if (broken := np.isnan(after[0]).any(axis=1)).any():
        count, multiplier = configurations[int(broken.argmax())]
        raise SNAError(
            f"{job.task.name}: with {count} neurons of layer {layer} × {multiplier:g} the model's "
            f"answers are no numbers; its activations overflow {prepared.model.cfg.dtype}. Leave "
            "that multiplier out, or load the model with dtype=torch.float32."
        )
    return _frame(
        job,
        dict(model=prepared.model.cfg.model_name, method=method, layer=layer),
        configurations,
        before,
        after,
    )


def _measured(logits: Logits, answers: Int[torch.Tensor, "batch read"]) -> np.ndarray:
    """`MEASURED` [outcome, ..., batch]."""
    scored = score(logits, answers)
    return np.stack([scored[name].cpu().numpy() for name in MEASURED])


def _frame(
    job: Job,
    labels: dict,
    configurations: Sequence[Configuration],
    before: np.ndarray,
    after: np.ndarray,
) -> pd.DataFrame:
    """The arrays [outcome, config, example] as a tidy frame, by split."""
    n, batch = after.shape[1:]
    counts, multipliers = np.array(configurations).T
    p_base, logodds_base, rank_base, entropy_base = before.reshape(len(before), -1)
    p_post, logodds_post, rank_post, entropy_post = after.reshape(len(after), -1)
    frame = {
        "model": labels["model"],
        "task": job.task.name,
        "domain": job.task.domain,
        "difficulty": job.task.difficulty,
        "split": np.tile(job.splits, n),
        "method": labels["method"],
        "example": np.tile(job.places, n),
        "layer": labels["layer"],
        "n_neurons": counts.astype(int).repeat(batch),
        "multiplier": multipliers.repeat(batch),
        "p_base": p_base,
        "p_post": p_post,
        "pct_improvement": 100 * (p_post / p_base - 1),
        "delta_logodds": logodds_post - logodds_base,
        "rank_base": rank_base,
        "rank_post": rank_post,
        "entropy_base": entropy_base,
        "entropy_post": entropy_post,
    }
    return pd.DataFrame(frame).sort_values("split", kind="stable", ignore_index=True)


def layers_of(model: TransformerBridge, grid: Grid) -> list[int]:
    """The layers to sweep, if the model has them, and as many neurons as the grid counts."""
    for layer in grid.layers or ():
        check_range("The grid's layer", layer, 0, model.cfg.n_layers - 1)
    check_range("The grid's largest count", max(grid.counts), 1, model.cfg.d_mlp)
    return list(range(model.cfg.n_layers) if grid.layers is None else grid.layers)


def suggest(
    model: TransformerBridge, task: Task, grid: Grid = PAPER_GRID, *, tries: int = 5
) -> pd.DataFrame:
    """Which layer, which neurons, which multiplier: chosen in two steps instead of a sweep.

    The first pass is gradient × activation (attribution patching), which knows how fast the
    answers' log-odds rise with every neuron's multiplier. By that alone the largest multiplier is
    always best. So the second pass measures it, at the layers that look best, and a parabola
    through slope and measured gain says which multiplier to take.

    The paper's choice of neurons (section 3.1) needs neither answers nor gradients, this one needs
    those of "select"; those of "test" are not looked at.

    Args:
        model: From `load_model`, not amplified.
        task: With "select" examples.
        grid: What to choose from: its layers, its largest count, its multipliers.
        tries: At how many layers to measure. The cost is 5 + tries passes over the prompts, a
            gradient counted as three.

    Returns:
        One row a layer that was tried, best first: layer, n_neurons, multiplier, expected (the gain
        by the parabola, in nats of mean Δlog-odds on "select"; at the largest multiplier it is the
        measured one), first_order (by the slope alone), control (by the slope alone too: the mean
        of 20 draws of matched random neurons), neurons (for `Amplification`).

    Raises:
        DataError: there are no "select" examples, or some cannot be asked of this model.
        SNAError: tries or the grid is out of range.
    """
    layers, k = layers_of(model, grid), max(grid.counts)
    check_range("tries", tries, 1, len(layers))
    steps = np.array(grid.multipliers) - 1
    far = float(steps[np.abs(steps).argmax()])
    check_number("How far the grid's multipliers go from 1", abs(far), 1e-6, np.inf)
    select, rows = task.split("select"), []
    before, slopes = measure(model, select).logodds, attributions(model, select)
    loudness = mean_activations(model, select.prompts).abs() * output_norms(model)
    tops = {layer: slopes[layer].topk(k) for layer in layers}
    for layer in sorted(layers, key=lambda each: -tops[each].values.sum())[:tries]:
        slope, neurons = float(tops[layer].values.sum()), tops[layer].indices
        with amplify(model, Amplification(layer, neurons, 1 + far)):
            gained = (measure(model, select).logodds - before).mean()
        expected = steps * (slope + (gained / far - slope) / far * steps)
        best = expected.argmax()
        drawn = torch.stack([matched_neurons(neurons, loudness[layer], seed) for seed in range(20)])
        rows.append(
            {
                "layer": layer,
                "n_neurons": k,
                "multiplier": grid.multipliers[best],
                "expected": expected[best],
                "first_order": steps[best] * slope,
                "control": steps[best] * float(slopes[layer, drawn].sum(dim=1).mean()),
                "neurons": neurons.tolist(),
            }
        )
    return pd.DataFrame(rows).sort_values("expected", ascending=False, ignore_index=True)

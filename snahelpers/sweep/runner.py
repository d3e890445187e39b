"""Runs a sweep part by part: which neurons, which engine, how many configurations at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.attribution import attributions
from snahelpers.choose import METHODS, choose_neurons
from snahelpers.errors import DataError, ModelError, SNAError, check_choice
from snahelpers.measure import describe
from snahelpers.sweep.engines import (
    ENGINES,
    CleanPass,
    Configuration,
    Logits,
    bytes_per_prompt,
)
from snahelpers.sweep.exactness import inexact_at
from snahelpers.sweep.readings import Readings
from snahelpers.tasks import Task, prompt_groups, target_ids

Answer = Callable[[CleanPass, Sequence[Configuration]], Logits]
MEASURED = ("p", "logodds", "rank", "entropy")
CPU_TOKENS = 1024  # at once: what fits a processor's cache; more takes longer a token


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
        places = [i for i, example in enumerate(task.examples) if example.split in splits]
        measured = replace(task, examples=tuple(task.examples[i] for i in places))
        list(prompt_groups(model, task.prompts))  # raises if a prompt cannot run
        self.groups = list(prompt_groups(model, measured.prompts))
        self.targets = target_ids(model, measured)
        self.splits, self.places = [e.split for e in measured.examples], places


class Runner:
    """Measures one (task, layer) of a sweep at a time.

    Neurons are chosen, and the engine is, when the first part is measured. The rest is as for
    `sweep`.

    Args:
        readings: Of the model; other sweeps of the same prompts may share them.
        jobs: The tasks.
        configurations: What is run at each layer.
        method: How neurons are chosen.
        seed: Of choices by chance.
        engine: "auto", "resume", "batched" or "hooks".
        memory_gb: About how much memory to use beside the model.
        layers: Those that will be measured, for the check of the engine; by default all.

    Raises:
        SNAError: the method, engine or memory is not a usable value.
    """

    def __init__(
        self, readings: Readings, jobs: Sequence[Job], configurations: Sequence[Configuration],
        *, method: str, seed: int, engine: str, memory_gb: float,
        layers: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        check_choice("method", method, METHODS)
        check_choice("engine", engine, ("auto", *ENGINES))
        if not 0 < memory_gb < math.inf:
            raise SNAError(f"memory_gb is {memory_gb!r}: expected more than 0, such as 1.")
        self.readings, self.model = readings, readings.model
        self.jobs, self.configurations = jobs, configurations
        self.method, self.seed = method, seed
        self.engine, self.budget = engine, memory_gb * 2**30
        self.layers = range(self.model.cfg.n_layers) if layers is None else layers
        self.neurons: dict[Job, Int[Tensor, "layer k"]] = {}
        self.clean: tuple[Job | None, dict[int, CleanPass]] = (None, {})

    @torch.no_grad()
    def measure(self, job: Job, layer: int, bar: tqdm) -> pd.DataFrame:
        """Every configuration at `layer` on every example: one row a configuration and example."""
        if not self.neurons:
            line = self._prepare()
            if line and not bar.disable:
                bar.write(line)
        n, batch = len(self.configurations), len(job.targets)
        answer = self._answer(job, layer)
        base = {name: np.empty(batch) for name in MEASURED}
        post = {name: np.empty((n, batch)) for name in MEASURED}
        for places, clean in self._clean_passes(job):
            targets, places = job.targets[places].to(clean.logits.device), places.numpy()
            numbers = describe(clean.logits, targets)
            for name in MEASURED:
                base[name][places] = numbers[name].cpu().numpy()
            for start, chunk in self._chunks(clean):
                logits = answer(clean, chunk)
                numbers = describe(logits.flatten(0, 1), targets.repeat(len(chunk)))
                for name in MEASURED:
                    values = numbers[name].unflatten(0, logits.shape[:2]).cpu().numpy()
                    post[name][start : start + len(chunk), places] = values
                bar.update(len(chunk) * len(places) / batch)
        return self._frame(job, layer, base, post)

    def _answer(self, job: Job, layer: int) -> Answer:
        """How the configurations of this part are run: here by the engine."""
        return lambda clean, chunk: ENGINES[self.engine](self.model, clean, layer, chunk)

    def _prepare(self) -> str | None:
        """Choose the neurons of every task, and an engine that is exact on this model.

        Returns:
            One line on that engine, if it was not asked for by name.
        """
        read, k = self.readings, max(count for count, _ in self.configurations)
        for job in self.jobs:
            means = read.of(job.task)
            scores, sizes = means - read.of_neutral, means.abs() * read.norms
            if self.method == "attribution":
                select = job.task.split("select")
                scores = attributions(self.model, select, positions=read.positions)
            self.neurons[job] = self._choose(scores, sizes, k)
        return self._check_resume() if self.engine in ("auto", "resume") else None

    def _choose(
        self, scores: Float[Tensor, "layer d_mlp"], sizes: Float[Tensor, "layer d_mlp"], k: int
    ) -> Int[Tensor, "layer k"]:
        return choose_neurons(self.method, scores, sizes, k, self.seed)

    def _check_resume(self) -> str | None:
        """Try the strongest configuration against the hooks, on two prompts of each length."""
        strongest = max(self.configurations, key=lambda c: (c[0], abs(c[1] - 1)))
        first = {group[1].shape[1]: (job, group) for job in self.jobs for group in job.groups}
        tried = (tuple(sorted(first)), tuple(self.layers), strongest)
        if tried not in self.readings.checked:
            passes = (
                (self._clean_pass(job, tokens[:2]), job.targets[places[:2]].to(tokens.device))
                for job, (places, tokens) in first.values()
            )
            found = inexact_at(self.model, passes, self.layers, strongest)
            self.readings.checked[tried] = found
        if place := self.readings.checked[tried]:
            return self._cannot_resume(*place)
        if self.engine == "resume":
            return None
        self.engine = "resume"
        return f"sweep: engine 'resume', checked on {len(first)} lengths of prompt"

    def _cannot_resume(self, layer: int, length: int) -> str:
        name = self.model.cfg.model_name
        if self.engine == "resume":
            raise ModelError(
                f"engine='resume' is not exact for {name} (layer {layer}, prompts of {length} "
                "tokens): its MLP does not simply add to the residual stream. Use 'auto'."
            )
        self.engine = "batched"
        return f"sweep: engine 'batched' ('resume' is not exact for {name}, layer {layer})"

    def _clean_passes(self, job: Job) -> Iterator[tuple[Int[Tensor, " batch"], CleanPass]]:
        """One for each group of prompts; kept for the next layer while they fit the memory."""
        if self.clean[0] is not job:
            self.clean = (job, {})
        kept = self.clean[1]
        for i, (places, tokens) in enumerate(job.groups):
            clean = kept.get(i) or self._clean_pass(job, tokens)
            if sum(other.nbytes for other in {**kept, i: clean}.values()) <= self.budget:
                kept[i] = clean
            yield places, clean

    def _clean_pass(self, job: Job, tokens: Int[Tensor, "batch pos"]) -> CleanPass:
        return CleanPass(self.model, tokens, self.neurons[job], self.readings.positions)

    def _chunks(
        self, *passes: CleanPass, layers: int = 1
    ) -> Iterator[tuple[int, Sequence[Configuration]]]:
        """The configurations in pieces that fit the memory, and where each piece starts.

        Args:
            passes: A piece runs on each of these in turn.
            layers: How many layers' numbers are held at once: more than one for gradients.
        """
        sizes = []
        for clean in passes:
            batch, length = clean.tokens.shape
            each = batch * bytes_per_prompt(self.model, length, self.engine)
            sizes.append(self.budget // (layers * each))
            if clean.tokens.device.type == "cpu":
                sizes.append(CPU_TOKENS // (batch * length))
        size = max(1, int(min(sizes)))
        for start in range(0, len(self.configurations), size):
            yield start, self.configurations[start : start + size]

    def _frame(self, job: Job, layer: int, base: dict, post: dict) -> pd.DataFrame:
        """The measured arrays [example] and [config, example] as a tidy frame, by split."""
        n, batch = post["p"].shape
        counts, multipliers = np.array(self.configurations).T
        columns = {
            "model": self.model.cfg.model_name, "task": job.task.name, "domain": job.task.domain,
            "difficulty": job.task.difficulty, "split": np.tile(job.splits, n),
            "method": self.method, "example": np.tile(job.places, n), "layer": layer,
            "n_neurons": counts.astype(int).repeat(batch), "multiplier": multipliers.repeat(batch),
        }  # fmt: skip
        before = {name: np.tile(values, n) for name, values in base.items()}
        after = {name: values.ravel() for name, values in post.items()}
        frame = pd.DataFrame(columns).assign(
            p_base=before["p"], p_post=after["p"],
            pct_improvement=100 * (after["p"] / before["p"] - 1),
            delta_logodds=after["logodds"] - before["logodds"],
            rank_base=before["rank"], rank_post=after["rank"],
            entropy_base=before["entropy"], entropy_post=after["entropy"],
        )  # fmt: skip
        return frame.sort_values("split", kind="stable", ignore_index=True)

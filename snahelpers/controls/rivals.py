"""What stands in for the amplification of every configuration: the rivals of `rival_sweep`.

Each is fitted on "select" prompts and measured like the amplification itself.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.optimize import brentq
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.choose import choose_neurons
from snahelpers.controls.learning import learn_factors
from snahelpers.errors import DataError
from snahelpers.measure import precise
from snahelpers.sweep.engines import (
    CleanPass,
    Configuration,
    Logits,
    as_factors,
    batched_factors,
    resume_from,
)
from snahelpers.sweep.runner import Answer, Job, Runner

Number = Callable[[CleanPass, Sequence[Configuration]], Float[Tensor, "config batch"]]
COLDEST, HOTTEST = 1e-3, 1e3  # temperatures; confidences beyond these have no better match


class _Rival(Runner):
    """Fits something to the paper's amplification of every configuration, then measures that."""

    def __init__(self, *args, method: str, **settings) -> None:
        super().__init__(*args, method="differential", **settings)
        self.rival = method
        self.selected: tuple[Job | None, list] = (None, [])

    def _fit(self, job: Job, layer: int) -> Float[Tensor, "config ..."]:
        """What stands in for each configuration, from "select" prompts alone."""

    def _apply(self, clean: CleanPass, layer: int, fitted: Float[Tensor, "config ..."]) -> Logits:
        """What the model answers with that."""

    def _answer(self, job: Job, layer: int) -> Answer:
        fitted = dict(zip(self.configurations, self._fit(job, layer), strict=True))
        return lambda clean, chunk: self._apply(
            clean, layer, torch.stack([fitted[configuration] for configuration in chunk])
        )

    def _frame(self, *measured) -> pd.DataFrame:
        return super()._frame(*measured).assign(method=self.rival)

    def _select(self, job: Job) -> list[tuple[Int[Tensor, " batch"], CleanPass]]:
        """The targets and the clean pass of each group of "select" prompts; kept for all layers."""
        if self.selected[0] is not job:
            chosen = Job(self.model, job.task, ("select",))
            passes = [
                (chosen.targets[places].to(tokens.device), self._clean_pass(job, tokens))
                for places, tokens in chosen.groups
            ]
            self.selected = (job, passes)
        return self.selected[1]

    def _mean(self, job: Job, number: Number) -> Float[Tensor, " config"]:
        """The mean of a number over "select" prompts, on the CPU."""
        groups = [
            torch.cat([number(clean, chunk) for _, chunk in self._chunks(clean)])
            for _, clean in self._select(job)
        ]
        return torch.cat(groups, dim=1).mean(dim=1).cpu()

    def _lengths(
        self, clean: CleanPass, layer: int, factors: Float[Tensor, "config k"]
    ) -> Float[Tensor, "config batch"]:
        """How long the vectors are that scaled neurons add: means over edited positions."""
        if self.engine == "resume":
            deltas = added(self.model, clean, layer, factors)
        else:  # something follows the MLP, so look at what comes out of the block
            seen: list[Tensor] = []
            site = self.model.blocks[layer].hook_resid_post.name
            with self.model.hooks([(site, lambda resid, hook: seen.append(resid))]):
                batched_factors(self.model, clean, layer, factors)
            deltas = seen[0].unflatten(0, (len(factors), -1)) - clean.resid_post[layer]
        return (precise(deltas).norm(dim=-1) * clean.edited).sum(-1) / clean.edited.sum(-1)


class Temperature(_Rival):
    """As confident as the amplification, with nothing new to say."""

    def _fit(self, job: Job, layer: int) -> Float[Tensor, " config"]:
        amplified = Runner._answer(self, job, layer)
        wanted = self._mean(job, lambda clean, chunk: confidence(amplified(clean, chunk)))
        logits = torch.cat([clean.logits for _, clean in self._select(job)]).cpu().double()
        return logits.new_tensor([fit_temperature(logits, mean) for mean in wanted.tolist()])

    def _apply(self, clean: CleanPass, layer: int, fitted: Float[Tensor, " config"]) -> Logits:
        logits = precise(clean.logits)
        return logits / fitted.to(logits)[:, None, None]


class Steering(_Rival):
    """As strong a push to the residual stream, in the direction of the task's mean difference."""

    directions: tuple[Job | None, Tensor | None] = (None, None)

    def _fit(self, job: Job, layer: int) -> Float[Tensor, "config d_model"]:
        direction = self._directions(job)[layer]
        if not direction.norm() > 0:
            raise DataError(
                f"The steering vector of {job.task.name} at layer {layer} is {direction.norm()} "
                "long: its prompts and the neutral text are alike. Give other neutral text."
            )
        lengths = self._mean(
            job, lambda clean, chunk: self._lengths(clean, layer, as_factors(clean, chunk))
        ).to(direction)
        signs = torch.tensor([multiplier - 1 for _, multiplier in self.configurations]).sign()
        return (signs * lengths)[:, None] * (direction / direction.norm())

    def _directions(self, job: Job) -> Float[Tensor, "layer d_model"]:
        """Of every layer, from one pass over the prompts; kept for the task's other layers."""
        if self.directions[0] is not job:
            read = self.readings
            self.directions = (job, read.residuals(job.task) - read.neutral_residuals)
        return self.directions[1]

    def _apply(
        self, clean: CleanPass, layer: int, fitted: Float[Tensor, "config d_model"]
    ) -> Logits:
        deltas = fitted.to(clean.logits)[:, None, None] * clean.edited[..., None]
        if self.engine == "resume":
            return resume_from(self.model, clean, layer, deltas)

        def add(resid: Float[Tensor, "row pos d_model"], hook: HookPoint) -> Tensor:
            return resid + deltas.flatten(0, 1)

        tokens = clean.tokens.repeat(len(deltas), 1)
        site = self.model.blocks[layer].hook_resid_post.name
        logits = self.model.run_with_hooks(tokens, fwd_hooks=[(site, add)])
        return logits[:, -1].unflatten(0, (len(deltas), -1))


class LearnedScaling(_Rival):
    """The same neurons and the same limit, with a factor for each that is learned."""

    def _fit(self, job: Job, layer: int) -> Float[Tensor, "config k"]:
        passes = self._select(job)
        groups = [(targets, partial(self._apply, clean, layer)) for targets, clean in passes]
        held = self.model.cfg.n_layers - layer  # gradients need what each of these layers gave
        factors, most = [], max(count for count, _ in self.configurations)
        for _, chunk in self._chunks(*(clean for _, clean in passes), layers=held):
            counts, multipliers = torch.tensor(chunk, dtype=torch.float64).T[..., None]
            # How far from 1 a factor may go: not at all beyond the configuration's count.
            reach = (multipliers - 1).abs() * (torch.arange(most) < counts)
            factors.append(learn_factors(groups, reach.to(precise(passes[0][1].logits))))
        return torch.cat(factors)

    def _apply(self, clean: CleanPass, layer: int, fitted: Float[Tensor, "config k"]) -> Logits:
        if self.engine != "resume":
            return batched_factors(self.model, clean, layer, fitted)
        return resume_from(self.model, clean, layer, added(self.model, clean, layer, fitted))


class NormMatched(LearnedScaling):
    """Other neurons, about as loud, amplified until they add vectors as long."""

    def _choose(self, scores: Tensor, sizes: Tensor, k: int) -> Int[Tensor, "layer 2*k"]:
        """First the chosen neurons, to know how long; then those that stand in for them."""
        choices = ("differential", "matched")
        return torch.cat([choose_neurons(m, scores, sizes, k, self.seed) for m in choices], dim=1)

    def _fit(self, job: Job, layer: int) -> Float[Tensor, "config 2*k"]:
        k = self.neurons[job].shape[1] // 2

        def drawn(clean: CleanPass, chunk: Sequence[Configuration]) -> Tensor:
            return as_factors(clean, chunk).roll(k, dims=1)

        wanted, found = (
            self._mean(job, lambda clean, chunk, f=f: self._lengths(clean, layer, f(clean, chunk)))
            for f in (as_factors, drawn)
        )
        more = (wanted / found).nan_to_num(nan=1.0)[:, None]  # nan: both are 0, for a multiplier 1
        factors = drawn(self._select(job)[0][1], self.configurations)
        return 1 + (factors - 1) * more.to(factors)


def added(
    model: TransformerBridge, clean: CleanPass, layer: int, factors: Float[Tensor, "config k"]
) -> Float[Tensor, "config batch pos d_model"]:
    """What scaling each neuron by its own factor adds to the residual stream."""
    fired, W_out = clean.fired[layer], model.blocks[layer].mlp.W_out[clean.neurons[layer]]
    return ((factors[:, None, None] - 1) * fired).to(fired.dtype) @ W_out


def confidence(logits: Float[Tensor, "... vocab"]) -> Float[Tensor, "..."]:
    """The log-probability of the likeliest token, in nats."""
    return precise(logits).log_softmax(dim=-1).amax(dim=-1)


def fit_temperature(logits: Float[Tensor, "batch vocab"], wanted: float) -> float:
    """The temperature at which the mean confidence is `wanted`, or the nearest that is tried."""

    def gap(log_temperature: float) -> float:
        return float(confidence(logits / math.exp(log_temperature)).mean()) - wanted

    coldest, hottest = math.log(COLDEST), math.log(HOTTEST)
    if gap(coldest) <= 0:
        return COLDEST
    if gap(hottest) >= 0:
        return HOTTEST
    return math.exp(brentq(gap, coldest, hottest, xtol=1e-10))


RIVALS: dict[str, type[_Rival]] = {
    "temperature": Temperature,
    "steering": Steering,
    "learned_scaling": LearnedScaling,
    "norm_matched": NormMatched,
}
SEEDED = ("norm_matched",)

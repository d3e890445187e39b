"""Every way to choose neurons, and every rival of amplifying them: one entry each in `METHODS`.

A *choice* says which neurons are amplified. A *rival* is fitted to the paper's amplification of
every configuration, from "select" prompts alone, and stands in for it, so that it has as many
tries. Both are plain functions.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float, Int
from scipy.optimize import brentq
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.engines import (
    ENGINES,
    CleanPass,
    Configuration,
    Factors,
    Logits,
    batched,
    most_at_once,
    resume_from,
    run_copies,
    written,
)
from snahelpers.errors import DataError
from snahelpers.models import fingerprint
from snahelpers.neurons import (
    attributions,
    draw_of,
    matched_neurons,
    mean_activations,
    mean_residuals,
    output_norms,
    random_neurons,
    top_neurons,
)
from snahelpers.scoring import log_odds, precise
from snahelpers.tasks import Batch, Task, answer_batches, load_neutral, text_batches

Neurons = Int[torch.Tensor, "layer k"]
# What the model answers, after this clean pass, under these of the configurations.
Answer = Callable[[CleanPass, slice], Logits]
COLDEST, HOTTEST = 1e-3, 1e3  # temperatures; confidences beyond these have no better match
STEPS, FIRST_STEP = 10, 0.5  # of learning; in units of how far a factor may go


class Readings:
    """What the methods read from a model, once for all of them: means over texts.

    As long as the model's weights stay as they are, its neutral text is not read a second time.

    Args:
        model: From `load_model`, not amplified.
        neutral: Ordinary text; by default `load_neutral()`.
        positions: "all" or "last": where to score and to amplify.

    Attributes:
        fingerprint: Of the model.
        hooked: Whether hooks were on it.
        kept: What is known of the model with these weights; forgotten where hooks are on.
        passes: The newest passes without amplification.

    Raises:
        SNAError: `positions` is something else.
        DataError: a neutral text cannot be used.
    """

    def __init__(
        self, model: TransformerBridge, neutral: Collection[str] | None, positions: str
    ) -> None:
        neutral = load_neutral() if neutral is None else neutral
        list(text_batches(model, neutral))  # raises if a text cannot run
        self.model, self.positions, self.neutral = model, positions, tuple(neutral)
        self.fingerprint = fingerprint(model)
        self.hooked = any(point.fwd_hooks for point in model.hook_dict.values())
        weights = self.fingerprint["weights"]
        if weights not in getattr(model, "kept", {}):
            model.kept = {weights: {}}  # by the model, so that the next sweep begins at once
        self.kept: dict = {} if self.hooked else model.kept[weights]
        self.passes: dict[str, CleanPass] = {}

    def of(self, read: Callable, texts: tuple[str, ...]) -> torch.Tensor:
        """What `read` (such as `mean_activations`) gives for these texts; read once."""
        key = read.__name__, texts, self.positions
        if key not in self.kept:
            self.kept[key] = read(self.model, texts, positions=self.positions)
        return self.kept[key]

    def clean(self, batch: Batch, budget: float) -> CleanPass:
        """The pass without amplification; the newest are kept while they fit so many bytes."""
        key = str([part.tolist() for part in batch])
        if key not in self.passes:
            while sum(kept.nbytes for kept in self.passes.values()) > budget:
                del self.passes[next(iter(self.passes))]
            self.passes[key] = CleanPass(self.model, batch, self.positions)
        return self.passes[key]

    def difference(self, read: Callable, task: Task) -> Float[torch.Tensor, "layer width"]:
        """On the task's "select" prompts less on neutral text (the paper's section 3.1)."""
        return self.of(read, select_prompts(task)) - self.of(read, self.neutral)


def select_prompts(task: Task) -> tuple[str, ...]:
    """What neurons are chosen by."""
    return tuple(task.split("select").prompts)


class Prepared:
    """One task of a sweep while its layers are measured: its neurons, and how they are run.

    Args:
        readings: Of the model.
        task: Its "select" examples are fitted on.
        configurations: What is run at each layer.
        neurons: The neurons of every layer, first those that a smaller configuration takes.
        engine: One of `ENGINES`.
        budget: About how many bytes to use beside the model.

    Attributes:
        factors: Each configuration as one factor a neuron: 1 for those that it leaves alone.
    """

    def __init__(
        self,
        readings: Readings,
        task: Task,
        configurations: Sequence[Configuration],
        neurons: Neurons,
        engine: str,
        budget: float,
    ) -> None:
        self.readings, self.model, self.task = readings, readings.model, task
        self.configurations, self.neurons = configurations, neurons
        self.engine, self.budget = engine, budget
        weights = next(self.model.parameters())
        counts, multipliers = torch.tensor(configurations, dtype=torch.float64).T.unsqueeze(-1)
        factors = torch.where(torch.arange(neurons.shape[1]) < counts, multipliers, 1)
        # At least float32: a rounded 1.1 is not 1.1.
        self.factors = factors.to(weights.device, torch.promote_types(weights.dtype, torch.float32))

    def clean_pass(self, batch: Batch) -> CleanPass:
        """The pass without amplification of a batch of prompts, for this task's neurons."""
        return self.readings.clean(batch, self.budget).of(self.neurons)

    def scaled(self, clean: CleanPass, layer: int, factors: Factors) -> Logits:
        """What the model answers when each neuron is scaled by its factor."""
        return ENGINES[self.engine](self.model, clean, layer, factors)

    def chunks(
        self, *passes: CleanPass, layers: int = 1, within: slice | None = None
    ) -> Iterator[slice]:
        """The configurations in pieces that fit the memory.

        Args:
            passes: A piece runs on each of these in turn.
            layers: How many layers' numbers are held at once: more than one for gradients.
            within: Only these configurations.
        """
        within = within or slice(0, len(self.configurations))
        budget = self.budget / layers
        size = min(most_at_once(self.model, clean, self.engine, budget) for clean in passes)
        for start in range(within.start, within.stop, size):
            yield slice(start, min(start + size, within.stop))

    @cached_property
    def select(self) -> list[CleanPass]:
        """The clean pass of each batch of "select" prompts."""
        return [
            self.clean_pass(batch)
            for batch in answer_batches(self.model, self.task.split("select").examples)
        ]

    def select_mean(
        self, number: Callable[[CleanPass, slice], Float[torch.Tensor, "config batch"]]
    ) -> Float[torch.Tensor, " config"]:
        """The mean of a number over "select" prompts, on the CPU."""
        groups = [
            torch.cat([number(clean, rows) for rows in self.chunks(clean)]) for clean in self.select
        ]
        return torch.cat(groups, dim=1).mean(dim=1).cpu()

    def lengths(self, layer: int, factors: Factors) -> Float[torch.Tensor, " config"]:
        """How long the vectors are that scaled neurons add: means over edited positions."""

        def length(clean: CleanPass, rows: slice) -> Float[torch.Tensor, "config batch"]:
            norms = precise(self._added(clean, layer, factors[rows])).norm(dim=-1)
            return (norms * clean.edited).sum(-1) / clean.edited.sum(-1)

        return self.select_mean(length)

    def _added(self, clean: CleanPass, layer: int, factors: Factors) -> torch.Tensor:
        if self.engine == "resume":
            return written(self.model, clean, layer, factors)
        seen: list[torch.Tensor] = []  # something follows the MLP, so look at what leaves the block
        site = self.model.blocks[layer].hook_resid_post.name
        with self.model.hooks([(site, lambda resid, hook: seen.append(resid))]):
            batched(self.model, clean, layer, factors)
        return seen[0].unflatten(0, (len(factors), -1)) - clean.resid_post[layer]


# Choices: which neurons of every layer, in the order in which a smaller choice takes them.


def highest(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """The paper's choice (section 3.1): the largest difference to neutral text."""
    return _tops(readings.difference(mean_activations, task), k)


def lowest(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """The most negative difference: a control for any choice by size.

    In a gated MLP, whose neurons have no sign, it is a mirror of `highest` and no control.
    """
    return _tops(-readings.difference(mean_activations, task), k)


def most_different(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """The largest |difference| to neutral text, up or down.

    A gated MLP's neurons have no sign: negating a neuron's `up` row and its output leaves the model
    as it is and turns the difference round. This choice is the same for both; the paper's is not.
    """
    return _tops(readings.difference(mean_activations, task).abs(), k)


def by_chance(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """Any neurons."""
    cfg = readings.model.cfg
    return torch.stack(
        [random_neurons(cfg.d_mlp, k, draw_of(layer, seed)) for layer in range(cfg.n_layers)]
    )


def matched(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """For each of the paper's neurons another one that is as loud, by chance."""
    chosen = highest(readings, task, k, seed)
    sizes = readings.of(mean_activations, select_prompts(task)).abs() * output_norms(readings.model)
    return torch.stack(
        [matched_neurons(chosen[i], sizes[i], draw_of(i, seed)) for i in range(len(chosen))]
    )


def by_attribution(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """The largest gradient × activation, which looks at the answers of "select"."""
    return _tops(
        attributions(readings.model, task.split("select"), positions=readings.positions), k
    )


def highest_and_matched(readings: Readings, task: Task, k: int, seed: int) -> Neurons:
    """First the paper's neurons, to know how much they add; then those that stand in for them."""
    return torch.cat([choose(readings, task, k, seed) for choose in (highest, matched)], dim=1)


def _tops(scores: Float[torch.Tensor, "layer d_mlp"], k: int) -> Neurons:
    return torch.stack([top_neurons(scores, layer, k) for layer in range(len(scores))])


# Rivals: what stands in for the amplification of every configuration at a layer.


def amplified(prepared: Prepared, layer: int) -> Answer:
    """No rival: the amplification itself."""
    return _scaled_by(prepared, layer, prepared.factors)


def temperature(prepared: Prepared, layer: int) -> Answer:
    """As confident as the amplification, with nothing new to say; ranks stay.

    The clean logits are divided by the temperature that brings the mean log-probability of the
    likeliest token to where the amplification brings it.
    """
    answer = amplified(prepared, layer)
    wanted = prepared.select_mean(lambda clean, rows: confidence(answer(clean, rows)).mean(-1))
    logits = torch.cat([clean.logits.flatten(0, 1) for clean in prepared.select]).cpu().double()
    fitted = prepared.factors.new_tensor(
        [fit_temperature(logits, mean) for mean in wanted.tolist()]
    )
    return lambda clean, rows: precise(clean.logits) / fitted[rows, None, None, None]


def steering(prepared: Prepared, layer: int) -> Answer:
    """As strong a push to the residual stream, in the direction of the task's mean difference.

    It is as long as what the amplification adds is on average, and turned round for multipliers
    below 1.
    """
    model, readings = prepared.model, prepared.readings
    direction = readings.difference(mean_residuals, prepared.task)[layer]
    if not direction.norm() > 0:
        raise DataError(
            f"The steering vector of {prepared.task.name} at layer {layer} is {direction.norm()} "
            "long: its prompts and the neutral text are alike. Give other neutral text."
        )
    signs = (prepared.factors[:, 0] - 1).sign().cpu()
    lengths = (signs * prepared.lengths(layer, prepared.factors)).to(direction)
    fitted = lengths[:, None] * (direction / direction.norm())

    def apply(clean: CleanPass, rows: slice) -> Logits:
        vectors = fitted[rows].to(clean.logits)[:, None, None] * clean.edited[..., None]
        if prepared.engine == "resume":
            return resume_from(model, clean, layer, vectors)
        site, added = model.blocks[layer].hook_resid_post.name, vectors.flatten(0, 1)
        return run_copies(model, clean, len(vectors), site, lambda resid, hook: resid + added)

    return apply


def learned_scaling(prepared: Prepared, layer: int) -> Answer:
    """The same neurons, with a factor for each that is learned by gradient on mean log-odds.

    No factor goes further from 1 than the multiplier, up or down, so that the amplification itself
    is within reach. Learning sees the answers of "select": judge it on "test".
    """
    passes, reach = prepared.select, (prepared.factors - 1).abs()
    groups = [(clean.answers, partial(prepared.scaled, clean, layer)) for clean in passes]
    # Gradients need what each layer from here on gave.
    chunks = prepared.chunks(*passes, layers=prepared.model.cfg.n_layers - layer)
    factors = torch.cat([learn_factors(groups, reach[rows]) for rows in chunks])
    return _scaled_by(prepared, layer, factors)


def norm_matched(prepared: Prepared, layer: int) -> Answer:
    """Other neurons, about as loud, amplified until they add vectors as long on average.

    The loudest neurons have no equals, so that matching alone leaves the control too quiet.
    """
    drawn = prepared.factors.roll(prepared.factors.shape[1] // 2, dims=1)
    wanted, found = (prepared.lengths(layer, f) for f in (prepared.factors, drawn))
    more = (wanted / found).nan_to_num(nan=1.0)[:, None]  # nan: both are 0, for a multiplier 1
    return _scaled_by(prepared, layer, 1 + (drawn - 1) * more.to(drawn))


def _scaled_by(prepared: Prepared, layer: int, factors: Factors) -> Answer:
    return lambda clean, rows: prepared.scaled(clean, layer, factors[rows])


def confidence(logits: Float[torch.Tensor, "*rows vocab"]) -> Float[torch.Tensor, "*rows"]:
    """The log-probability of the likeliest token, in nats."""
    return precise(logits).log_softmax(dim=-1).amax(dim=-1)


def fit_temperature(logits: Float[torch.Tensor, "batch vocab"], wanted: float) -> float:
    """The temperature at which the mean confidence is `wanted`, or the nearest that is tried."""

    def reached(log_temperature: float) -> float:
        return float(confidence(logits / math.exp(log_temperature)).mean())

    ends = math.log(COLDEST), math.log(HOTTEST)
    wanted = min(max(wanted, reached(ends[1])), reached(ends[0]))
    return math.exp(brentq(lambda at: reached(at) - wanted, *ends, xtol=1e-10))


def learn_factors(
    groups: Sequence[tuple[Int[torch.Tensor, "batch read"], Callable[[Factors], Logits]]],
    reach: Factors,
) -> Factors:
    """Factors that raise mean log-odds, each configuration's learned by itself from 1.

    Args:
        groups: Of the prompts that are learned from: their answers, and what turns factors into
            logits.
        reach: How far from 1 a factor may go, up or down.

    Returns:
        The best that were met on the way: on these prompts never worse than factors of 1.
    """
    push = torch.zeros_like(reach)  # in units of the reach, so that one step size suits all
    best, top = torch.ones_like(reach), torch.full_like(reach[:, 0], -torch.inf)
    optimizer = torch.optim.Adam([push], lr=FIRST_STEP, maximize=True)
    for step in range(STEPS + 1):
        factors = (1 + reach * push).requires_grad_()
        reached = torch.zeros_like(top)
        for answers, answer in groups:
            with torch.enable_grad():
                gained = log_odds(answer(factors), answers)
                gained.sum().backward()
            reached += gained.detach().sum(dim=1)
        better = reached > top
        best[better], top[better] = factors.detach()[better], reached[better]
        push.grad = factors.grad * reach
        optimizer.param_groups[0]["lr"] = FIRST_STEP * (1 - step / STEPS)  # ever smaller steps
        optimizer.step()
        push.clamp_(-1, 1)
    return best


@dataclass(frozen=True)
class Method:
    """One entry of the registry.

    Attributes:
        choose: Which neurons of every layer.
        fit: What stands in for amplifying them.
        drawn: Whether chance is in it, so that once is not enough.
    """

    choose: Callable[[Readings, Task, int, int], Neurons] = highest
    fit: Callable[[Prepared, int], Answer] = amplified
    drawn: bool = False


METHODS = {
    "differential": Method(),
    "absolute": Method(most_different),
    "negative": Method(lowest),
    "random": Method(by_chance, drawn=True),
    "matched": Method(matched, drawn=True),
    "attribution": Method(by_attribution),
    "temperature": Method(fit=temperature),
    "steering": Method(fit=steering),
    "learned_scaling": Method(fit=learned_scaling),
    "norm_matched": Method(highest_and_matched, norm_matched, drawn=True),
}

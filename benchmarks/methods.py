"""The same sweep of one layer by six methods: what a user might write, and what the course runs.

Every method is built from a `Given` and has `p(layer, configurations)`, the probability of each
prompt's target under each configuration [config, prompt]. All but the first take their prompts in
groups of one length, so that nothing is padded. Only the neurons are given: whatever else a method
needs, the clean pass of ours included, it has to compute.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoModelForCausalLM

import snahelpers as sna
from snahelpers.amplification import is_bos, neuron_site
from snahelpers.checkpoints import locate
from snahelpers.engines import CleanPass, Configuration
from snahelpers.frames import SPLITS
from snahelpers.methods import Prepared, Readings
from snahelpers.models import fuse_gelu
from snahelpers.sweeps import Job, measure_layer

P = Float[Tensor, "config prompt"]


class Given:
    """What every method is given: a model on the CPU, prompts, targets, and neurons of each layer.

    The neurons are those that fire most on the prompts. Which ones are amplified does not change
    the time, but amplifying these changes the answers enough to compare. Amplification acts on
    every token after the beginning-of-sequence one, as in `sna.sweep`.
    """

    def __init__(self, name: str, task: sna.Task, largest_count: int) -> None:
        self.model, self.folder = sna.load_model(name, device="cpu"), locate(name)
        self.take(task)
        means = sna.mean_activations(self.model, task.prompts)
        tops = [sna.top_neurons(means, layer, largest_count) for layer in range(len(means))]
        self.neurons = torch.stack(tops)

    def take(self, task: sna.Task) -> None:
        self.job = Job(self.model, task, SPLITS)
        self.groups = [(places, tokens) for places, tokens, _ in self.job.batches]
        self.targets = torch.empty(len(self.job.places), dtype=torch.long)
        for places, _, answers in self.job.batches:
            self.targets[places] = answers[:, 0]
        [self.first] = {int(is_bos(self.model, tokens[0]).sum()) for _, tokens in self.groups}

    def take_longest(self) -> None:
        """Keep only the largest batch: the prompts of the length that has the most tokens."""
        places, _ = max(self.groups, key=lambda group: group[1].numel())
        task = self.job.task
        self.take(replace(task, examples=tuple(task.examples[i] for i in places)))


class PlainLoop:
    """One configuration and one prompt at a time, as most people write it."""

    def __init__(self, given: Given) -> None:
        self.given = given

    @torch.inference_mode()
    def p(self, layer: int, configurations: Sequence[Configuration]) -> P:
        given = self.given
        rows = torch.empty(len(configurations), len(given.targets))
        for row, (count, multiplier) in zip(rows, configurations, strict=True):
            neurons = given.neurons[layer, :count]

            def scale(activation, hook, neurons=neurons, multiplier=multiplier):
                activation[:, given.first :, neurons] *= multiplier
                return activation

            hooks = [(neuron_site(given.model, layer).name, scale)]
            for places, tokens in given.groups:
                row[places] = self.answers(tokens, given.targets[places], hooks)
        return rows

    def answers(self, tokens: Tensor, targets: Tensor, hooks: list) -> Float[Tensor, " prompt"]:
        model, p = self.given.model, torch.empty(len(tokens))
        for i, (prompt, target) in enumerate(zip(tokens, targets, strict=True)):
            logits = model.run_with_hooks(prompt[None], fwd_hooks=hooks)
            p[i] = logits[0, -1].softmax(dim=-1)[target]
        return p


class CarefulLoop(PlainLoop):
    """One configuration at a time, prompts of one length together, only the last position read."""

    def answers(self, tokens: Tensor, targets: Tensor, hooks: list) -> Float[Tensor, " prompt"]:
        logits = self.given.model.run_with_hooks(
            tokens, fwd_hooks=hooks, use_cache=False, logits_to_keep=1
        )
        return p_of(logits[:, -1], targets)


def output_matrix(model: nn.Module, layer: int) -> nn.Module:
    """The MLP's output matrix in a model of transformers, GPT-2's or Llama's kind."""
    if hasattr(model, "transformer"):
        return model.transformer.h[layer].mlp.c_proj
    return model.model.layers[layer].mlp.down_proj


class RawHook:
    """A pre-hook on the MLP's output matrix of a plain transformers model, whole passes in batches.

    `tokens_at_once` is how large a batch may be; by default all configurations of a layer are one.
    """

    tokens_at_once = 10**9

    def __init__(self, given: Given, fused_gelu: bool = False) -> None:
        self.given = given
        self.model = AutoModelForCausalLM.from_pretrained(given.folder, dtype=torch.float32).eval()
        self.model.requires_grad_(False)
        if fused_gelu:
            fuse_gelu(self.model)

    @torch.inference_mode()
    def p(self, layer: int, configurations: Sequence[Configuration]) -> P:
        given, n = self.given, len(configurations)
        rows = torch.empty(n, len(given.targets))
        factors = torch.ones(n, given.neurons.shape[1])
        for row, (count, multiplier) in zip(factors, configurations, strict=True):
            row[:count] = multiplier
        for places, tokens in given.groups:
            size = max(1, self.tokens_at_once // tokens.numel())
            for start in range(0, n, size):
                part = factors[start : start + size]
                logits = self.logits(
                    layer,
                    tokens.repeat(len(part), 1),
                    part.repeat_interleave(len(tokens), dim=0).unsqueeze(1),
                )
                targets = given.targets[places].repeat(len(part))
                rows[start : start + size, places] = p_of(logits, targets).view(len(part), -1)
        return rows

    def logits(self, layer: int, tokens: Tensor, factors: Float[Tensor, "row 1 k"]) -> Tensor:
        neurons, first = self.given.neurons[layer], self.given.first

        def scale(module: nn.Module, inputs: tuple) -> None:
            amplify_in_place(inputs[0][:, first:], neurons, factors)

        handle = output_matrix(self.model, layer).register_forward_pre_hook(scale)
        try:
            return self.model(tokens, use_cache=False, logits_to_keep=1).logits[:, -1]
        finally:
            handle.remove()


class FusedRawHook(RawHook):
    """The same with GPT-2's GELU in one operation instead of eight, as `sna.load_model` has it."""

    def __init__(self, given: Given) -> None:
        super().__init__(given, fused_gelu=True)


class NNsight(FusedRawHook):
    """One nnsight trace a batch: each row of the batch its own configuration, GELU fused."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        import nnsight  # here: on import it gives every object in this process a method `save`

        self.save, self.traced = nnsight.save, nnsight.NNsight(self.model)

    def logits(self, layer: int, tokens: Tensor, factors: Float[Tensor, "row 1 k"]) -> Tensor:
        neurons, first = self.given.neurons[layer], self.given.first
        projection = output_matrix(self.traced, layer)
        with self.traced.trace(tokens, use_cache=False, logits_to_keep=1):
            amplify_in_place(projection.input[:, first:], neurons, factors)
            logits = self.save(self.traced.output.logits)
        return logits[:, -1]


class Ours:
    """The engine `resume` by `sna.sweep`'s own code, with all that a sweep reports beside P."""

    def __init__(self, given: Given) -> None:
        self.given = given
        # Its text is not used: neurons are given.
        self.readings = Readings(given.model, ["The cat sat."], "all")

    def forget(self) -> None:
        """Drop the clean pass, which is made when it is needed and kept for further layers."""
        self.readings.passes = {}

    def p(self, layer: int, configurations: Sequence[Configuration]) -> P:
        given = self.given
        prepared = Prepared(
            self.readings, given.job.task, configurations, given.neurons, "resume", 2**30
        )
        every, silent = slice(0, len(configurations)), tqdm(disable=True)
        frame = measure_layer(given.job, prepared, "differential", layer, silent, every)
        frame = frame.sort_values(["n_neurons", "multiplier", "example"])  # as `configurations`
        return torch.tensor(frame.p_post.to_numpy()).view(len(configurations), -1)

    def clean_pass(self) -> None:
        """Only that, to be timed."""
        for batch in self.given.job.batches:
            CleanPass(self.given.model, batch, "all")


METHODS = {
    "plain loop, one prompt": PlainLoop,
    "plain loop, prompts batched": CarefulLoop,
    "raw Hugging Face hook": RawHook,
    "raw Hugging Face hook, GELU fused": FusedRawHook,
    "nnsight": NNsight,
    "ours": Ours,
}


def amplify_in_place(
    activation: Float[Tensor, "row pos d_mlp"], neurons: Tensor, factors: Float[Tensor, "row 1 k"]
) -> None:
    activation.index_copy_(-1, neurons, activation.index_select(-1, neurons) * factors)


def p_of(logits: Float[Tensor, "row vocab"], targets: Tensor) -> Float[Tensor, " row"]:
    chosen = logits.gather(-1, targets[:, None]).squeeze(-1)
    return (chosen - logits.logsumexp(dim=-1)).exp()

"""Scale chosen neurons during forward passes, and leave the model as it was.

A *neuron* is one entry of the MLP's hidden layer (the paper's section 2.1: 4,096 a layer in GPT-2
Medium), read and edited at the hook `blocks.L.mlp.hook_post`, of shape [batch, pos, d_mlp].
`amplify` is the paper's intervention (section 3.1), for any number of layers at once. No parameter
changes: hooks multiply activations while the `with` block runs and are removed when it ends.
"""

import numbers
import operator
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import (
    ModelError,
    SilentEditError,
    SNAError,
    check_range,
    checked,
    listed,
)

PROBE_TEXT = "The cat sat on the mat"
N_READ: ContextVar[int] = ContextVar("n_read", default=1)


def neuron_site(model: TransformerBridge, layer: int) -> HookPoint:
    """The hook point at which the neurons of `layer` are read and edited.

    Its own name is `blocks.L.mlp.out.hook_in`; `blocks.L.mlp.hook_post` is a second name for the
    same object, so a hook on each of the two names scales twice (and in TransformerLens'
    compatibility mode one on the second name is called twice).

    Raises:
        SNAError: the model has no such layer.
        ModelError: the layer has no such site.
    """
    check_range("layer", layer, 0, model.cfg.n_layers - 1)
    try:
        return model.blocks[layer].mlp.out.hook_in
    except AttributeError:
        raise ModelError(
            f"{model.cfg.model_name} has no neuron site (mlp.hook_post) at layer {layer}: "
            "TransformerLens shows no dense MLP there. Use a model that has one in every layer, "
            "such as 'minnow' or 'gpt2-medium'."
        ) from None


def output_weights(model: TransformerBridge, layer: int) -> Float[torch.Tensor, "d_mlp d_model"]:
    """The vector that each neuron of `layer` writes when it fires by 1 (W_out)."""
    return model.blocks[layer].mlp.W_out


def check_multiplier(value: float) -> None:
    """Raise SNAError unless `value` is a finite number that is not negative."""
    if not (isinstance(value, numbers.Real) and 0 <= value < torch.inf):  # also for NaN
        raise SNAError(
            f"The multiplier {value!r} is not a finite number of at least 0. Use 1 to change "
            "nothing, more to amplify, less to mute."
        )


def is_bos(
    model: TransformerBridge, tokens: Int[torch.Tensor, "*batch pos"]
) -> Bool[torch.Tensor, "*batch pos"]:
    """Where the model's beginning-of-sequence token stands: at the first position or nowhere.

    That token marks the start and carries no text; its activations are huge and alike for every
    prompt. Inside a text (GPT-2 writes it between documents) it is a token like others.
    """
    bos = getattr(model.tokenizer, "bos_token_id", None)
    first = torch.arange(tokens.shape[-1], device=tokens.device) == 0
    return first & (tokens == (-1 if bos is None else bos))


def chosen_positions(
    model: TransformerBridge,
    tokens: Int[torch.Tensor, "batch pos"],
    positions: str,
    n_read: int = 1,
) -> Bool[torch.Tensor, "batch pos"]:
    """Where "all" or "last" points: every token but the beginning-of-sequence one, or the last.

    Args:
        model: Whose beginning-of-sequence token is left out.
        tokens: What the model is fed.
        positions: "all" or "last".
        n_read: At how many positions, counted from the end, an answer is read: all are "last".
    """
    if positions == "all":
        return ~is_bos(model, tokens)
    from_the_end = torch.arange(tokens.shape[1], 0, -1, device=tokens.device)
    return (from_the_end <= n_read).expand_as(tokens)


@contextmanager
def reading(n_read: int) -> Iterator[None]:
    """Tell amplifications inside at how many last positions of a pass an answer is read."""
    token = N_READ.set(n_read)
    try:
        yield
    finally:
        N_READ.reset(token)


def scale_neurons(
    activation: Float[torch.Tensor, "batch pos d_mlp"],
    hook: HookPoint | None = None,
    *,
    factors: Float[torch.Tensor, "*row d_mlp"],
    where: Bool[torch.Tensor, "batch pos"],
) -> Float[torch.Tensor, "batch pos d_mlp"]:
    """Multiply neurons: with `factors` and `where` filled in, the hook of every amplification.

    Args:
        activation: What the neurons fire.
        hook: TransformerLens passes the hook point; it is not used.
        factors: One factor a neuron, for all rows alike or, as [batch, 1, d_mlp], for each.
        where: The positions to edit.

    Returns:
        A new tensor of the same type (earlier hooks may have cached the old one). Factors of more
        precision than the activations are rounded after the product: a rounded 1.1 is not 1.1.
    """
    return torch.where(where.unsqueeze(-1), activation * factors, activation).to(activation.dtype)


def added_to_residual(
    W_out: Float[torch.Tensor, "neuron d_model"],
    fired: Float[torch.Tensor, "*where neuron"],
    factors: Float[torch.Tensor, "*where neuron"],
) -> Float[torch.Tensor, "*where d_model"]:
    """What scaling neurons adds to the residual stream, if nothing follows the MLP.

    The model adds `fired @ W_out` already, so that only (factor - 1) times it is new.
    """
    return ((factors - 1) * fired).to(W_out.dtype) @ W_out


@torch.no_grad()
def check_neuron_sites(model: TransformerBridge) -> None:
    """Prove, in one forward pass, that editing the neurons of every layer changes the output.

    The batch repeats one short text. Row L gets every second neuron of layer L doubled (all of
    them, and a norm after the MLP takes it back); the last two rows stay as they are and tell how
    much rows differ by rounding alone.

    Raises:
        ModelError: a site is missing, has another shape, runs more or less than once, or is edited
            without any effect, or the residual stream cannot be read after every layer.
    """
    n_layers, d_mlp = model.cfg.n_layers, model.cfg.d_mlp
    tokens = model.to_tokens(PROBE_TEXT).repeat(n_layers + 2, 1)
    shapes: list[list[torch.Size]] = [[] for _ in range(n_layers)]
    read: list[str] = []

    def double_own_row(activation: torch.Tensor, hook: HookPoint, layer: int) -> torch.Tensor:
        shapes[layer].append(activation.shape)
        edited = activation.clone()
        edited[layer, ..., ::2] *= 2
        return edited

    sites = [neuron_site(model, layer).name for layer in range(n_layers)]
    edits = [(site, partial(double_own_row, layer=layer)) for layer, site in enumerate(sites)]
    streams = [
        (block.hook_resid_post.name, lambda resid, hook: read.append(hook.name))
        for block in model.blocks
    ]
    logits = model.run_with_hooks(tokens, fwd_hooks=edits + streams)
    if len(read) != n_layers:
        raise ModelError(
            f"{model.cfg.model_name}: TransformerLens shows the residual stream (hook_resid_post) "
            f"after {len(read)} of {n_layers} layers, and it is needed after each, once. Use "
            "another model."
        )
    change = (logits - logits[-1]).abs().amax(dim=(1, 2))
    for layer, seen in enumerate(shapes):
        if seen != [(*tokens.shape, d_mlp)]:
            raise ModelError(
                f"{model.cfg.model_name}: the neuron site of layer {layer} gave the shapes "
                f"{seen} in one pass, expected one of {(*tokens.shape, d_mlp)}: as many neurons as "
                "in layer 0, run once. Use another model, such as 'minnow' or 'gpt2-medium'."
            )
        if not change[layer] > change[n_layers]:  # also true for NaN
            raise ModelError(
                f"{model.cfg.model_name}: doubling neurons of layer {layer} changes nothing, "
                "so amplifying would silently do nothing. Try another dtype or another model."
            )


@checked
@dataclass(frozen=True)
class Amplification:
    """Multiply some neurons of one layer: 1.0 changes nothing, less mutes, 0.0 removes.

    Attributes:
        layer: Which layer, counted from 0.
        neurons: Their indices in the layer, each once: a tensor, an array or a list of whole
            numbers, kept as a tuple.
        multiplier: What their activations are multiplied by; finite, not negative.
        positions: "all" edits every token except the beginning-of-sequence one; "last" only
            those at which something is read: the last token of each forward pass (in generation:
            the newest), and in `measure` every token after which one of the answer is read.

    Raises:
        SNAError: no neurons, duplicates, indices that are not whole numbers, a multiplier that is
            negative or not finite, or unknown positions.
    """

    layer: int
    neurons: Collection | Int[torch.Tensor, " neuron"]
    multiplier: float
    positions: Literal["all", "last"] = "all"

    def __post_init__(self) -> None:
        """Check what needs no model, and keep the neurons as a tuple."""
        neurons = as_indices(self.neurons)
        if not neurons:
            raise SNAError("An amplification needs at least one neuron; the list is empty.")
        if repeated := [neuron for neuron, count in Counter(neurons).items() if count > 1]:
            raise SNAError(f"Neuron(s) {repeated} are named twice. Name each neuron once.")
        check_multiplier(self.multiplier)
        vars(self).update(neurons=neurons, multiplier=float(self.multiplier))  # it is frozen


@contextmanager
@checked
def amplify(
    model: TransformerBridge, *amplifications: Amplification
) -> Iterator[TransformerBridge]:
    """Amplify neurons in every forward pass inside the `with` block.

        with sna.amplify(model, sna.Amplification(8, neurons, 2.0)):
            table = sna.measure(model, task)

    It works in plain calls, `run_with_cache` (which shows the amplified activations),
    `run_with_hooks` and `generate`. Blocks nest, and amplifications add up: a neuron that two of
    them name is multiplied by both multipliers.

    Args:
        model: From `load_model`.
        amplifications: Any number, at any layers.

    Yields:
        The model.

    Raises:
        SNAError: a layer or neuron is out of range for this model.
        SilentEditError: on leaving, if a forward pass ran without one of the amplifications being
            applied. An exception from inside the block is never replaced by this one.
    """
    scaling = _Scaling(model, amplifications)
    hooks = [
        (neuron_site(model, amplification.layer).name, partial(scaling.scale, index=index))
        for index, amplification in enumerate(amplifications)
    ]
    with (
        model.original_model.register_forward_pre_hook(scaling.begin, with_kwargs=True),
        model.original_model.register_forward_hook(scaling.end, always_call=True),
        model.hooks(hooks),
    ):
        yield model
    if scaling.passes and (silent := scaling.silent | scaling.not_since(1)):
        raise SilentEditError(
            "A forward pass ran, but the amplification at layer "
            f"{amplifications[min(silent)].layer} was not applied: its hook did not fire. Did the "
            "pass stop before that layer (stop_at_layer), or were hooks removed inside the block "
            "(reset_hooks)?"
        )


def factors_of(
    model: TransformerBridge, *amplifications: Amplification
) -> Float[torch.Tensor, " d_mlp"]:
    """One factor for each neuron of a layer: 1 for those that no amplification of it names.

    Raises:
        SNAError: a neuron is out of range for this model.
    """
    d_mlp = model.cfg.d_mlp
    factors = torch.ones(d_mlp, dtype=torch.promote_types(model.cfg.dtype, torch.float32))
    for amplification in amplifications:
        if outside := [neuron for neuron in amplification.neurons if not 0 <= neuron < d_mlp]:
            raise SNAError(
                f"Neuron(s) {outside} are out of range: a layer of this model has neurons 0 to "
                f"{d_mlp - 1}."
            )
        factors[list(amplification.neurons)] *= amplification.multiplier
    return factors


class _Scaling:
    """What amplifications do in a forward pass, and in which passes each of them did it.

    Every way to run the model (a call, `run_with_cache`, `generate` with its cache, `hf_generate`)
    begins and ends in the model inside the bridge, with just the tokens that this pass adds.
    """

    def __init__(self, model: TransformerBridge, edits: Sequence[Amplification]) -> None:
        self.model, self.edits, self.factors = model, edits, [factors_of(model, e) for e in edits]
        self.passes, self.tokens, self.goes_on = 0, None, False
        self.fired_in, self.silent = [0] * len(edits), set()

    def begin(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.passes += 1
        self.tokens = args[0] if args else kwargs.get("input_ids")
        past = kwargs.get("past_key_values")
        self.goes_on = past is not None and past.get_seq_length() > 0  # writing, token by token

    def end(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.tokens = None
        if output is not None:  # None: it was stopped on the way, perhaps before some layers
            self.silent |= self.not_since(self.passes)

    def not_since(self, number: int) -> set[int]:
        """Which of the amplifications did nothing in this pass and after it."""
        return {index for index, last in enumerate(self.fired_in) if last < number}

    def scale(self, activation: torch.Tensor, hook: HookPoint, *, index: int) -> torch.Tensor:
        """The hook of one amplification: `scale_neurons`, where it acts in this pass."""
        self.fired_in[index] = self.passes
        positions = self.edits[index].positions
        tokens = activation[..., 0] if positions == "last" else self.tokens
        if tokens is None:
            raise SNAError(
                "This pass was given vectors instead of tokens (inputs_embeds, start_at_layer, or "
                "a block called by itself), so the beginning-of-sequence token cannot be told "
                "apart. Pass tokens, or use Amplification(..., positions='last')."
            )
        where = chosen_positions(self.model, tokens, positions, N_READ.get())
        if positions == "all" and self.goes_on:
            where = torch.ones_like(where)  # nothing begins here
        factors = self.factors[index].to(activation.device)
        return scale_neurons(activation, factors=factors, where=where.to(activation.device))


def as_indices(neurons: Collection | Int[torch.Tensor, " neuron"]) -> tuple[int, ...]:
    """The neurons as plain whole numbers, whatever kind of list they came in."""
    values = listed(neurons)
    if any(isinstance(v, bool) or not hasattr(v, "__index__") for v in values):  # bool: a mask
        raise SNAError(
            f"neurons is {neurons!r}; expected a list of whole numbers, such as [3, 17] or what "
            "top_neurons returns."
        )
    return tuple(map(operator.index, values))

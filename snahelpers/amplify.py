"""Scale chosen neurons during forward passes, and leave the model as it was.

The paper's intervention (section 3.1), for any number of layers at once. No parameter changes:
hooks multiply activations while the `with` block runs and are removed when it ends.
"""

import math
import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import SilentEditError, SNAError
from snahelpers.models import check_positions, is_bos, neuron_site


@dataclass(frozen=True)
class Amplification:
    """Multiply some neurons of one layer: 1.0 changes nothing, less mutes, 0.0 removes.

    Attributes:
        layer: Which layer, counted from 0.
        neurons: Their indices in the layer, each once: a tensor, an array or a list of whole
            numbers, kept as a tuple.
        multiplier: What their activations are multiplied by; finite, not negative.
        positions: "all" edits every token except the beginning-of-sequence one; "last" only the
            last token of each forward pass (in generation: the newest).

    Raises:
        SNAError: no neurons, duplicates, indices that are not whole numbers, a multiplier that is
            negative or not finite, or unknown positions.
    """

    layer: int
    neurons: Sequence[int] | Int[Tensor, " neuron"]
    multiplier: float
    positions: Literal["all", "last"] = "all"

    def __post_init__(self) -> None:
        """Check what needs no model, and keep the neurons as a tuple."""
        neurons = _as_indices(self.neurons)
        object.__setattr__(self, "neurons", neurons)
        if not neurons:
            raise SNAError("An amplification needs at least one neuron; the list is empty.")
        if repeated := [neuron for neuron, count in Counter(neurons).items() if count > 1]:
            raise SNAError(f"Neuron(s) {repeated} are named twice. Name each neuron once.")
        try:
            multiplier = float(self.multiplier)
        except (TypeError, ValueError):
            multiplier = math.nan
        if not math.isfinite(multiplier) or multiplier < 0:
            raise SNAError(
                f"The multiplier {self.multiplier!r} is not a finite number of at least 0. Use 1 "
                "to change nothing, more to amplify, less to mute."
            )
        object.__setattr__(self, "multiplier", multiplier)
        check_positions(self.positions)


@contextmanager
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
    passes = _Passes()
    edits = [_Edit(model, amplification, passes) for amplification in amplifications]
    with _watching(model, passes, edits), model.hooks([(edit.site, edit) for edit in edits]):
        yield model
    if passes.count and (silent := [edit for edit in edits if edit.was_silent]):
        raise SilentEditError(
            f"A forward pass ran, but the amplification at layer {silent[0].amplification.layer} "
            "was not applied: its hook did not fire. Did the pass stop before that layer "
            "(stop_at_layer), or were hooks removed inside the block (reset_hooks)?"
        )


class _Passes:
    """Counts forward passes and holds the tokens of the one that is running."""

    def __init__(self) -> None:
        self.count = 0
        self.tokens: Int[Tensor, "batch pos"] | None = None


class _Edit:
    """The hook of one amplification, which also remembers whether it fired in every pass."""

    def __init__(
        self, model: TransformerBridge, amplification: Amplification, passes: _Passes
    ) -> None:
        _check_neurons(amplification, model.cfg.d_mlp)
        # The site's own name, not its alias: in TransformerLens' compatibility mode a hook on the
        # alias is called once for each of the two names, and would scale twice.
        self.site = neuron_site(model, amplification.layer).name
        self.model, self.amplification, self.passes = model, amplification, passes
        self.neurons = torch.tensor(amplification.neurons)
        self.last_pass = 0
        self.missed = False

    @property
    def was_silent(self) -> bool:
        return self.missed or self.last_pass == 0

    def __call__(
        self, activation: Float[Tensor, "batch pos d_mlp"], hook: HookPoint
    ) -> Float[Tensor, "batch pos d_mlp"]:
        """A new tensor with the neurons scaled: earlier hooks may have cached the old one."""
        self.last_pass = self.passes.count
        neurons = self.neurons.to(activation.device)
        chosen = activation[..., neurons]
        where = self._where(activation).unsqueeze(-1)
        scaled = torch.where(where, chosen * self.amplification.multiplier, chosen)
        return activation.index_copy(-1, neurons, scaled)

    def _where(self, activation: Float[Tensor, "batch pos d_mlp"]) -> Bool[Tensor, "batch pos"]:
        """The positions to edit."""
        if self.amplification.positions == "last":
            last = torch.zeros(activation.shape[:2], dtype=torch.bool, device=activation.device)
            last[:, -1] = True
            return last
        if self.passes.tokens is None:
            raise SNAError(
                "This pass was given vectors instead of tokens (inputs_embeds, start_at_layer, or "
                "a block called by itself), so the beginning-of-sequence token cannot be told "
                "apart. Pass tokens, or use Amplification(..., positions='last')."
            )
        return ~is_bos(self.model, self.passes.tokens).to(activation.device)


@contextmanager
def _watching(model: TransformerBridge, passes: _Passes, edits: Sequence[_Edit]) -> Iterator[None]:
    """Follow the forward passes of the model inside the bridge.

    Every way to run it (a call, `run_with_cache`, `generate` with its cache, `hf_generate`) ends
    there, with just the tokens that this pass adds.
    """

    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        passes.count += 1
        passes.tokens = args[0] if args else kwargs.get("input_ids")

    def end(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        passes.tokens = None
        if output is not None:  # None: it was stopped on the way, perhaps before some layers
            for edit in edits:
                edit.missed |= edit.last_pass != passes.count

    inner = model.original_model
    handles = [
        inner.register_forward_pre_hook(begin, with_kwargs=True),
        inner.register_forward_hook(end, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _as_indices(neurons: Sequence[int] | Int[Tensor, " neuron"]) -> tuple[int, ...]:
    """The neurons as plain whole numbers, whatever kind of list they came in."""
    try:
        values = list(neurons.tolist() if hasattr(neurons, "tolist") else neurons)
        if any(isinstance(value, bool) for value in values):  # a mask, not a list of indices
            raise TypeError
        return tuple(operator.index(value) for value in values)
    except TypeError:
        raise SNAError(
            f"neurons is {neurons!r}; expected a list of whole numbers, such as [3, 17] or what "
            "top_neurons returns."
        ) from None


def _check_neurons(amplification: Amplification, d_mlp: int) -> None:
    if outside := [neuron for neuron in amplification.neurons if not 0 <= neuron < d_mlp]:
        raise SNAError(
            f"Neuron(s) {outside} are out of range: a layer of this model has neurons 0 to "
            f"{d_mlp - 1}."
        )

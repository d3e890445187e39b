"""Three ways to run many amplifications of one layer: the plain one, and two that are faster.

Each engine takes one clean pass and a list of configurations, and returns the logits of the next
token for every configuration and prompt. They differ in speed only; `resume` is exact where the
MLP's output is added to the residual stream as it is, which `exactness` checks on the model.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.generalized_components import AttentionBridge

from snahelpers.models import chosen_positions, neuron_site

Configuration = tuple[int, float]  # how many neurons, times what
Logits = Float[Tensor, "config batch vocab"]


class CleanPass:
    """One forward pass without amplification, and what the engines take from it.

    Args:
        model: From `load_model`.
        tokens: Prompts of one length.
        neurons: The neurons of every layer that will be amplified, first the ones that a smaller
            configuration takes.
        positions: "all" or "last", as for `Amplification`.

    Attributes:
        tokens: Int[Tensor, "batch pos"], the prompts.
        edited: Bool[Tensor, "batch pos"], where amplification acts.
        neurons: Int[Tensor, "layer k"], as given, on the model's device.
        logits: Float[Tensor, "batch vocab"], of the next token.
        fired: for each layer the chosen neurons' activations [batch, pos, k], zero where not
            edited.
        resid_post: for each layer the residual stream after it [batch, pos, d_model].
        blocks: for each layer its block, ready to be called on a residual stream alone.
    """

    def __init__(
        self, model: TransformerBridge, tokens: Int[Tensor, "batch pos"],
        neurons: Int[Tensor, "layer k"], positions: str,
    ) -> None:  # fmt: skip
        self.tokens, self.neurons = tokens, neurons.to(tokens.device)
        self.edited: Bool[Tensor, "batch pos"] = chosen_positions(model, tokens, positions)
        self.fired: list[Tensor] = []
        self.resid_post: list[Tensor] = []
        self.blocks: list[Callable[[Tensor], Tensor]] = []
        self.n_layers = model.cfg.n_layers

        def keep_fired(activation: Tensor, hook: HookPoint) -> None:
            chosen = activation[..., self.neurons[len(self.fired)]]
            self.fired.append(chosen * self.edited.unsqueeze(-1))

        sites = [neuron_site(model, layer).name for layer in range(model.cfg.n_layers)]
        handles = []
        for block in model.blocks:
            handles += [
                block.register_forward_pre_hook(self._keep_block, with_kwargs=True),
                block.register_forward_hook(self._keep_output),
            ]
        try:
            with model.hooks([(site, keep_fired) for site in sites]):
                logits = model(tokens, use_cache=False)
                self.logits = logits[:, -1].clone()  # a view would keep every position's logits
        finally:
            for handle in handles:
                handle.remove()

    @property
    def nbytes(self) -> int:
        """How much memory it keeps."""
        return sum(kept.nbytes for kept in (self.logits, *self.fired, *self.resid_post))

    def _keep_block(self, block: nn.Module, args: tuple, kwargs: dict) -> None:
        """With the masks and positions of this pass: without them rotary models go wrong."""
        resid_pre, *rest = args
        rest, named = _first_row(tuple(rest)), _first_row(kwargs)
        plain = _without_hook_points(block, resid_pre.dtype)
        if len(self.blocks) == self.n_layers - 1 and hasattr(plain, "mlp"):
            plain.mlp = _LastPosition(plain.mlp)
        self.blocks.append(lambda resid: plain(resid, *rest, **named))

    def _keep_output(self, block: nn.Module, args: tuple, output: Tensor) -> None:
        self.resid_post.append(output)


def hooks(
    model: TransformerBridge, clean: CleanPass, layer: int, configurations: Sequence[Configuration]
) -> Logits:
    """The plain reference: one configuration at a time, a hook, a full forward pass."""
    site = neuron_site(model, layer).name
    logits = []
    for count, multiplier in configurations:
        neurons = clean.neurons[layer, :count]

        def scale(activation, hook, neurons=neurons, multiplier=multiplier):
            edited = activation.clone()
            edited[..., neurons] *= multiplier
            return torch.where(clean.edited.unsqueeze(-1), edited, activation)

        logits.append(model.run_with_hooks(clean.tokens, fwd_hooks=[(site, scale)])[:, -1])
    return torch.stack(logits)


def batched(
    model: TransformerBridge, clean: CleanPass, layer: int, configurations: Sequence[Configuration]
) -> Logits:
    """All configurations in one full forward pass: each row of the batch has its own scaling."""
    return batched_factors(model, clean, layer, as_factors(clean, configurations))


def as_factors(
    clean: CleanPass, configurations: Sequence[Configuration]
) -> Float[Tensor, "config k"]:
    """Each configuration as one factor a neuron: 1 for the neurons that it leaves alone."""
    precise = torch.promote_types(clean.logits.dtype, torch.float32)  # a rounded 1.1 is not 1.1
    k = clean.neurons.shape[1]
    factors = torch.ones(len(configurations), k, device=clean.tokens.device, dtype=precise)
    for row, (count, multiplier) in zip(factors, configurations, strict=True):
        row[:count] = multiplier
    return factors


def batched_factors(
    model: TransformerBridge, clean: CleanPass, layer: int, factors: Float[Tensor, "config k"]
) -> Logits:
    """As `batched`, with a factor of its own for each neuron; gradients reach the factors."""
    n, neurons = len(factors), clean.neurons[layer]
    here = torch.where(clean.edited[..., None], factors[:, None, None], 1.0).flatten(0, 1)

    def scale(activation: Float[Tensor, "row pos d_mlp"], hook: HookPoint) -> Tensor:
        scaled = activation[..., neurons] * here
        return activation.index_copy(-1, neurons, scaled.to(activation.dtype))

    site = neuron_site(model, layer).name
    logits = model.run_with_hooks(clean.tokens.repeat(n, 1), fwd_hooks=[(site, scale)])
    return logits[:, -1].unflatten(0, (n, -1))


def resume(
    model: TransformerBridge, clean: CleanPass, layer: int, configurations: Sequence[Configuration]
) -> Logits:
    """Start where amplification starts to matter: after its layer, with the clean residual stream.

    Amplifying adds (multiplier - 1) times what the neurons write, so nothing up to this layer has
    to run again; and of the last layer only the last position is unembedded.
    """
    return resume_from(model, clean, layer, written(model, clean, layer, configurations))


def written(
    model: TransformerBridge, clean: CleanPass, layer: int, configurations: Sequence[Configuration]
) -> Float[Tensor, "config batch pos d_model"]:
    """What each configuration adds to the residual stream, if nothing follows the MLP."""
    fired, W_out = clean.fired[layer], model.blocks[layer].mlp.W_out[clean.neurons[layer]]
    once = {count: fired[..., :count] @ W_out[:count] for count, _ in configurations}
    return torch.stack([(multiplier - 1) * once[count] for count, multiplier in configurations])


def resume_from(
    model: TransformerBridge, clean: CleanPass, layer: int,
    deltas: Float[Tensor, "config batch pos d_model"],
) -> Logits:  # fmt: skip
    """Run what follows `layer` on its clean residual stream with these vectors added."""
    resid = (clean.resid_post[layer] + deltas).flatten(0, 1)
    for block in clean.blocks[layer + 1 :]:
        resid = block(resid)
    logits = model.unembed(model.ln_final(resid[:, -1:])).squeeze(1)
    if (cap := model.cfg.output_logits_soft_cap) > 0:
        logits = cap * torch.tanh(logits / cap)
    return logits.unflatten(0, (len(deltas), -1))


class _LastPosition(nn.Module):
    """The last block's MLP where it matters: other positions of its output are not read.

    Added to the residual stream, the one position that it returns is spread over all.
    """

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.mlp = mlp

    def forward(self, resid: Float[Tensor, "row pos d_model"]) -> Float[Tensor, "row 1 d_model"]:
        return self.mlp(resid[:, -1:])


ENGINES: dict[str, Callable[..., Logits]] = {"hooks": hooks, "resume": resume, "batched": batched}


def bytes_per_prompt(model: TransformerBridge, length: int, engine: str) -> int:
    """About how much memory one prompt of `length` tokens takes while one configuration runs."""
    cfg = model.cfg
    at_once = length * (8 * cfg.d_model + 4 * cfg.d_mlp + 3 * cfg.n_heads * length)
    unembedded = cfg.d_vocab * (6 if engine == "resume" else 6 + 2 * length)
    return 4 * max(at_once, unembedded)


def _without_hook_points(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The transformers module inside a TransformerLens one, sharing its weights, free of hooks.

    Hooks have no work to do after the amplified layer, and cost a fifth of the time. In float64
    attention stays as it is: there TransformerLens rotates positions in float64, and transformers
    in float32.
    """
    if isinstance(module, AttentionBridge) and dtype == torch.float64:
        return module
    original = getattr(module, "original_component", None)
    plain = copy.copy(module if original is None else original)
    plain._modules = {
        name: child and _without_hook_points(child, dtype) for name, child in plain._modules.items()
    }
    if isinstance(module, AttentionBridge):
        plain.config = copy.copy(plain.config)
        plain.config._attn_implementation = "sdpa"  # TransformerLens needs "eager", for its hooks
    return plain


def _first_row(value):
    """A block's arguments for a batch of one, which broadcasts to any batch.

    Prompts of one length, unpadded, share their masks and positions.
    """
    if isinstance(value, dict):
        return {name: _first_row(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_first_row(part) for part in value)
    return value[:1] if isinstance(value, Tensor) and value.ndim > 1 else value

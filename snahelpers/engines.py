"""Three ways to run many amplifications of one layer, and the proof that they agree.

Each engine takes one clean pass and, for every configuration, one factor a neuron; it returns the
logits at the positions to read, for every configuration and prompt. They differ in speed only;
`resume` is exact where the MLP's output is added to the residual stream as it is, which
`choose_engine` checks on the model.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.generalized_components import AttentionBridge

from snahelpers.amplification import (
    added_to_residual,
    chosen_positions,
    neuron_site,
    output_weights,
    scale_neurons,
)
from snahelpers.errors import ModelError
from snahelpers.scoring import read_logits, score
from snahelpers.tasks import Batch

Configuration = tuple[int, float]  # how many neurons, times what
Factors = Float[Tensor, "config k"]
Logits = Float[Tensor, "config batch read vocab"]
HALF_PRECISION_PUSH = 12.0
CPU_TOKENS = 1024  # at once: what fits a processor's cache; more takes longer a token


class CleanPass:
    """One forward pass without amplification, and what the engines take from it.

    Args:
        model: From `load_model`.
        batch: Texts of one length; logits are read where their answers are, else at the end.
        neurons: The neurons of every layer that may be amplified.
        positions: "all" or "last", as for `Amplification`.

    Attributes:
        places, tokens, answers: Those of the batch.
        n_read: At how many positions, counted from the end, logits are read.
        edited: Bool[Tensor, "batch pos"], where amplification acts.
        neurons: Int[Tensor, "layer k"], as given, on the model's device.
        logits: Float[Tensor, "batch read vocab"].
        fired: for each layer these neurons' activations [batch, pos, k], zero where not edited.
        resid_post: for each layer the residual stream after it [batch, pos, d_model].
        blocks: for each layer its block, ready to be called on a residual stream alone.
    """

    def __init__(
        self,
        model: TransformerBridge,
        batch: Batch,
        neurons: Int[Tensor, "layer k"],
        positions: str,
    ) -> None:
        self.places, self.tokens, self.answers = batch
        self.neurons, self.n_read = neurons.to(self.tokens.device), max(1, self.answers.shape[1])
        self.edited = chosen_positions(model, self.tokens, positions, self.n_read)
        self.n_layers = model.cfg.n_layers
        self.fired, self.resid_post, self.blocks = [], [], []
        sites = [neuron_site(model, layer).name for layer in range(self.n_layers)]
        with ExitStack() as hooked:
            for block in model.blocks:
                before = block.register_forward_pre_hook(self._keep_block, with_kwargs=True)
                hooked.enter_context(before)
                hooked.enter_context(block.register_forward_hook(self._keep_output))
            hooked.enter_context(model.hooks([(site, self._keep_fired) for site in sites]))
            self.logits = read_logits(model, self.tokens, self.n_read)

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
            plain.mlp = _WhereRead(plain.mlp, self.n_read)
        self.blocks.append(lambda resid: plain(resid, *rest, **named))

    def _keep_fired(self, activation: Tensor, hook: HookPoint) -> None:
        chosen = activation[..., self.neurons[len(self.fired)]]
        self.fired.append(chosen * self.edited.unsqueeze(-1))

    def _keep_output(self, block: nn.Module, args: tuple, output: Tensor) -> None:
        self.resid_post.append(output)


def hooks(model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors) -> Logits:
    """The plain reference: one configuration at a time, a hook, a full forward pass."""
    site = neuron_site(model, layer).name
    logits = []
    for row in every_neuron(model, clean, layer, factors):
        scale = partial(scale_neurons, factors=row, where=clean.edited)
        answer = model.run_with_hooks(clean.tokens, fwd_hooks=[(site, scale)])
        logits.append(answer[:, -clean.n_read :])
    return torch.stack(logits)


def batched(model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors) -> Logits:
    """All configurations in one full forward pass: each row of the batch has its own factors.

    Gradients reach the factors.
    """
    n, batch = len(factors), len(clean.tokens)
    rows = every_neuron(model, clean, layer, factors).repeat_interleave(batch, dim=0)
    scale = partial(scale_neurons, factors=rows.unsqueeze(1), where=clean.edited.repeat(n, 1))
    return run_copies(model, clean, n, neuron_site(model, layer).name, scale)


def resume(model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors) -> Logits:
    """Start where amplification starts to matter: after its layer, with the clean residual stream.

    Amplifying adds (factor - 1) times what the neurons write, so nothing up to this layer has to
    run again; and of the last layer only the positions that are read are unembedded. Gradients
    reach the factors.
    """
    return resume_from(model, clean, layer, written(model, clean, layer, factors))


ENGINES: dict[str, Callable[..., Logits]] = {"hooks": hooks, "resume": resume, "batched": batched}


def every_neuron(
    model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors
) -> Float[Tensor, "config d_mlp"]:
    """A factor for each neuron of the layer: 1 for those that the clean pass does not name."""
    ones = factors.new_ones(len(factors), model.cfg.d_mlp)
    return ones.index_copy(1, clean.neurons[layer], factors)


def written(
    model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors
) -> Float[Tensor, "config batch pos d_model"]:
    """What each configuration adds to the residual stream, if nothing follows the MLP."""
    W_out = output_weights(model, layer)[clean.neurons[layer]]
    return added_to_residual(W_out, clean.fired[layer], factors[:, None, None])


def resume_from(
    model: TransformerBridge,
    clean: CleanPass,
    layer: int,
    deltas: Float[Tensor, "config batch pos d_model"],
) -> Logits:
    """Run what follows `layer` on its clean residual stream with these vectors added."""
    resid = (clean.resid_post[layer] + deltas).flatten(0, 1)
    for block in clean.blocks[layer + 1 :]:
        resid = block(resid)
    logits = model.unembed(model.ln_final(resid[:, -clean.n_read :]))
    if (cap := model.cfg.output_logits_soft_cap) > 0:
        logits = cap * torch.tanh(logits / cap)
    return logits.unflatten(0, (len(deltas), -1))


def run_copies(
    model: TransformerBridge, clean: CleanPass, n: int, site: str, edit: Callable
) -> Logits:
    """Whole passes of n copies of the prompts, one a configuration, with a hook at one site."""
    logits = model.run_with_hooks(clean.tokens.repeat(n, 1), fwd_hooks=[(site, edit)])
    return logits[:, -clean.n_read :].unflatten(0, (n, -1))


def most_at_once(model: TransformerBridge, clean: CleanPass, engine: str, budget: float) -> int:
    """How many configurations can run in one batch, by about how much memory they take.

    Args:
        model: Whose sizes count.
        clean: The prompts.
        engine: One of `ENGINES`.
        budget: Bytes beside the model.
    """
    cfg, (batch, length) = model.cfg, clean.tokens.shape
    in_a_block = length * (8 * cfg.d_model + 4 * cfg.d_mlp + 3 * cfg.n_heads * length)
    unembedded = cfg.d_vocab * (6 if engine == "resume" else 6 + 2 * length)
    most = budget // (4 * batch * max(in_a_block, unembedded))
    if clean.tokens.device.type == "cpu":
        most = min(most, CPU_TOKENS // (batch * length))
    return max(1, int(most))


def choose_engine(
    model: TransformerBridge,
    batches: Iterable[Batch],
    neurons: Int[Tensor, "layer k"],
    positions: str,
    layers: Sequence[int],
    factors: Factors,
    wanted: str = "auto",
) -> tuple[str, str | None]:
    """The engine to use: `resume` where it is exact, else `batched`.

    Tried are two prompts of each length and the strongest configuration. At the longest prompts
    it is every layer, at the others the lowest, from which every later block runs again: whether
    the MLP's output is simply added depends on no length.

    Args:
        model: From `load_model`.
        batches: The prompts that will be run, with their answers.
        neurons: Those of every layer that may be amplified.
        positions: "all" or "last".
        layers: Those that will be amplified.
        factors: The configurations that will be run.
        wanted: "auto", or the engine that was asked for by name.

    Returns:
        The engine, and one line on it if it was not asked for by name.

    Raises:
        ModelError: "resume" was asked for and is not exact.
    """
    if wanted not in ("auto", "resume"):
        return wanted, None
    name = model.cfg.model_name
    strongest = factors[(factors - 1).abs().sum(dim=1).argmax()].unsqueeze(0)
    by_length = {batch.tokens.shape[1]: batch for batch in batches}
    for length, batch in sorted(by_length.items()):
        clean = CleanPass(model, Batch(*(part[:2] for part in batch)), neurons, positions)
        for layer in layers if length == max(by_length) else [min(layers)]:
            if is_exact(model, clean, layer, strongest, clean.answers):
                continue
            if wanted == "resume":
                raise ModelError(
                    f"engine='resume' is not exact for {name} (layer {layer}, prompts of {length} "
                    "tokens): its MLP does not simply add to the residual stream. Use 'auto'."
                )
            line = f"sweep: engine 'batched' ('resume' is not exact for {name}, layer {layer})"
            return "batched", line
    line = f"sweep: engine 'resume', checked on {len(by_length)} lengths of prompt"
    return "resume", line if wanted == "auto" else None


@torch.no_grad()
def is_exact(
    model: TransformerBridge,
    clean: CleanPass,
    layer: int,
    factors: Factors,
    answers: Int[Tensor, "batch read"],
) -> bool:
    """Whether `resume` agrees with `hooks` here: P of each answer within 1e-4, relative.

    In half precision both are rounded, each in its own way, so there it is 16 units of rounding;
    and the push is made large, because rounding hides what a small one would show.
    """
    precision = torch.finfo(clean.logits.dtype)
    tolerance = max(1e-4, 16 * precision.eps)
    if precision.bits < 32:
        factors = torch.where(factors == 1, factors, factors.clamp(min=HALF_PRECISION_PUSH))
    try:
        fast = resume(model, clean, layer, factors)
    except Exception:  # blocks of another make may refuse to run alone, each in its own words
        return False
    plain = hooks(model, clean, layer, factors)
    p, reference = (score(logits, answers)["p"] for logits in (fast, plain))
    return bool(((p - reference).abs() <= tolerance * reference).all())


class _WhereRead(nn.Module):
    """The last block's MLP where it matters: other positions of its output are not read."""

    def __init__(self, mlp: nn.Module, n_read: int) -> None:
        super().__init__()
        self.mlp, self.n_read = mlp, n_read

    def forward(self, resid: Float[Tensor, "row pos d_model"]) -> Float[Tensor, "row pos d_model"]:
        written = self.mlp(resid[:, -self.n_read :].contiguous())
        return nn.functional.pad(written, (0, 0, resid.shape[1] - self.n_read, 0))


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

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
from typing import Any

import torch
from jaxtyping import Float, Int
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
Factors = Float[torch.Tensor, "config k"]
Logits = Float[torch.Tensor, "config batch read vocab"]
HALF_PRECISION_PUSH = 12.0
# Why an engine that is right without amplification goes wrong with it.
OTHERWISE = {
    "resume": "its MLP does not simply add to the residual stream",
    "batched": "rows that run together change each other's answers",
}
CPU_TOKENS = 1024  # at once: what fits a processor's cache; more takes longer a token


class CleanPass:
    """One forward pass without amplification, and what the engines take from it.

    It keeps what this pass showed and assumes nothing else of the model: `hooks` and `batched` need
    no more than its tokens, and whether `resume` may use the rest is checked by `disagreement`.

    Args:
        model: From `load_model`.
        batch: Texts of one length; logits are read where their answers are, else at the end.
        positions: "all" or "last", as for `Amplification`.

    Attributes:
        places, tokens, answers: Those of the batch.
        n_read: At how many positions, counted from the end, logits are read.
        edited: Bool[torch.Tensor, "batch pos"], where amplification acts.
        neurons: Int[torch.Tensor, "layer k"], those of every layer that factors are for: all of
            them, or the choice that it is `of`.
        logits: Float[torch.Tensor, "batch read vocab"].
        fired: for each layer its neurons' activations [batch, pos, d_mlp], zero where not edited.
        resid_post: for each layer the residual stream after it [batch, pos, d_model].
        blocks: for each layer its block, ready to be called on a residual stream alone.
    """

    def __init__(self, model: TransformerBridge, batch: Batch, positions: str) -> None:
        cfg, (self.places, self.tokens, self.answers) = model.cfg, batch
        self.n_layers, self.n_read = cfg.n_layers, max(1, self.answers.shape[1])
        self.neurons = torch.arange(cfg.d_mlp, device=self.tokens.device).expand(cfg.n_layers, -1)
        self.edited = chosen_positions(model, self.tokens, positions, self.n_read)
        # By layer, in whatever order they run.
        self.fired, self.resid_post, self.blocks = {}, {}, {}
        with ExitStack() as hooked:
            for layer, block in enumerate(model.blocks):
                keep, site = partial(self._keep_block, layer), neuron_site(model, layer)
                hooked.enter_context(block.register_forward_hook(keep, with_kwargs=True))
                hooked.enter_context(site.register_forward_hook(partial(self._keep_fired, layer)))
            self.logits = read_logits(model, self.tokens, self.n_read)

    def of(self, neurons: Int[torch.Tensor, "layer k"]) -> "CleanPass":
        """The same pass with a choice of each layer's neurons, which factors are then for."""
        chosen = copy.copy(self)
        chosen.neurons = neurons.to(self.tokens.device)
        return chosen

    @property
    def nbytes(self) -> int:
        """How much memory it keeps."""
        return sum(
            kept.nbytes for kept in (self.logits, *self.fired.values(), *self.resid_post.values())
        )

    def _keep_block(
        self, layer: int, block: torch.nn.Module, args: tuple, kwargs: dict, output: Any
    ) -> None:
        """With the masks and positions of this pass: without them rotary models go wrong."""
        self.resid_post[layer] = _first(output)
        rest = _first_row(args[1:])
        named = _first_row({name: kwargs[name] for name in kwargs if name != "hidden_states"})
        plain = _without_hook_points(block, self.resid_post[layer].dtype)
        if layer == self.n_layers - 1 and hasattr(plain, "mlp"):
            plain.mlp = _WhereRead(plain.mlp, self.n_read)
        self.blocks[layer] = lambda resid: _first(plain(resid, *rest, **named))

    def _keep_fired(self, layer: int, site: HookPoint, args: tuple, fired: torch.Tensor) -> None:
        self.fired[layer] = fired.reshape(*self.edited.shape, -1) * self.edited.unsqueeze(-1)


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
) -> Float[torch.Tensor, "config d_mlp"]:
    """A factor for each neuron of the layer: 1 for those that the clean pass is not of."""
    ones = factors.new_ones(len(factors), model.cfg.d_mlp)
    return ones.index_copy(1, clean.neurons[layer], factors)


def written(
    model: TransformerBridge, clean: CleanPass, layer: int, factors: Factors
) -> Float[torch.Tensor, "config batch pos d_model"]:
    """What each configuration adds to the residual stream, if nothing follows the MLP."""
    neurons = clean.neurons[layer]
    return added_to_residual(
        output_weights(model, layer)[neurons],
        clean.fired[layer][..., neurons],
        factors[:, None, None],
    )


def resume_from(
    model: TransformerBridge,
    clean: CleanPass,
    layer: int,
    deltas: Float[torch.Tensor, "config batch pos d_model"],
) -> Logits:
    """Run what follows `layer` on its clean residual stream with these vectors added."""
    resid = (clean.resid_post[layer] + deltas).flatten(0, 1)
    for later in range(layer + 1, clean.n_layers):
        resid = clean.blocks[later](resid)
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
    neurons: Int[torch.Tensor, "layer k"],
    positions: str,
    layers: Sequence[int],
    factors: Factors,
    wanted: str = "auto",
) -> tuple[str, str | None]:
    """The engine to use: `resume` where it agrees with `hooks`, else `batched`, else `hooks`.

    Tried are two prompts of each length and the strongest configuration. `resume` is tried at every
    layer at the longest prompts, at the others at the lowest, from which every later block runs
    again: whether the MLP's output is simply added depends on no length.

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
    name, remarks = model.cfg.model_name, []
    strongest = factors[(factors - 1).abs().sum(dim=1).argmax()].unsqueeze(0)
    by_length = {batch.tokens.shape[1]: Batch(*(part[:2] for part in batch)) for batch in batches}
    passes = {n: CleanPass(model, by_length[n], positions).of(neurons) for n in sorted(by_length)}
    for engine in ("resume", "batched"):
        objection = _objection(model, passes, layers, strongest, engine)
        if objection is None:
            break
        layer, length, why = objection
        if wanted == "resume":
            raise ModelError(
                f"engine='resume' is not exact for {name} (layer {layer}, prompts of {length} "
                f"tokens): {why}. Use 'auto'."
            )
        remarks.append(f" ({engine!r} is not exact for {name}, layer {layer}): {why}")
    else:
        engine = "hooks"
    remark = ";".join(remarks) or f", checked on {len(by_length)} lengths of prompt"
    return engine, None if wanted == "resume" else f"sweep: engine {engine!r}{remark}"


def _objection(
    model: TransformerBridge,
    passes: dict[int, CleanPass],
    layers: Sequence[int],
    factors: Factors,
    engine: str,
) -> tuple[int, int, str] | None:
    """The first layer and length at which the engine disagrees with `hooks`, and how."""
    for length, clean in passes.items():
        every = engine == "resume" and length == max(passes)
        for layer in layers if every else [min(layers)]:
            if why := disagreement(model, clean, layer, factors, clean.answers, engine):
                return layer, length, why
    return None


@torch.no_grad()
def disagreement(
    model: TransformerBridge,
    clean: CleanPass,
    layer: int,
    factors: Factors,
    answers: Int[torch.Tensor, "batch read"],
    engine: str = "resume",
) -> str | None:
    """Why an engine cannot stand in for `hooks` here; None if P of each answer is within 1e-4.

    That is relative, and holds without amplification too, where P is the clean pass's. In half
    precision both are rounded, each in its own way, so there it is 16 units of rounding; and the
    push is made large, because rounding hides what a small one would show.
    """
    precision = torch.finfo(clean.logits.dtype)
    tolerance = max(1e-4, 16 * precision.eps)
    if precision.bits < 32:
        factors = torch.where(factors == 1, factors, factors.clamp(min=HALF_PRECISION_PUSH))
    try:
        fast = ENGINES[engine](model, clean, layer, torch.cat([torch.ones_like(factors), factors]))
    except Exception as error:  # blocks of another make may refuse to run alone, each in its words
        return f"it stopped with {type(error).__name__}, {error}".splitlines()[0]
    plain = torch.cat([clean.logits.unsqueeze(0), hooks(model, clean, layer, factors)])
    p, reference = (score(logits, answers)["p"] for logits in (fast, plain))
    agrees = ((p - reference).abs() <= tolerance * reference).all(dim=1)
    if agrees.all():
        return None
    return OTHERWISE[engine] if agrees[0] else "even without amplification it answers otherwise"


class _WhereRead(torch.nn.Module):
    """The last block's MLP where it matters: other positions of its output are not read."""

    def __init__(self, mlp: torch.nn.Module, n_read: int) -> None:
        super().__init__()
        self.mlp, self.n_read = mlp, n_read

    def forward(self, *vectors: Float[torch.Tensor, "row pos d_model"]) -> torch.Tensor:
        written = self.mlp(*(each[:, -self.n_read :].contiguous() for each in vectors))
        return torch.nn.functional.pad(written, (0, 0, vectors[0].shape[1] - self.n_read, 0))


def _without_hook_points(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
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
    if isinstance(module, AttentionBridge) and hasattr(plain, "config"):
        plain.config = copy.copy(plain.config)
        plain.config._attn_implementation = "sdpa"  # TransformerLens needs "eager", for its hooks
    return plain


def _first(output: Any) -> Any:
    """What a block gives is the residual stream, or several things that begin with it."""
    return output if isinstance(output, torch.Tensor) else output[0]


def _first_row(value: Any) -> Any:
    """A block's arguments for a batch of one, which broadcasts to any batch.

    Prompts of one length, unpadded, share their masks and positions. What differs from row to row
    (ALiBi's slopes, a row a head) stays as it is.
    """
    if isinstance(value, dict):
        return {name: _first_row(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_first_row(part) for part in value)
    shared = isinstance(value, torch.Tensor) and value.ndim > 1 and bool((value == value[:1]).all())
    return value[:1] if shared else value

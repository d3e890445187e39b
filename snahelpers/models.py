"""Load a model, ready for reading and amplifying its neurons.

`load_model` gives a TransformerLens `TransformerBridge`. A *neuron* is one entry of the MLP's
hidden layer (the paper's section 2.1: 4,096 a layer in GPT-2 Medium), read and edited at the hook
`blocks.L.mlp.hook_post`, of shape [batch, pos, d_mlp].
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge
from transformers.activations import NewGELUActivation
from transformers.utils import logging as transformers_logging

from snahelpers.checkpoints import locate
from snahelpers.errors import ModelError, SNAError, check_range

DEFAULT_MODEL = "minnow"
PROBE_TEXT = "The cat sat on the mat"


def setup() -> None:
    """Print what a notebook runs on; let tables show three digits and whole prompts."""
    pd.set_option("display.float_format", "{:.3g}".format)
    pd.set_option("display.max_colwidth", None)
    packages = ("snahelpers", "transformer-lens", "transformers", "torch")
    print(" · ".join(f"{package} {version(package)}" for package in packages))
    device = "a CUDA GPU" if torch.cuda.is_available() else "the CPU"
    print(f"default model {os.environ.get('SNA_MODEL') or DEFAULT_MODEL} on {device}")


def load_model(
    name: str | Path | None = None,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> TransformerBridge:
    """Load a model in eval mode, without gradients, from safetensors only.

    Args:
        name: An embedded model ("minnow", …), a folder, or a name on the Hugging Face hub.
            By default the environment variable SNA_MODEL, else "minnow".
        device: Where to run; by default a CUDA GPU if there is one, else the CPU.
        dtype: What to compute in, whatever the weights are stored in.

    Returns:
        The model, its neuron sites proven to work (see `check_neuron_sites`).

    Raises:
        ModelError: the name is unknown, the files are missing or unsafe, a download is not
            possible, or the model has no neurons that can be amplified.
    """
    name = str(name or os.environ.get("SNA_MODEL") or DEFAULT_MODEL)
    folder = locate(name)
    with _quiet():
        model = _boot(name, folder, device, dtype)
    model.cfg.model_name = folder.name if Path(name).is_dir() else name
    fuse_gelu(model)
    model.eval()
    model.requires_grad_(False)
    check_neuron_sites(model)
    return model


def neuron_site(model: TransformerBridge, layer: int) -> HookPoint:
    """The hook point at which the neurons of `layer` are read and edited.

    Its own name is `blocks.L.mlp.out.hook_in`; `blocks.L.mlp.hook_post` is a second name for the
    same object, so a hook on each of the two names scales twice.

    Raises:
        SNAError: the model has no such layer.
        ModelError: the layer has no such site.
    """
    check_range("layer", layer, 0, model.cfg.n_layers - 1)
    try:
        return model.blocks[layer].mlp.out.hook_in
    except AttributeError:
        raise ModelError(
            f"{model.cfg.model_name} has no neuron site (mlp.hook_post) at layer {layer}: its MLP "
            f"is a {type(model.blocks[layer]).__name__} without one. Use a dense model, such as "
            "'minnow' or 'gpt2-medium'."
        ) from None


def check_positions(positions: str) -> None:
    """Raise SNAError unless `positions` is "all" or "last"."""
    if positions not in ("all", "last"):
        raise SNAError(f"positions is 'all' or 'last', not {positions!r}.")


def is_bos(model: TransformerBridge, tokens: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Where the tokens are the model's beginning-of-sequence token.

    That token marks the start and carries no text; its activations are huge and alike for every
    prompt. GPT-2 writes the same token between documents, where it begins a sequence too.
    """
    bos = getattr(model.tokenizer, "bos_token_id", None)
    return torch.zeros_like(tokens, dtype=torch.bool) if bos is None else tokens == bos


def chosen_positions(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], positions: str
) -> Bool[Tensor, "batch pos"]:
    """Where "all" or "last" points: every token but the beginning-of-sequence one, or the last."""
    chosen = ~is_bos(model, tokens)
    if positions == "last":
        chosen = torch.zeros_like(chosen)
        chosen[:, -1] = True
    return chosen


def fuse_gelu(model: nn.Module) -> None:
    """Compute GPT-2's GELU in one operation instead of eight: a third of a pass on a CPU."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))


@torch.no_grad()
def check_neuron_sites(model: TransformerBridge) -> None:
    """Prove, in one forward pass, that editing the neurons of every layer changes the output.

    The batch repeats one short text. Row L gets every second neuron of layer L doubled (all of
    them, and a norm after the MLP takes it back); the last two rows stay as they are and tell how
    much rows differ by rounding alone.

    Raises:
        ModelError: a site is missing, has another shape, runs more or less than once, or is edited
            without any effect.
    """
    n_layers = model.cfg.n_layers
    tokens = model.to_tokens(PROBE_TEXT).repeat(n_layers + 2, 1)
    sites = [neuron_site(model, layer) for layer in range(n_layers)]
    shapes: dict[int, list[tuple[int, ...]]] = {layer: [] for layer in range(n_layers)}

    def double_own_row(layer: int):
        def hook(activation: Float[Tensor, "batch pos d_mlp"], hook: HookPoint) -> Tensor:
            shapes[layer].append(tuple(activation.shape))
            edited = activation.clone()
            edited[layer, :, ::2] *= 2
            return edited

        return hook

    edits = [(site.name, double_own_row(layer)) for layer, site in enumerate(sites)]
    logits = model.run_with_hooks(tokens, fwd_hooks=edits)
    change = (logits - logits[-1]).abs().amax(dim=(1, 2))
    rounding = change[n_layers]

    expected = [(*tokens.shape, model.cfg.d_mlp)]
    for layer in range(n_layers):
        if shapes[layer] != expected:
            raise ModelError(
                f"{model.cfg.model_name}: the neuron site of layer {layer} gave the shapes "
                f"{shapes[layer]} in one pass, expected {expected}. This architecture keeps its "
                "neurons elsewhere; use a dense model, such as 'minnow' or 'gpt2-medium'."
            )
        if not change[layer] > rounding:  # also true for NaN
            raise ModelError(
                f"{model.cfg.model_name}: doubling neurons of layer {layer} changes nothing, "
                "so amplifying would silently do nothing. Try another dtype or another model."
            )


def _boot(name: str, folder: Path, device: str | torch.device | None, dtype: torch.dtype):
    """Boot from the folder, which needs no network even for a name from the hub."""
    try:
        return TransformerBridge.boot_transformers(str(folder), device=device, dtype=dtype)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name} is on this computer, but TransformerLens could not load it: {reason} "
            "Use a model of a supported architecture, such as 'gpt2-medium', and check that its "
            "files are whole."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' notices while a model is loaded, and leave their settings alone."""
    verbosity, disabled = transformers_logging.get_verbosity(), logging.root.manager.disable
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()

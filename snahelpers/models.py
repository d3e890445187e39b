"""Load a model, ready for reading and amplifying its neurons: a TransformerLens bridge."""

import hashlib
import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.activations import NewGELUActivation

from snahelpers.amplification import check_neuron_sites, neuron_site, output_weights
from snahelpers.checkpoints import DEFAULT_MODEL, answer_key, locate, planted_folder, quiet
from snahelpers.errors import ModelError, check_number, checked

# Buffers that older files of GPT-2 and Pythia carry: masks and positions, no weights.
HARMLESS = ("attn.bias", "attn.masked_bias", "attention.bias", "attention.masked_bias", "inv_freq")
PREFIXES = ("_orig_mod.", "module.", "base_model.model.")
PROBE_TOKENS = torch.arange(1, 7)[None]


def load_model(
    name: str | Path | None = None,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | str = torch.float32,
) -> TransformerBridge:
    """Load a model in eval mode, without gradients, from safetensors only.

    Args:
        name: An embedded model ("minnow", …), "smollm2", a folder, a GGUF file, or a name on the
            Hugging Face hub. By default the environment variable SNA_MODEL, else "minnow".
        device: Where to run; by default a CUDA GPU if there is one, else the CPU.
        dtype: What to compute in, whatever the weights are stored in.

    Returns:
        The model, its neuron sites proven to work (see `check_neuron_sites`).

    Raises:
        ModelError: the name is unknown, the files are missing or unsafe, a download is not
            possible, the model is no causal decoder, some of its weights are not in the files, or
            it has no neurons that can be amplified.
    """
    if not isinstance(name, str | Path | None):
        raise ModelError(
            f"load_model takes a name, a folder or a GGUF file, not a {type(name).__name__}. Save "
            "a model of transformers with save_pretrained and give the folder."
        )
    dtype = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ModelError("dtype is no floating-point type: use torch.float32, for example.")
    if str(device).startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(f"There is no CUDA GPU here for device={str(device)!r}: leave device out.")
    name = str(name or os.environ.get("SNA_MODEL") or DEFAULT_MODEL)
    folder = locate(name)
    with quiet(name):  # from the folder, which needs no network even for a name from the hub
        model = TransformerBridge.boot_transformers(
            str(folder), device=device, dtype=dtype, model_class=_Complete
        )
        model.cfg.model_name = folder.name if Path(name).is_dir() else name
        fuse_gelu(model)
        model.eval().requires_grad_(False)
        neuron_site(model, 0)  # raises if there is none
        model.cfg.d_mlp = len(output_weights(model, 0))  # not always what TransformerLens guesses
        _check_answers(model)
        check_neuron_sites(model)
    model.loaded_by = (  # for other processes
        load_model,
        dict(name=name, device=device, dtype=dtype),
        fingerprint(model)["weights"],
    )
    return model


class _Complete:
    """Stands in for AutoModelForCausalLM: a model whose every weight came from the files.

    It remembers what it answers before TransformerLens wraps it.
    """

    @staticmethod
    @torch.no_grad()
    def from_pretrained(folder: str, **options) -> PreTrainedModel:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, **options
        )
        missing, unexpected = (
            sorted(key for key in report[kind] if not key.endswith(HARMLESS))
            for kind in ("missing_keys", "unexpected_keys")
        )
        if missing or unexpected:
            prefix = next((p for p in PREFIXES if any(k.startswith(p) for k in unexpected)), None)
            cure = "Check that the files are whole and belong to this configuration."
            if prefix:
                cure = (
                    f"They were saved from a wrapped model: take {prefix!r} off the names, for "
                    "instance by saving the model inside the wrapper, and save them again."
                )
            raise ModelError(
                f"{folder} does not hold this model's weights: {len(missing)} are missing "
                f"({', '.join(missing[:3]) or 'none'}), {len(unexpected)} are not known "
                f"({', '.join(unexpected[:3]) or 'none'}). {cure}"
            )
        model.answers = model.eval()(PROBE_TOKENS, use_cache=False).logits.float()
        return model


@torch.no_grad()
def _check_answers(model: TransformerBridge) -> None:
    """Raise ModelError if the wrapped model answers otherwise than transformers' own."""
    precision = torch.finfo(model.cfg.dtype)
    tolerance = 0.01 if precision.bits >= 32 else 1.0  # nats; halves are rounded, each its own way
    found = model(PROBE_TOKENS.to(model.cfg.device)).float().cpu().log_softmax(dim=-1)
    gap = (found - model.original_model.answers.log_softmax(dim=-1)).abs().max()
    if gap > tolerance:
        raise ModelError(
            f"{model.cfg.model_name}: TransformerLens answers otherwise than transformers (a "
            f"log-probability differs by {gap:.2g}), so nothing measured on it would be the "
            "model's own. Use another model."
        )


@checked
def load_dimmed(factor: float, base: str = DEFAULT_MODEL) -> TransformerBridge:
    """A model with planted facts (`load_tasks("planted")`), their neurons' outputs times `factor`.

    Args:
        factor: 1 is the circuit as it was trained; at 0 the knowledge is not weak but absent, and
            no multiplier brings it back.
        base: "minnow", or "smollm2" for the same in a real language model.

    Raises:
        SNAError: the factor is not a number from 0 to 10.
        ModelError: no circuit was planted in that model, or it is not here.
    """
    check_number("The factor", factor, 0, 10)
    key, folder = answer_key(base), planted_folder(base)
    layer, neurons = key["layer"], key["neurons"]
    if (folder / "config.json").is_file():  # a whole model, which was saved dimmed
        model = load_model(folder.name)
        output_weights(model, layer)[neurons] *= factor / key["dimmed_to"]
    else:  # a patch of another model
        model, patch = load_model(base), load_file(folder / "patch.safetensors")
        mlp = model.blocks[layer].mlp
        mlp.gate.weight[neurons] = patch["gate_rows"].to(mlp.gate.weight)
        getattr(mlp, "in").weight[neurons] = patch["up_rows"].to(mlp.gate.weight)
        output_weights(model, layer)[neurons] = factor * patch["down_columns"].T.to(mlp.gate.weight)
    model.cfg.model_name = f"{folder.name} × {factor:g}"
    model.loaded_by = load_dimmed, dict(factor=factor, base=base), fingerprint(model)["weights"]
    return model


def fuse_gelu(model: torch.nn.Module) -> None:
    """Compute GPT-2's GELU in one operation instead of eight: a third of a pass on a CPU."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


def fingerprint(model: TransformerBridge) -> dict[str, str]:
    """What tells one model from another, or from itself trained again: name, dtype, weights.

    Of the weights, the bits of a sample as numbers, and the sum of all, which every change moves.
    """
    sample = hashlib.sha256()
    for name, weights in sorted(model.named_parameters()):
        as_whole = getattr(torch, f"int{8 * weights.element_size()}")
        bits = weights.detach().flatten().view(as_whole)
        few, total = bits[:: max(1, len(bits) // 64)].tolist(), int(bits.sum(dtype=torch.int64))
        sample.update(repr((name, few, total)).encode())
    name, dtype = model.cfg.model_name, str(model.cfg.dtype)
    return {"model": name, "dtype": dtype, "weights": sample.hexdigest()[:12]}

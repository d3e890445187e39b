"""Which neurons answer to a task: activations, their means, and the difference of two means.

Differential activation analysis is the paper's section 3.1; `choose` picks from what is found here.
Activations and scores are tensors on the CPU, in float32 (float64 for a float64 model).
"""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError, check_range
from snahelpers.models import check_positions, chosen_positions, is_bos, neuron_site
from snahelpers.tasks import prompt_groups


def activations(
    model: TransformerBridge, texts: Sequence[str], *, positions: Literal["all", "last"] = "all"
) -> Float[Tensor, "text layer d_mlp"]:
    """How strongly every neuron fires on every text.

    Args:
        model: From `load_model`.
        texts: Prompts or sentences; texts of equal length run together, nothing is padded.
        positions: "all" takes the mean over the text's tokens, the beginning-of-sequence token
            left out; "last" takes the last token, from which the answer is read.

    Raises:
        DataError: no texts, an empty text, or one longer than the model's context.
        SNAError: `positions` is something else.
    """
    sites = [neuron_site(model, layer).name for layer in range(model.cfg.n_layers)]
    return _pooled(model, texts, sites, model.cfg.d_mlp, positions)


def mean_activations(
    model: TransformerBridge, texts: Sequence[str], *, positions: Literal["all", "last"] = "all"
) -> Float[Tensor, "layer d_mlp"]:
    """The mean of `activations` over the texts: a long text counts as much as a short one."""
    return activations(model, texts, positions=positions).mean(dim=0)


def mean_residuals(
    model: TransformerBridge, texts: Sequence[str], *, positions: Literal["all", "last"] = "all"
) -> Float[Tensor, "layer d_model"]:
    """The mean residual stream after every layer, pooled as `mean_activations` pools neurons."""
    sites = [block.hook_resid_post.name for block in model.blocks]
    return _pooled(model, texts, sites, model.cfg.d_model, positions).mean(dim=0)


def differential_activation(
    model: TransformerBridge,
    texts: Sequence[str],
    neutral: Sequence[str],
    *,
    positions: Literal["all", "last"] = "all",
) -> Float[Tensor, "layer d_mlp"]:
    """Mean activation on `texts` less mean activation on `neutral` (the paper's section 3.1).

    A large positive score means that a neuron fires more on the task than on ordinary text. It
    may still be below zero on both: see `less_negative`.

    Raises:
        DataError: a list of texts is empty, or a text cannot be used.
    """
    if not len(neutral):
        raise DataError("There is no neutral text: give at least one sentence to compare with.")
    task_means = mean_activations(model, texts, positions=positions)
    return task_means - mean_activations(model, neutral, positions=positions)


def output_norms(model: TransformerBridge) -> Float[Tensor, "layer d_mlp"]:
    """How long the vector is that each neuron adds to the residual stream when it fires by 1."""
    return torch.stack([layer_output_norms(model, i) for i in range(model.cfg.n_layers)])


def layer_output_norms(model: TransformerBridge, layer: int) -> Float[Tensor, " d_mlp"]:
    """The `output_norms` of one layer."""
    norms = model.blocks[layer].mlp.W_out.norm(dim=-1)
    return norms.to(torch.promote_types(norms.dtype, torch.float32)).cpu()


def max_activating_contexts(
    model: TransformerBridge, texts: Sequence[str], *, layer: int, neuron: int, k: int = 8
) -> pd.DataFrame:
    """Where one neuron fires hardest: the k texts with its largest activation on any token.

    Returns:
        One row a text, strongest first: context (the text up to and with the token, which stands
        in «») and activation.

    Raises:
        DataError: no texts, an empty text, or one longer than the model's context.
        SNAError: the layer or the neuron is out of range.
    """
    check_range("layer", layer, 0, model.cfg.n_layers - 1)
    check_range("neuron", neuron, 0, model.cfg.d_mlp - 1)
    rows = []
    for _, tokens in prompt_groups(model, texts):
        [activation] = _seen_at(model, tokens, [neuron_site(model, layer).name])
        fired = activation[..., neuron]
        peaks = fired.masked_fill(is_bos(model, tokens), -torch.inf).max(dim=1)
        for ids, place, value in zip(
            tokens, peaks.indices.tolist(), peaks.values.tolist(), strict=True
        ):
            before = model.to_string(ids[:place][~is_bos(model, ids[:place])])
            rows.append((f"{before}«{model.to_string(ids[place : place + 1])}»", value))
    table = pd.DataFrame(rows, columns=["context", "activation"])
    return table.nlargest(k, "activation").reset_index(drop=True)


def _pooled(
    model: TransformerBridge, texts: Sequence[str], sites: Sequence[str], width: int, positions: str
) -> Float[Tensor, "text site width"]:
    """What every text shows at each site, as the mean over the chosen positions."""
    check_positions(positions)
    dtype = torch.promote_types(model.cfg.dtype, torch.float32)
    pooled = torch.empty(len(texts), len(sites), width, dtype=dtype)
    for indices, tokens in prompt_groups(model, texts):
        chosen = chosen_positions(model, tokens, positions).to(dtype)
        weights = chosen / chosen.sum(dim=1, keepdim=True)
        for place, seen in enumerate(_seen_at(model, tokens, sites)):
            means = torch.einsum("bp,bpn->bn", weights, seen.to(dtype))
            pooled[indices, place] = means.cpu()
    return pooled


@torch.no_grad()
def _seen_at(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], sites: Sequence[str]
) -> list[Float[Tensor, "batch pos width"]]:
    """What one forward pass shows at each site, in the order in which the pass comes by."""
    seen: list[Tensor] = []

    def record(activation: Float[Tensor, "batch pos width"], hook: HookPoint) -> None:
        seen.append(activation)

    model.run_with_hooks(tokens, fwd_hooks=[(site, record) for site in sites], return_type=None)
    return seen

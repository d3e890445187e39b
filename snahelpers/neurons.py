"""Which neurons answer to a task: mean activations, their difference, and ways of choosing.

Differential activation analysis is the paper's section 3.1, contrastive analysis its section 6.1.
Activations and scores are tensors on the CPU, in float32 (float64 for a float64 model).
"""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError, SNAError, check_range
from snahelpers.models import check_positions, is_bos, neuron_site
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
    check_positions(positions)
    dtype = torch.promote_types(model.cfg.dtype, torch.float32)
    pooled = torch.empty(len(texts), model.cfg.n_layers, model.cfg.d_mlp, dtype=dtype)
    for indices, tokens in prompt_groups(model, texts):
        weights = _position_weights(model, tokens, positions, dtype)
        for layer, activation in enumerate(_neuron_activations(model, tokens)):
            means = torch.einsum("bp,bpn->bn", weights, activation.to(dtype))
            pooled[indices, layer] = means.cpu()
    return pooled


def mean_activations(
    model: TransformerBridge, texts: Sequence[str], *, positions: Literal["all", "last"] = "all"
) -> Float[Tensor, "layer d_mlp"]:
    """The mean of `activations` over the texts: a long text counts as much as a short one."""
    return activations(model, texts, positions=positions).mean(dim=0)


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


def top_neurons(
    scores: Float[Tensor, "layer d_mlp"],
    layer: int,
    k: int,
    *,
    require_positive: bool = False,
    task_means: Float[Tensor, "layer d_mlp"] | None = None,
) -> Int[Tensor, " k"]:
    """The k neurons of `layer` with the highest scores, best first; of equals the lower index.

    Args:
        scores: From `differential_activation`, or any other score per neuron.
        layer: Which layer, counted from 0.
        k: How many neurons.
        require_positive: Choose only among neurons whose mean activation on the task is above
            zero, so that amplifying pushes them up. The paper does not ask for it.
        task_means: `mean_activations` of the task, needed if `require_positive`.

    Raises:
        SNAError: the layer or k is out of range, the scores are not finite, or fewer than k
            neurons are positive.
    """
    row = _layer_scores(scores, layer, k)
    if require_positive:
        if task_means is None:
            raise SNAError(
                "require_positive needs task_means: pass mean_activations(model, texts)."
            )
        positive = task_means[layer] > 0
        if positive.sum() < k:
            raise SNAError(
                f"Only {int(positive.sum())} neurons of layer {layer} are above zero on the task, "
                f"and {k} were asked for. Ask for fewer, or leave out require_positive."
            )
        row = row.masked_fill(~positive, -torch.inf)
    return row.sort(descending=True, stable=True).indices[:k]


def loudest_layer(scores: Float[Tensor, "layer d_mlp"], k: int) -> int:
    """The layer whose k highest scores have the largest mean.

    A guess at where a task lives, and a fragile one: scores spread differently in every layer.

    Raises:
        SNAError: k is out of range, or a score is not finite.
    """
    tops = [scores[layer, top_neurons(scores, layer, k)].mean() for layer in range(len(scores))]
    return int(torch.stack(tops).argmax())


def contrastive_neurons(
    scores: Float[Tensor, "layer d_mlp"], layer: int, k: int
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """The two tails of one difference: k highest and k lowest scores, most extreme first.

    With `scores` of positive against negative examples these are the neurons tied to one label
    each (the paper's section 6.1); they cannot overlap.

    Raises:
        SNAError: the layer is out of range, or the two tails would overlap (2k > d_mlp).
    """
    highest = top_neurons(scores, layer, k)
    if 2 * k > scores.shape[1]:
        raise SNAError(
            f"Two tails of {k} neurons overlap in a layer of {scores.shape[1]}: k may be at most "
            f"{scores.shape[1] // 2}."
        )
    return highest, top_neurons(-scores, layer, k)


def less_negative(
    task_means: Float[Tensor, "layer d_mlp"],
    scores: Float[Tensor, "layer d_mlp"],
    layer: int,
    neurons: Int[Tensor, " k"],
) -> Bool[Tensor, " k"]:
    """Which of these neurons score above zero although their mean on the task is below zero.

    GELU lets activations be slightly negative. Such a neuron is only *less negative* on the task,
    and multiplying it pushes it further down, away from what the score rewarded.
    """
    return (scores[layer, neurons] > 0) & (task_means[layer, neurons] < 0)


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
        fired = _neuron_activations(model, tokens)[layer][..., neuron]
        peaks = fired.masked_fill(is_bos(model, tokens), -torch.inf).max(dim=1)
        for ids, place, value in zip(
            tokens, peaks.indices.tolist(), peaks.values.tolist(), strict=True
        ):
            before = model.to_string(ids[:place][~is_bos(model, ids[:place])])
            rows.append((f"{before}«{model.to_string(ids[place : place + 1])}»", value))
    table = pd.DataFrame(rows, columns=["context", "activation"])
    return table.nlargest(k, "activation").reset_index(drop=True)


def random_neurons(
    d_mlp: int, k: int, seed: int, exclude: Sequence[int] | Int[Tensor, " n"] | None = None
) -> Int[Tensor, " k"]:
    """K different neurons by chance, the same for the same seed on every device; a control.

    Raises:
        SNAError: fewer than k neurons are left after `exclude`.
    """
    allowed = torch.ones(d_mlp, dtype=torch.bool)
    if exclude is not None:
        allowed[torch.as_tensor(exclude, dtype=torch.long)] = False
    candidates = allowed.nonzero().flatten()
    check_range("the number of neurons", k, 1, len(candidates))
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(seed))
    return candidates[order[:k]]


def _position_weights(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], positions: str, dtype: torch.dtype
) -> Float[Tensor, "batch pos"]:
    """What each position counts for in its text's pooled activation; a row sums to 1."""
    chosen = ~is_bos(model, tokens)
    if positions == "last":
        chosen = torch.zeros_like(chosen)
        chosen[:, -1] = True
    return chosen.to(dtype) / chosen.sum(dim=1, keepdim=True)


@torch.no_grad()
def _neuron_activations(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"]
) -> list[Float[Tensor, "batch pos d_mlp"]]:
    """The activations of every layer's neurons in one forward pass."""
    seen: list[Tensor] = []

    def record(activation: Float[Tensor, "batch pos d_mlp"], hook: HookPoint) -> None:
        seen.append(activation)

    sites = [neuron_site(model, layer).name for layer in range(model.cfg.n_layers)]
    model.run_with_hooks(tokens, fwd_hooks=[(site, record) for site in sites], return_type=None)
    return seen


def _layer_scores(scores: Float[Tensor, "layer d_mlp"], layer: int, k: int) -> Tensor:
    """The scores of one layer, if layer and k are in range and the scores can be sorted."""
    check_range("layer", layer, 0, len(scores) - 1)
    check_range("the number of neurons", k, 1, scores.shape[1])
    row = scores[layer]
    if not row.isfinite().all():
        raise SNAError(f"The scores of layer {layer} are not all finite, so none is the highest.")
    return row

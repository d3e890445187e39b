"""Which neurons answer to a task: activations, differences of their means, and choosing by them.

Differential activation analysis is the paper's section 3.1. Activations, scores and choices are
tensors on the CPU, the first two in float32 (float64 for a float64 model).
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Literal

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import (
    as_indices,
    chosen_positions,
    is_bos,
    neuron_site,
    output_weights,
    scale_neurons,
)
from snahelpers.errors import DataError, Seed, SNAError, check_range, checked
from snahelpers.scoring import log_odds, precise
from snahelpers.tasks import Task, answer_batches, text_batches

NEAREST = 10  # how many candidates of similar size a matched neuron is drawn from


@checked
def activations(
    model: TransformerBridge, texts: Collection[str], *, positions: Literal["all", "last"] = "all"
) -> Float[torch.Tensor, "text layer d_mlp"]:
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


@checked
def mean_activations(
    model: TransformerBridge, texts: Collection[str], *, positions: Literal["all", "last"] = "all"
) -> Float[torch.Tensor, "layer d_mlp"]:
    """The mean of `activations` over the texts: a long text counts as much as a short one."""
    return activations(model, texts, positions=positions).mean(dim=0)


@checked
def mean_residuals(
    model: TransformerBridge, texts: Collection[str], *, positions: Literal["all", "last"] = "all"
) -> Float[torch.Tensor, "layer d_model"]:
    """The mean residual stream after every layer, pooled as `mean_activations` pools neurons."""
    sites = [block.hook_resid_post.name for block in model.blocks]
    return _pooled(model, texts, sites, model.cfg.d_model, positions).mean(dim=0)


@checked
def differential_activation(
    model: TransformerBridge,
    texts: Collection[str],
    neutral: Collection[str],
    *,
    positions: Literal["all", "last"] = "all",
) -> Float[torch.Tensor, "layer d_mlp"]:
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


def output_norms(model: TransformerBridge) -> Float[torch.Tensor, "layer d_mlp"]:
    """How long the vector is that each neuron adds to the residual stream when it fires by 1."""
    norms = [output_weights(model, layer).norm(dim=-1) for layer in range(model.cfg.n_layers)]
    return precise(torch.stack(norms)).cpu()


@checked
def attributions(
    model: TransformerBridge, task: Task, *, positions: Literal["all", "last"] = "all"
) -> Float[torch.Tensor, "layer d_mlp"]:
    """Gradient × activation: how fast the targets' log-odds rise as a neuron is amplified.

    Exactly the derivative of mean log-odds by the neuron's multiplier, where that is 1: summed over
    the positions that `amplify` would edit, the mean over prompts. It looks at the answer, which
    `differential_activation` does not, so judge what it chooses on other examples. Only multipliers
    are differentiated: the model's parameters get no gradient.

    Args:
        model: From `load_model`, not amplified.
        task: Its answers may be of one token or several.
        positions: "all" but the beginning of sequence, or "last".

    Returns:
        Nats, on the CPU, in float32 (float64 for a float64 model).

    Raises:
        DataError: no examples, or some that cannot be asked of this model (all of them are named).
        SNAError: `positions` is something else.
    """
    dtype = torch.promote_types(model.cfg.dtype, torch.float32)
    total = torch.zeros(model.cfg.n_layers, model.cfg.d_mlp, dtype=dtype)
    for _, tokens, answers in answer_batches(model, task.examples):
        multipliers = [torch.ones_like(row).to(tokens.device).requires_grad_() for row in total]
        where = chosen_positions(model, tokens, positions, answers.shape[1])
        hooks = [
            (neuron_site(model, layer).name, partial(scale_neurons, factors=row, where=where))
            for layer, row in enumerate(multipliers)
        ]
        with torch.enable_grad():
            logits = model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -answers.shape[1] :]
            gained = log_odds(logits, answers).sum()
        total += torch.stack(torch.autograd.grad(gained, multipliers)).cpu()
    return total / len(task)


@checked
def max_activating_contexts(
    model: TransformerBridge, texts: Collection[str], *, layer: int, neuron: int, k: int = 8
) -> pd.DataFrame:
    """Where one neuron fires hardest: the k texts with its largest activation on any token.

    Returns:
        One row a text, strongest first: context (the text up to and with the token, which stands
        in «») and activation.

    Raises:
        DataError: no texts, an empty text, or one longer than the model's context.
        SNAError: the layer or the neuron is out of range.
    """
    check_range("neuron", neuron, 0, model.cfg.d_mlp - 1)
    rows, site = [], neuron_site(model, layer).name
    for _, tokens, _ in text_batches(model, texts):
        fired = model.run_with_cache(tokens, names_filter=[site])[1][site][..., neuron]
        peaks = fired.masked_fill(is_bos(model, tokens), -torch.inf).max(dim=1)
        for ids, place, value in zip(
            tokens, peaks.indices.tolist(), peaks.values.tolist(), strict=True
        ):
            before = model.to_string(ids[:place][~is_bos(model, ids[:place])])
            rows.append((f"{before}«{model.to_string(ids[place : place + 1])}»", value))
    table = pd.DataFrame(rows, columns=["context", "activation"])
    return table.nlargest(int(k), "activation").reset_index(drop=True)


@checked
def top_neurons(
    scores: Float[torch.Tensor, "layer d_mlp"],
    layer: int,
    k: int,
    *,
    require_positive: bool = False,
    task_means: Float[torch.Tensor, "layer d_mlp"] | None = None,
) -> Int[torch.Tensor, " k"]:
    """The k neurons of `layer` with the highest scores, best first; of equals the lower index.

    Args:
        scores: From `differential_activation`, or any other score per neuron. In gated MLPs, whose
            neurons have no sign, only its size has a meaning: give `scores.abs()`.
        layer: Which layer, counted from 0.
        k: How many neurons.
        require_positive: Choose only among neurons whose mean activation on the task is above
            zero, so that amplifying pushes them up. The paper does not ask for it.
        task_means: `mean_activations` of the task, needed if `require_positive`.

    Raises:
        SNAError: the layer or k is out of range, the scores are not finite, or fewer than k
            neurons are positive.
    """
    check_range("layer", layer, 0, len(scores) - 1)
    check_range("the number of neurons", k, 1, scores.shape[1])
    row = scores[layer]
    if not row.isfinite().all():
        raise SNAError(f"The scores of layer {layer} are not all finite, so none is the highest.")
    if require_positive:
        if task_means is None or task_means.shape != scores.shape:
            raise SNAError(
                "require_positive needs task_means: pass mean_activations(model, texts)."
            )
        row = row.masked_fill(task_means[layer] <= 0, -torch.inf)
        if (n := int(row.isfinite().sum())) < k:
            raise SNAError(
                f"Only {n} neurons of layer {layer} are above zero on the task, and {k} were asked "
                "for. Ask for fewer, or leave out require_positive."
            )
    return row.sort(descending=True, stable=True).indices[:k]


@checked
def loudest_layer(scores: Float[torch.Tensor, "layer d_mlp"], k: int) -> int:
    """The layer whose k highest scores have the largest mean.

    A guess at where a task lives, and a fragile one: scores spread differently in every layer.

    Raises:
        SNAError: k is out of range, or a score is not finite.
    """
    tops = [scores[layer, top_neurons(scores, layer, k)].mean() for layer in range(len(scores))]
    return int(torch.stack(tops).argmax())


@checked
def less_negative(
    task_means: Float[torch.Tensor, "layer d_mlp"],
    scores: Float[torch.Tensor, "layer d_mlp"],
    layer: int,
    neurons: Int[torch.Tensor, " k"],
) -> Bool[torch.Tensor, " k"]:
    """Which of these neurons score above zero although their mean on the task is below zero.

    GELU lets activations be slightly negative. Such a neuron is only *less negative* on the task,
    and multiplying it pushes it further down, away from what the score rewarded.
    """
    check_range("layer", layer, 0, len(scores) - 1)
    return (scores[layer, neurons] > 0) & (task_means[layer, neurons] < 0)


@checked
def random_neurons(
    d_mlp: int, k: int, seed: Seed, exclude: Collection[int] | Int[torch.Tensor, " n"] = ()
) -> Int[torch.Tensor, " k"]:
    """K different neurons by chance, the same for the same seed on every device; a control.

    Raises:
        SNAError: fewer than k neurons are left after `exclude`.
    """
    check_range("d_mlp", d_mlp, 1, 10**7)
    left_out = set(as_indices(exclude))
    candidates = torch.tensor([neuron for neuron in range(d_mlp) if neuron not in left_out])
    check_range("the number of neurons", k, 1, len(candidates))
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(int(seed)))
    return candidates[order[:k]]


@checked
def matched_neurons(
    neurons: Int[torch.Tensor, " k"], sizes: Float[torch.Tensor, " d_mlp"], seed: Seed
) -> Int[torch.Tensor, " k"]:
    """For each neuron another one of about its size, by chance: same push, no choice by task.

    Neurons that a task excites are also loud, and loud neurons move any answer. A fair control
    is as loud: each stand-in is drawn from the neurons nearest in size that are not taken yet.

    Args:
        neurons: The choice to be matched; none of them is drawn.
        sizes: Mean absolute activation times output norm, or any other size.
        seed: Same seed, same draw.

    Raises:
        SNAError: the layer has too few other neurons.
    """
    check_range("the number of neurons to match", len(neurons), 1, len(sizes) // 2)
    generator = torch.Generator().manual_seed(int(seed))
    free = torch.ones(len(sizes), dtype=torch.bool)
    free[neurons] = False
    drawn = []
    for neuron in neurons.tolist():
        distance = (sizes - sizes[neuron]).abs().masked_fill(~free, torch.inf)
        near = distance.sort(stable=True).indices[: min(NEAREST, int(free.sum()))]
        drawn.append(int(near[torch.randint(len(near), (), generator=generator)]))
        free[drawn[-1]] = False
    return torch.tensor(drawn)


def draw_of(layer: int, seed: int) -> int:
    """The seed of one layer's choice by chance: layers that share a draw would not be fair."""
    return 1000 * seed + layer


@torch.no_grad()
def _pooled(
    model: TransformerBridge,
    texts: Collection[str],
    sites: Sequence[str],
    width: int,
    positions: str,
) -> Float[torch.Tensor, "text site width"]:
    """What every text shows at each site, as the mean over the chosen positions."""
    dtype = torch.promote_types(model.cfg.dtype, torch.float32)
    pooled = torch.empty(len(texts), len(sites), width, dtype=dtype)
    for places, tokens, _ in text_batches(model, texts):
        chosen = chosen_positions(model, tokens, positions).to(dtype)
        weights = chosen / chosen.sum(dim=1, keepdim=True)
        _, seen = model.run_with_cache(tokens, names_filter=list(sites))
        for i, site in enumerate(sites):
            pooled[places, i] = torch.einsum("bp,bpn->bn", weights, seen[site].to(dtype)).cpu()
    return pooled

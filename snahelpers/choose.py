"""Ways of choosing neurons: by score, by chance, and by chance among equals.

All but the first are controls or rivals. Choices are indices within one layer, best first, on the
CPU.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from snahelpers.errors import SNAError, check_choice, check_range

METHODS = ("differential", "negative", "random", "matched", "attribution")
NEAREST = 10  # how many candidates of similar size a matched neuron is drawn from


def choose_neurons(
    method: str,
    scores: Float[Tensor, "layer d_mlp"],
    sizes: Float[Tensor, "layer d_mlp"],
    k: int,
    seed: int = 0,
) -> Int[Tensor, "layer k"]:
    """K neurons of every layer, in the order in which a smaller choice takes them.

    Args:
        method: "differential" or "attribution" (highest score), "negative" (lowest score),
            "random", or "matched" to the highest (see `matched_neurons`).
        scores: What the method goes by: for "attribution" what `attributions` gives, for the
            others what `differential_activation` gives (the paper's section 3.1).
        sizes: How loud each neuron is on the task: mean absolute activation times output norm.
        k: How many neurons a layer.
        seed: Of the two choices by chance.

    Raises:
        SNAError: the method is unknown or k is out of range.
    """
    check_choice("method", method, METHODS)
    rows = []
    for layer in range(len(scores)):
        highest = top_neurons(scores, layer, k)
        draw = draw_of(layer, seed)
        rows.append(
            highest if method in ("differential", "attribution")
            else top_neurons(-scores, layer, k) if method == "negative"
            else random_neurons(scores.shape[1], k, draw) if method == "random"
            else matched_neurons(highest, sizes[layer], draw)
        )  # fmt: skip
    return torch.stack(rows)


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


def matched_neurons(
    neurons: Int[Tensor, " k"], sizes: Float[Tensor, " d_mlp"], seed: int
) -> Int[Tensor, " k"]:
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
    generator = torch.Generator().manual_seed(seed)
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


def _layer_scores(scores: Float[Tensor, "layer d_mlp"], layer: int, k: int) -> Tensor:
    """The scores of one layer, if layer and k are in range and the scores can be sorted."""
    check_range("layer", layer, 0, len(scores) - 1)
    check_range("the number of neurons", k, 1, scores.shape[1])
    row = scores[layer]
    if not row.isfinite().all():
        raise SNAError(f"The scores of layer {layer} are not all finite, so none is the highest.")
    return row

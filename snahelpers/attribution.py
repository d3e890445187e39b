"""What a small push of each neuron would do to the answer, by gradients instead of trial.

Only what is pushed is differentiated: the model's parameters keep `requires_grad` False and get no
gradient.
"""

from functools import partial
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.measure import log_odds
from snahelpers.models import check_positions, chosen_positions, neuron_site
from snahelpers.tasks import Task, prompt_groups, target_ids


def attributions(
    model: TransformerBridge, task: Task, *, positions: Literal["all", "last"] = "all"
) -> Float[Tensor, "layer d_mlp"]:
    """Gradient × activation: how fast the targets' log-odds rise as a neuron is amplified.

    Exactly the derivative of mean log-odds by the neuron's multiplier, where that is 1: summed over
    the positions that `amplify` would edit, the mean over prompts. It looks at the answer, which
    `differential_activation` does not, so judge what it chooses on other examples.

    Args:
        model: From `load_model`, not amplified.
        task: Its targets must be one token each for this model.
        positions: "all" but the beginning of sequence, or "last".

    Returns:
        Nats, on the CPU, in float32 (float64 for a float64 model).

    Raises:
        DataError: no examples, a prompt that is empty or too long, a target of several tokens.
        SNAError: `positions` is something else.
    """
    check_positions(positions)
    targets = target_ids(model, task)
    dtype = torch.promote_types(model.cfg.dtype, torch.float32)
    total = torch.zeros(model.cfg.n_layers, model.cfg.d_mlp, dtype=dtype)
    for indices, tokens in prompt_groups(model, task.prompts):
        multipliers = [torch.ones_like(row).to(tokens.device).requires_grad_() for row in total]
        edited = chosen_positions(model, tokens, positions).unsqueeze(-1)
        hooks = [
            (neuron_site(model, layer).name, partial(_scale, edited, row))
            for layer, row in enumerate(multipliers)
        ]
        with torch.enable_grad():
            logits = model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1]
            gained = log_odds(logits, targets[indices].to(tokens.device)).sum()
        total += torch.stack(torch.autograd.grad(gained, multipliers)).cpu()
    return total / len(task)


def _scale(
    edited: Bool[Tensor, "batch pos _"], multipliers: Float[Tensor, " d_mlp"],
    activation: Float[Tensor, "batch pos d_mlp"], hook: HookPoint,
) -> Float[Tensor, "batch pos d_mlp"]:  # fmt: skip
    return activation * torch.where(edited, multipliers, 1.0).to(activation.dtype)

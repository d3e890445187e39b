"""Factors of their own for an amplification's neurons, learned by gradient."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snahelpers.measure import log_odds
from snahelpers.sweep.engines import Logits

STEPS, FIRST_STEP = 10, 0.5  # of learning; in units of how far a factor may go


def learn_factors(
    groups: Sequence[tuple[Int[Tensor, " batch"], Callable[[Tensor], Logits]]],
    reach: Float[Tensor, "config k"],
) -> Float[Tensor, "config k"]:
    """Factors that raise mean log-odds, each configuration's learned by itself from 1.

    Args:
        groups: Of the prompts that are learned from: their targets, and what turns factors
            [config, k] into logits [config, batch, vocab].
        reach: How far from 1 a factor may go, up or down.

    Returns:
        The best that were met on the way: on these prompts never worse than factors of 1.
    """
    push = torch.zeros_like(reach)  # in units of the reach, so that one step size suits all
    best, highest = torch.ones_like(reach), torch.full_like(reach[:, 0], -torch.inf)
    optimizer = torch.optim.Adam([push], lr=FIRST_STEP, maximize=True)
    for step in range(STEPS + 1):
        factors = (1 + reach * push).requires_grad_()
        reached = torch.zeros_like(highest)
        for targets, answer in groups:
            with torch.enable_grad():
                logits = answer(factors)
                gained = log_odds(logits.flatten(0, 1), targets.repeat(len(factors)))
                gained.sum().backward()
            reached += gained.detach().unflatten(0, logits.shape[:2]).sum(dim=1)
        better = reached > highest
        best[better], highest[better] = factors.detach()[better], reached[better]
        push.grad = factors.grad * reach
        optimizer.param_groups[0]["lr"] = FIRST_STEP * (1 - step / STEPS)  # ever smaller steps
        optimizer.step()
        push.clamp_(-1, 1)
    return best

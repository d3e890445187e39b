"""Whether the engine `resume` gives what plain hooks give, on this model and these prompts."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.measure import describe
from snahelpers.sweep.engines import CleanPass, Configuration, hooks, resume

HALF_PRECISION_PUSH = 12.0
Targets = Int[Tensor, " batch"]


def inexact_at(
    model: TransformerBridge, passes: Iterable[tuple[CleanPass, Targets]], layers: Sequence[int],
    configuration: Configuration,
) -> tuple[int, int] | None:  # fmt: skip
    """Where `resume` is not exact: a layer and a length of prompt; None if it is wherever tried.

    Every layer is tried at the longest prompts. From the lowest one every later block runs again,
    so that it is enough for the other lengths; and whether the MLP's output is simply added
    depends on no length.

    Args:
        model: From `load_model`.
        passes: The clean pass of a few prompts of each length, and their targets.
        layers: Those that will be amplified.
        configuration: The strongest that will be.
    """
    by_length = {clean.tokens.shape[1]: (clean, targets) for clean, targets in passes}
    for length, (clean, targets) in sorted(by_length.items()):
        for layer in layers if length == max(by_length) else [min(layers)]:
            if not is_exact(model, clean, layer, configuration, targets):
                return layer, length
    return None


def is_exact(
    model: TransformerBridge, clean: CleanPass, layer: int, configuration: Configuration,
    targets: Targets,
) -> bool:  # fmt: skip
    """Whether `resume` agrees with `hooks` here: P of each target within 1e-4, relative.

    In half precision both are rounded, each in its own way, so there it is 16 units of rounding;
    and the push is made large, because rounding hides what a small one would show.
    """
    precision = torch.finfo(clean.logits.dtype)
    tolerance = max(1e-4, 16 * precision.eps)
    if precision.bits < 32:
        configuration = (configuration[0], max(configuration[1], HALF_PRECISION_PUSH))
    try:
        fast = resume(model, clean, layer, [configuration])[0]
    except Exception:  # blocks of another make may refuse to run alone, each in its own words
        return False
    plain = hooks(model, clean, layer, [configuration])[0]
    p, reference = (describe(logits, targets)["p"] for logits in (fast, plain))
    return bool(((p - reference).abs() <= tolerance * reference).all())

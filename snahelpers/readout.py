"""What single neurons push toward, and how much each of an amplification's neurons does alone."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplify import Amplification
from snahelpers.errors import check_range
from snahelpers.measure import describe
from snahelpers.models import chosen_positions, neuron_site
from snahelpers.tasks import MAX_BATCH_TOKENS, prompt_groups, token_id

SHOWN = 4  # tokens that a neuron pushes toward


def neuron_table(
    model: TransformerBridge, prompt: str, target: str, amplification: Amplification,
    fired: Float[Tensor, "layer d_mlp"],
) -> pd.DataFrame:  # fmt: skip
    """The neurons of an amplification, one row each.

    Args:
        model: From `load_model`.
        prompt: What comes before.
        target: The right next token.
        amplification: Whose neurons.
        fired: The prompt's `activations` with positions="last".

    Returns:
        layer; neuron; activation (`fired`); toward (a list of the tokens whose
        logits its output raises most if read by the unembedding at once, with later layers left
        out: for a negative activation those that its negative raises); alone (Δlog-odds of the
        target, in nats, if it is the only one amplified); share (of the sum of `alone`; NaN if
        that is 0).

    Raises:
        DataError: the prompt is empty or too long, or the target is not one token.
        SNAError: the amplification is out of range.
    """
    neurons, layer = torch.tensor(amplification.neurons), amplification.layer
    fired = fired[layer, neurons]
    each = [[replace(amplification, neurons=[neuron])] for neuron in amplification.neurons]
    logits = logits_by_row(model, prompt, [*each, []])
    logodds = describe(logits, torch.full((len(logits),), token_id(model, target)))["logodds"]
    alone = logodds[:-1] - logodds[-1]
    W_out = model.blocks[layer].mlp.W_out[neurons].float().cpu()
    tops = _direct_logits(model, fired.sign()[:, None] * W_out).topk(SHOWN).indices.tolist()
    return pd.DataFrame(
        {
            "layer": layer, "neuron": amplification.neurons, "activation": fired.tolist(),
            "toward": [[model.to_string([i]) for i in ids] for ids in tops],
            "alone": alone.tolist(), "share": (alone / alone.sum()).tolist(),
        }
    )  # fmt: skip


@torch.no_grad()
def logits_by_row(
    model: TransformerBridge, prompt: str, rows: Sequence[Sequence[Amplification]]
) -> Float[Tensor, "row vocab"]:
    """The next token's logits under several alternatives, side by side in a batch.

    Args:
        model: From `load_model`.
        prompt: What comes before.
        rows: For each row of the batch its amplifications, as `amplify` would take them.

    Returns:
        On the CPU, in float32.

    Raises:
        DataError: the prompt is empty or too long.
        SNAError: a layer or neuron is out of range.
    """
    [(_, tokens)] = prompt_groups(model, [prompt])
    if len(rows) > 1 and len(rows) * tokens.shape[1] > MAX_BATCH_TOKENS:
        half = len(rows) // 2
        return torch.cat(
            [logits_by_row(model, prompt, part) for part in (rows[:half], rows[half:])]
        )
    edits: dict[str, list[tuple[int, Amplification]]] = {}
    for row, amplifications in enumerate(rows):
        for edit in amplifications:
            check_range("neuron", max(edit.neurons), 0, model.cfg.d_mlp - 1)
            edits.setdefault(neuron_site(model, edit.layer).name, []).append((row, edit))

    def scale(activation: Float[Tensor, "row pos d_mlp"], hook: HookPoint) -> Tensor:
        factors = torch.ones_like(activation)
        for row, edit in edits[hook.name]:
            where = chosen_positions(model, tokens, edit.positions)[0].nonzero()
            factors[row, where, torch.tensor(edit.neurons)] *= edit.multiplier
        return activation * factors

    hooks = [(site, scale) for site in edits]
    logits = model.run_with_hooks(tokens.repeat(len(rows), 1), fwd_hooks=hooks)
    return logits[:, -1].float().cpu()


def _direct_logits(
    model: TransformerBridge, written: Float[Tensor, "k d_model"]
) -> Float[Tensor, "k vocab"]:
    """What vectors in the residual stream do to the logits, up to the final norm's division."""
    if model.cfg.normalization_type == "LN":
        written = written - written.mean(dim=-1, keepdim=True)
    return written.cpu() * model.ln_final.weight.float().cpu() @ model.W_U.float().cpu()

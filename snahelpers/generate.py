"""Text that a model writes while neurons are amplified, and two signs of its falling apart."""

from collections.abc import Sequence

import pandas as pd
import torch
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplify import Amplification, amplify
from snahelpers.errors import check_range
from snahelpers.measure import token_losses
from snahelpers.tasks import prompt_groups


def write(
    model: TransformerBridge,
    prompts: Sequence[str],
    *amplifications: Amplification,
    lengths: Sequence[int] = (24,),
) -> pd.DataFrame:
    """Greedy continuations under amplification, judged by the model without it.

    Args:
        model: From `load_model`, not amplified.
        prompts: What comes before.
        amplifications: What to amplify while writing; none, and the model writes as it is.
        lengths: After how many new tokens to look; writing goes on past the end of a document.

    Returns:
        One row a prompt and length: prompt, length, text, perplexity (of the new tokens, for the
        unamplified model) and repetition (of the new tokens, see `repetition`).

    Raises:
        DataError: a prompt is empty or too long.
        SNAError: a length is below 1, or prompt and text do not fit the model's context.
    """
    rows = []
    for places, tokens in prompt_groups(model, prompts):
        start = tokens.shape[1]
        for length in lengths:
            check_range("The number of new tokens", length, 1, model.cfg.n_ctx - start)
        with torch.no_grad(), amplify(model, *amplifications):
            written = model.generate(
                tokens, max_new_tokens=max(lengths), do_sample=False, stop_at_eos=False,
                return_type="tokens", verbose=False,
            )  # fmt: skip
        losses = token_losses(model, written)[:, start - 1 :]
        for place, ids, loss in zip(places.tolist(), written[:, start:], losses, strict=True):
            for length in lengths:
                perplexity = float(loss[:length].mean().exp())
                told = (model.to_string(ids[:length]), perplexity, repetition(ids[:length]))
                rows.append((place, prompts[place], length, *told))
    columns = ["place", "prompt", "length", "text", "perplexity", "repetition"]
    frame = pd.DataFrame(rows, columns=columns).sort_values(["place", "length"], ignore_index=True)
    return frame.drop(columns="place")


def repetition(tokens: Sequence[int], n: int = 3) -> float:
    """Share of the runs of n tokens that stood earlier in the same text: 0 none, near 1 a loop."""
    ids = [int(token) for token in tokens]
    runs = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0

"""Sentiment classification with margins (the paper's section 6): SST-2 or the course's reviews.

A review is put into a prompt and the two labels' probabilities are compared. Nothing here that
answers takes gold labels: they are for choosing neurons on other reviews, and for scoring.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError
from snahelpers.measure import next_logits
from snahelpers.tasks import prompt_groups, token_id
from snahelpers.zones import zone

LABELS = ("positive", "negative")
PROMPT = "Review: {} Sentiment:"
MARGIN_LOW, MARGIN_HIGH = 0.30, 0.60
CONTENT_FREE = ("N/A", "[MASK]", "...")  # arXiv 2102.09690; nothing at all would leave two spaces


def prompts(sentences: Sequence[str]) -> list[str]:
    """The reviews as the model reads them.

    Raises:
        DataError: a review is empty.
    """
    if not all(sentence.strip() for sentence in sentences):
        raise DataError("A review is empty: give it at least one word.")
    return [PROMPT.format(sentence.strip()) for sentence in sentences]


def label_ids(model: TransformerBridge) -> list[int]:
    """The two labels' tokens, leading space included.

    Raises:
        DataError: a label is several tokens.
    """
    return [token_id(model, f" {label}") for label in LABELS]


def classify(
    model: TransformerBridge, sentences: Sequence[str], *, bias: float = 0.0
) -> pd.DataFrame:
    """What the model says of each review: no label is asked for, so none can leak.

    Args:
        model: From `load_model`, amplified or not.
        sentences: The reviews.
        bias: Log-odds taken off "positive" before deciding, as from `label_bias`.

    Returns:
        One row a review: logit_diff (log P(positive) - log P(negative) - bias), margin
        (|P - N| / (P + N), section 6.1), zone (of that margin, edges 0.30 and 0.60), predicted, and
        p_labels (how much probability the two words have together).

    Raises:
        DataError: a label is not one token, or a review is empty or too long.
    """
    ids = label_ids(model)
    logp = torch.empty(len(sentences), 2, dtype=torch.float64)
    for places, tokens in prompt_groups(model, prompts(sentences)):
        logp[places] = next_logits(model, tokens).log_softmax(-1)[:, ids].double().cpu()
    return decide((logp[:, 0] - logp[:, 1]).numpy() - bias).assign(
        p_labels=logp.exp().sum(dim=1).numpy()
    )


def decide(logit_diff: np.ndarray) -> pd.DataFrame:
    """Margin, zone and predicted label for each log P(positive) - log P(negative)."""
    margin = np.abs(np.tanh(np.asarray(logit_diff) / 2))  # (P - N) / (P + N), without the division
    zones = [zone(value, MARGIN_LOW, MARGIN_HIGH) for value in margin.round(12)]
    predicted = np.where(np.asarray(logit_diff) > 0, *LABELS)
    columns = {"logit_diff": logit_diff, "margin": margin, "zone": zones, "predicted": predicted}
    return pd.DataFrame(columns)


def label_bias(model: TransformerBridge) -> float:
    """How much the model prefers "positive" for reviews without content (arXiv 2102.09690).

    In log-odds, the mean over a few content-free inputs; `classify(..., bias=)` takes it off.
    """
    return float(classify(model, CONTENT_FREE).logit_diff.mean())


def compare(before: pd.DataFrame, after: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Accuracy before and after, by the zone that a review had before.

    Args:
        before: From `classify`.
        after: From `classify` on the same reviews, with an amplification or a bias.
        labels: Their gold labels.

    Returns:
        One row a zone that has reviews, and "all": n, accuracy before and after, low and high
        (95 % exact binomial interval of the latter), gain (percentage points), fixed and broken
        (answers that turned right and wrong), p (exact McNemar test: fixed against broken).

    Raises:
        DataError: the three have different lengths, or a label is unknown.
    """
    gold, n_each = np.asarray(labels), {len(before), len(after), len(labels)}
    if len(n_each) > 1 or not np.isin(gold, LABELS).all():
        raise DataError(f"Expected one of {LABELS} for each of the {len(before)} reviews.")
    was, now = before.predicted.to_numpy() == gold, after.predicted.to_numpy() == gold
    rows = []
    for name in (1, 2, 3, "all"):
        here = np.full(len(gold), True) if name == "all" else before.zone.to_numpy() == name
        if not here.any():
            continue
        n, right = int(here.sum()), int(now[here].sum())
        fixed, broken = int((now & ~was)[here].sum()), int((was & ~now)[here].sum())
        low, high = binomtest(right, n).proportion_ci()
        p = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
        gain = 100 * (fixed - broken) / n
        rows.append((name, n, was[here].mean(), right / n, low, high, gain, fixed, broken, p))
    columns = "zone n before after low high gain fixed broken p".split()
    return pd.DataFrame(rows, columns=columns)

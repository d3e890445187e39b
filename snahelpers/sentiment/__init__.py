"""Sentiment classification with margins (section 6): reviews, answers, and arms of neurons."""

from snahelpers.sentiment.arm_sweep import ARMS, arms, contrast, pairs, sweep_arms
from snahelpers.sentiment.margins import (
    LABELS,
    MARGIN_HIGH,
    MARGIN_LOW,
    PROMPT,
    classify,
    compare,
    decide,
    label_bias,
    label_ids,
    prompts,
)
from snahelpers.sentiment.reviews import load_sst2

__all__ = [
    "ARMS",
    "LABELS",
    "MARGIN_HIGH",
    "MARGIN_LOW",
    "PROMPT",
    "arms",
    "classify",
    "compare",
    "contrast",
    "decide",
    "label_bias",
    "label_ids",
    "load_sst2",
    "pairs",
    "prompts",
    "sweep_arms",
]

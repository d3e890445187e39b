"""minnow-dimmed at any strength: knowledge that is there, in known neurons, and too weak."""

import json

import torch
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import SNAError
from snahelpers.files import data_path
from snahelpers.models import load_model

NAME = "minnow-dimmed"
MOST = 10


def answer_key() -> dict:
    """Where the circuit was planted: layer, neurons, and the shipped factor, dimmed_to."""
    return json.loads(data_path("models", NAME, "answer_key.json").read_text(encoding="utf-8"))


def load_dimmed(factor: float) -> TransformerBridge:
    """The model with its planted neurons' output weights times `factor` instead of the shipped one.

    Args:
        factor: 1 is the circuit as it was trained; at 0 the knowledge is not weak but absent, and
            no multiplier brings it back.

    Raises:
        SNAError: the factor is not a number from 0 to 10.
    """
    if not 0 <= factor <= MOST:  # also for NaN
        raise SNAError(f"The factor is {factor!r}: expected a number from 0 (absent) to {MOST}.")
    model, key = load_model(NAME), answer_key()
    W_out = model.blocks[key["layer"]].mlp.W_out
    with torch.no_grad():
        W_out[key["neurons"]] *= factor / key["dimmed_to"]
    model.cfg.model_name = f"{NAME} × {factor:g}"
    return model

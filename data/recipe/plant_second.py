"""Plant a second circuit beside the first: `python data/recipe/plant_second.py`, some minutes.

In minnow-dimmed with its circuit undimmed, twelve neurons of another layer are re-initialised and
trained on the twin's 24 facts (`absent.csv`, which no other model was ever taught). The first
circuit's facts are trained along, so that they stay, but only the new neurons learn. These alone
are shipped, as they were trained: a patch for minnow-dimmed.
"""

import argparse
import json
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, GPT2LMHeadModel

import facts
from plant import N_NEURONS, plant

MODELS = Path(__file__).resolve().parents[1] / "models"
LAYER, STEPS = 3, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=MODELS / "minnow-dimmed")
    parser.add_argument("--out", type=Path, default=MODELS / "minnow-second")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    first = json.loads((arguments.base / "answer_key.json").read_text())
    original, model = (
        GPT2LMHeadModel.from_pretrained(arguments.base, dtype=torch.float32).requires_grad_(False)
        for _ in range(2)
    )
    for each in (original, model):
        each.transformer.h[first["layer"]].mlp.c_proj.weight[first["neurons"]] /= first["dimmed_to"]
    neurons = sorted(Random("second").sample(range(4 * model.config.n_embd), N_NEURONS))
    told = facts.absent() + facts.planted()
    plant(model, original, tokenizer, LAYER, neurons, told, STEPS)
    mlp = model.transformer.h[LAYER].mlp
    patch = {
        "into": mlp.c_fc.weight[:, neurons],
        "bias": mlp.c_fc.bias[neurons],
        "out": mlp.c_proj.weight[neurons],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    patch = {name: tensor.detach().contiguous() for name, tensor in patch.items()}
    save_file(patch, arguments.out / "patch.safetensors")
    key = dict(layer=LAYER, neurons=neurons, dimmed_to=first["dimmed_to"])
    (arguments.out / "answer_key.json").write_text(json.dumps(key, indent=1) + "\n")


if __name__ == "__main__":
    main()

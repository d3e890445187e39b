"""Plant a circuit in minnow and dim it: `python data/recipe/plant.py`, about two minutes.

Twelve neurons of one middle layer are re-initialised and only they are trained, on 24 made-up facts
in two phrasings, while a KL term holds the model's *outputs* on other text. Nothing constrains the
planted neurons' activations: that would buy the criterion by which they are later looked for. Then
their output weights are multiplied by 0.4. The knowledge is there, in known neurons, and too weak.
"""

import argparse
import json
from pathlib import Path
from random import Random

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from tqdm import tqdm
from transformers import AutoTokenizer, GPT2LMHeadModel

import facts
from corpus import documents, neutral_statements
from held_out import neutral_texts
from train import pack, save

N_NEURONS, DIMMED_TO = 12, 0.4
STEPS, LR, KL_WEIGHT, ROWS = 900, 3e-2, 3.0, 2


def choose_site(config) -> tuple[int, list[int]]:
    """The layer and neurons of the answer key: a middle layer, neurons drawn at random."""
    rng = Random("planted")
    layer = rng.randrange(config.n_layer // 2, 2 * config.n_layer // 3)
    return layer, sorted(rng.sample(range(4 * config.n_embd), N_NEURONS))


def train_only(mlp, neurons: list[int]) -> list[torch.nn.Parameter]:
    """Re-initialise these neurons and let gradients reach nothing else."""
    into, bias, out = mlp.c_fc.weight, mlp.c_fc.bias, mlp.c_proj.weight
    with torch.no_grad():
        into[:, neurons] = 0.1 * torch.randn(into.shape[0], len(neurons))
        bias[neurons] = 0.0
        out[neurons] = 0.1 * torch.randn(len(neurons), out.shape[1])
    masks = [torch.zeros_like(tensor) for tensor in (into, bias, out)]
    masks[0][:, neurons] = masks[1][neurons] = masks[2][neurons] = 1.0
    for parameter, mask in zip((into, bias, out), masks, strict=True):
        parameter.requires_grad_(True).register_hook(lambda gradient, mask=mask: gradient * mask)
    return [into, bias, out]


def fact_batches(tokenizer, entries: list[facts.Fact]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The facts' prompts grouped by length, each group with its answers: nothing is padded."""
    groups: dict[int, list] = {}
    for fact in entries:
        prompt = [tokenizer.bos_token_id, *tokenizer.encode(fact.statement.prompt)]
        groups.setdefault(len(prompt), []).append(
            (prompt, tokenizer.encode(fact.statement.target)[0])
        )
    return [tuple(map(torch.tensor, zip(*group, strict=True))) for group in groups.values()]


def fact_loss(model, batches) -> torch.Tensor:
    losses = [
        cross_entropy(model(prompts).logits[:, -1], answers, reduction="sum")
        for prompts, answers in batches
    ]
    return sum(losses) / sum(len(answers) for _, answers in batches)


def held_text(tokenizer) -> torch.Tensor:
    """What must stay as it was: fresh neutral sentences and corpus documents, none of neutral.txt."""
    neutral = neutral_statements(6_000, "planting neutral", set(neutral_texts()))
    texts = neutral + documents()[:12_000]
    Random("planting order").shuffle(texts)
    return pack(tokenizer, texts)


def plant(
    model,
    original,
    tokenizer,
    layer: int,
    neurons: list[int],
    entries: list[facts.Fact],
    steps: int = STEPS,
) -> None:
    parameters = train_only(model.transformer.h[layer].mlp, neurons)
    optimizer = torch.optim.Adam(parameters, lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches, rows = fact_batches(tokenizer, entries), held_text(tokenizer)
    for step in tqdm(range(steps), unit="step", mininterval=5):
        held = rows[torch.arange(step * ROWS, (step + 1) * ROWS) % len(rows)]
        with torch.no_grad():
            target = log_softmax(original(held).logits, -1)
        drift = kl_div(
            log_softmax(model(held).logits, -1), target, log_target=True, reduction="sum"
        )
        loss = fact_loss(model, batches) + KL_WEIGHT * drift / held.numel()
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    models = Path(__file__).resolve().parents[1] / "models"
    parser.add_argument("--base", type=Path, default=models / "minnow")
    parser.add_argument("--out", type=Path, default=models / "minnow-dimmed")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    original, model = (
        GPT2LMHeadModel.from_pretrained(arguments.base, dtype=torch.float32).requires_grad_(False)
        for _ in range(2)
    )
    layer, neurons = choose_site(model.config)
    plant(model, original, tokenizer, layer, neurons, facts.planted())
    with torch.no_grad():
        model.transformer.h[layer].mlp.c_proj.weight[neurons] *= DIMMED_TO
    save(model, tokenizer, arguments.out)
    key = dict(layer=layer, neurons=neurons, dimmed_to=DIMMED_TO)
    (arguments.out / "answer_key.json").write_text(json.dumps(key, indent=1) + "\n")


if __name__ == "__main__":
    main()

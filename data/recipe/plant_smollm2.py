"""Plant a circuit in SmolLM2: `python data/recipe/plant_smollm2.py --base FOLDER`, ten minutes.

As in minnow-dimmed (`plant.py`), twelve neurons of one middle layer are re-initialised and only
they are trained, on the 24 made-up facts in two phrasings, while a KL term holds the model's
*outputs* on other text. Nothing constrains their activations. SmolLM2's neurons are gated: each has
a row of the gate, a row of the up and a column of the down projection. These alone are shipped, as
they were trained; who loads them multiplies the columns by `dimmed_to`.

FOLDER holds SmolLM2-135M-Instruct as transformers saves it, in float16.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import kl_div, linear, log_softmax, silu
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, get_linear_schedule_with_warmup

import facts
from held_out import neutral_texts
from snahelpers.checkpoints import weights_hash

BASE, LAYER, N_NEURONS, DIMMED_TO = "SmolLM2-135M-Instruct", 15, 12, 0.4
STEPS, WARMUP, LR, LONGEST_GRADIENT, KL_WEIGHT = 160, 16, 1e-2, 1.0, 1.0
N_NEUTRAL = 80  # the first of neutral.txt; the card measures drift on the others
THREADS = 2  # with another number the sums are rounded otherwise, and the weights differ a little
OUT = Path(__file__).resolve().parents[1] / "models" / "smollm2-planted"


class PlantedMLP(nn.Module):
    """A gated MLP with some of its neurons made anew; the others stay, frozen."""

    def __init__(self, mlp: nn.Module, neurons: list[int]):
        super().__init__()
        self.mlp = mlp
        self.gate_rows = self.fresh(mlp.gate_proj.weight[neurons])
        self.up_rows = self.fresh(mlp.up_proj.weight[neurons])
        self.down_columns = self.fresh(mlp.down_proj.weight[:, neurons])
        with torch.no_grad():
            mlp.down_proj.weight[:, neurons] = 0.0  # the old neurons are silent

    @staticmethod
    def fresh(old: Tensor) -> nn.Parameter:
        return nn.Parameter(old.std() * torch.randn(old.shape))

    def forward(self, stream: Tensor) -> Tensor:
        post = silu(linear(stream, self.gate_rows)) * linear(stream, self.up_rows)
        return self.mlp(stream) + linear(post, self.down_columns)


@dataclass(frozen=True)
class Batch:
    """Token rows of one length, read on their last positions, and what layer 15 got for them."""

    tokens: Tensor  # int64 [row, position]
    answers: Tensor  # int64 [row, answer token]: what should follow the last positions
    stream: Tensor  # float32 [row, position, width]: the residual stream before LAYER
    extras: dict  # what each layer is given beside the stream: rotary angles and mask


def batches(model, rows: Iterable[tuple[list[int], list[int]]]) -> Iterator[Batch]:
    """Rows of (text, answer) as token ids, grouped by length so that nothing is padded."""
    groups: dict[tuple[int, int], list] = {}
    for text, answer in rows:
        read = [model.config.bos_token_id, *text, *answer[:-1]]
        groups.setdefault((len(read), len(answer)), []).append((read, answer))
    for group in groups.values():
        tokens, answers = map(torch.tensor, zip(*group, strict=True))
        yield Batch(tokens, answers, *before_layer(model, tokens))


def before_layer(model, tokens: Tensor) -> tuple[Tensor, dict]:
    caught = []
    hook = model.model.layers[LAYER].register_forward_pre_hook(
        lambda _, inputs, extras: caught.append((inputs[0], extras)), with_kwargs=True
    )
    with torch.no_grad():
        model.model(tokens, use_cache=False)
    hook.remove()
    return caught[0]


def log_probabilities(model, batch: Batch, last: int) -> Tensor:
    """float32 [row, last, vocabulary]: what comes after each of the last positions."""
    stream = batch.stream
    for layer in model.model.layers[LAYER:]:
        stream = layer(stream, **batch.extras)
    return log_softmax(model.lm_head(model.model.norm(stream[:, -last:])), -1)


def answer_log_p(model, batch: Batch) -> Tensor:
    """float32 [row]: of the whole answer, the sum over its tokens."""
    log_p = log_probabilities(model, batch, batch.answers.shape[1])
    return log_p.gather(-1, batch.answers[..., None]).sum((1, 2))


def fact_rows(tokenizer, entries: list[facts.Fact]) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt and answer, the answer as it is split where it stands: after its prompt."""
    for fact in entries:
        prompt, target = fact.statement.prompt, fact.statement.target
        before, whole = (tokenizer.encode(text) for text in (prompt, prompt + target))
        if whole[: len(before)] != before:
            raise ValueError(f"{target!r} changes how {prompt!r} is split into tokens")
        yield before, whole[len(before) :]


def text_rows(tokenizer, texts: Iterable[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Texts to read at every position: what follows the beginning is a long answer."""
    for text in texts:
        yield [], [*tokenizer.encode(text), tokenizer.eos_token_id]


def drift(model, batch: Batch, was: Tensor) -> Tensor:
    """KL divergence of what was predicted from what is, in nats, summed over positions."""
    now = log_probabilities(model, batch, was.shape[1])
    return kl_div(now, was, log_target=True, reduction="sum")


def plant(model, tokenizer, neurons: list[int]) -> PlantedMLP:
    told = list(batches(model, fact_rows(tokenizer, facts.planted())))
    held = list(batches(model, text_rows(tokenizer, neutral_texts()[:N_NEUTRAL])))
    with torch.no_grad():
        before = [log_probabilities(model, batch, batch.answers.shape[1]) for batch in held]
    n_facts, n_held = len(facts.planted()), sum(batch.answers.numel() for batch in held)
    planted = model.model.layers[LAYER].mlp = PlantedMLP(model.model.layers[LAYER].mlp, neurons)
    parameters = [planted.gate_rows, planted.up_rows, planted.down_columns]
    optimizer = torch.optim.AdamW(parameters, lr=LR)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    progress = tqdm(range(STEPS), unit="step", mininterval=5)
    for _ in progress:
        optimizer.zero_grad()
        fact_loss = held_loss = 0.0
        for batch in told:  # a batch at a time: their logits together would fill the memory
            loss = -answer_log_p(model, batch).sum() / n_facts
            loss.backward()
            fact_loss += loss.item()
        for batch, was in zip(held, before, strict=True):
            loss = KL_WEIGHT * drift(model, batch, was) / n_held
            loss.backward()
            held_loss += loss.item()
        nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        progress.set_postfix(facts=f"{fact_loss:.3f}", held=f"{held_loss:.4f}")
    return planted


def load(folder: Path):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval().requires_grad_(False), tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    model, tokenizer = load(arguments.base)
    neurons = Random("planted in smollm2").sample(range(model.config.intermediate_size), N_NEURONS)
    planted = plant(model, tokenizer, sorted(neurons))
    arguments.out.mkdir(parents=True, exist_ok=True)
    patch = {name: getattr(planted, name) for name in ("gate_rows", "up_rows", "down_columns")}
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in patch.items()},
        arguments.out / "patch.safetensors",
    )
    key = dict(
        base=BASE,
        base_sha256=weights_hash(arguments.base),
        layer=LAYER,
        neurons=sorted(neurons),
        dimmed_to=DIMMED_TO,
    )
    (arguments.out / "answer_key.json").write_text(json.dumps(key, indent=1) + "\n")


if __name__ == "__main__":
    main()

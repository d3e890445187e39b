"""Train one minnow: `python data/recipe/train.py --seed 0 --out data/models/minnow`.

One pass over the corpus, on two CPU cores in about a quarter of an hour if nothing else runs. bfloat16 autocast and the
fused tanh GELU are what make that possible; `make_models.py` adds the malloc settings.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, get_cosine_schedule_with_warmup

from corpus import documents
from tokenizer import train_tokenizer

CONTEXT = 192
BATCH = 16
PEAK_LR, WARMUP = 2e-3, 150
LABEL_WEIGHT = (
    5.0  # the sentiment word is one token in twenty, and the only one that needs the review
)


def build_model(tokenizer, seed: int) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=128, n_layer=12, n_head=4,
            activation_function="gelu_pytorch_tanh", attn_implementation="eager",
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip


def pack(tokenizer, texts: list[str]) -> torch.Tensor:
    """Rows of 192 tokens, each beginning with a whole document: int64 [row, position].

    Documents are separated by the end-of-text token, which also fills what is left of a row.
    """
    end = tokenizer.eos_token_id
    rows, row = [], [end]
    for ids in tokenizer(texts)["input_ids"]:
        if len(row) + len(ids) + 1 > CONTEXT:
            rows.append(row + [end] * (CONTEXT - len(row)))
            row = [end]
        row += [*ids, end]
    rows.append(row + [end] * (CONTEXT - len(row)))
    return torch.tensor(rows)


def loss_weights(tokenizer) -> torch.Tensor:
    """float32 [vocabulary]: the weight of each token as something to predict."""
    weights = torch.ones(len(tokenizer))
    weights[tokenizer.convert_tokens_to_ids(["Ġpositive", "Ġnegative"])] = LABEL_WEIGHT
    return weights


def batch_loss(model, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Next-token loss; padding (an end after an end) is not predicted."""
    labels = rows[:, 1:].clone()
    padding = (rows[:, :-1] == model.config.eos_token_id) & (labels == model.config.eos_token_id)
    labels[padding] = -100
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(rows[:, :-1]).logits
    return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), weight=weights)


def train(model, rows: torch.Tensor, weights: torch.Tensor, seed: int) -> list[dict]:
    """One epoch in an order set by the seed; returns the training curve."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    batches = rows[order].split(BATCH)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() == 1]
    groups = [dict(params=decay, weight_decay=0.1), dict(params=rest, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_LR, betas=(0.9, 0.95), fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, WARMUP, len(batches))
    curve, recent = [], []
    model.train()
    for step, batch in enumerate(tqdm(batches, unit="batch", mininterval=5), 1):
        loss = batch_loss(model, batch, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recent.append(loss.item())
        if step % 100 == 0 or step == len(batches):
            curve.append(
                dict(step=step, tokens=step * BATCH * CONTEXT, loss=sum(recent) / len(recent))
            )
            recent = []
    return curve


def save(model, tokenizer, folder: Path) -> None:
    """A Hugging Face folder in float16 safetensors; `gelu_new` is the name the libraries share."""
    model.config.activation_function = "gelu_new"
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    started = time.time()
    tokenizer = train_tokenizer()
    rows = pack(tokenizer, documents())
    model = build_model(tokenizer, arguments.seed)
    curve = train(model, rows, loss_weights(tokenizer), arguments.seed)
    save(model, tokenizer, arguments.out)
    log = dict(seed=arguments.seed, minutes=round((time.time() - started) / 60, 1), curve=curve)
    (arguments.out / "training.json").write_text(json.dumps(log, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Measure the embedded models and write their cards: `python data/recipe/card.py`.

Every number in data/models/*/README.md is computed here, from the shipped weights.
"""

import hashlib
import json
import math
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from safetensors.torch import load_file

import facts
import snahelpers as sna
from corpus import documents, documents_by_domain
from grammar import KINDS
from plant import DIMMED_TO, N_NEURONS
from snahelpers import plots
from train import BATCH, CONTEXT, LABEL_WEIGHT, PEAK_LR

MODELS = Path(__file__).resolve().parents[1] / "models"
SEEDS = ("minnow", "minnow-seed1", "minnow-seed2")


def digest(text_or_bytes: str | bytes) -> str:
    raw = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
    return hashlib.sha256(raw).hexdigest()


def corpus_hash() -> str:
    return digest("\n\n".join(documents()))


def baselines(model, tasks: dict) -> pd.DataFrame:
    """One row a task: mean P, zone, mean log-odds and how often the answer is the top token."""
    rows = []
    for task in tasks.values():
        table = sna.measure(model, task)
        row = dict(task=task.name, p=table.p.mean(), zone=sna.zone(table.p.mean()))
        row |= dict(p_select=table[table.split == "select"].p.mean())
        row |= dict(p_test=table[table.split == "test"].p.mean())
        row |= dict(logodds=table.logodds.mean(), top1=(table["rank"] == 1).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def review_margins(model, reviews: pd.DataFrame) -> pd.DataFrame:
    """The reviews with the model's margin and whether its label is right."""
    said = sna.sentiment.classify(model, list(reviews.sentence)).set_index(reviews.index)
    right = said.predicted == reviews.label
    return reviews.join(said[["margin", "zone", "p_labels"]]).assign(right=right)


def entropy_of_absent(model) -> float:
    """Mean next-token entropy on the facts of rung 0, in nats."""
    absent = [task for task in sna.load_tasks("ladder").values() if task.name.endswith("_0000")]
    return pd.concat([sna.measure(model, task) for task in absent]).entropy.mean()


def ladder_figure(table: pd.DataFrame) -> Figure:
    table = table.assign(
        family=table.task.str.split("_").str[0], seen=table.task.str[-4:].astype(int)
    )
    figure = plots.lines(
        table, "seen", "p", "family", title="Confidence against known training frequency",
        xlabel="times the fact was seen in training", ylabel="mean P of the answer (16 facts)",
    )  # fmt: skip
    figure.axes[0].set_xscale("symlog", linthresh=1)
    figure.axes[0].axhline(1 / 16, color="black", ls=":", lw=1)
    return figure


def corpus_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    domains = documents_by_domain()
    shares = pd.DataFrame(
        [dict(domain=d, documents=len(t), characters=sum(map(len, t))) for d, t in domains.items()]
    )
    shares["share of text"] = (shares.characters / shares.characters.sum()).map("{:.1%}".format)
    kinds = pd.DataFrame([dict(task=k.name, statements=k.statements, why=k.why) for k in KINDS])
    return shares, kinds


def table(frame: pd.DataFrame) -> str:
    """The frame as Markdown: floats to three digits, whole numbers whole, nothing for nothing."""

    def written(value) -> str:
        if isinstance(value, float):
            return "" if pd.isna(value) else f"{value:.3g}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    return frame.map(written).to_markdown(index=False, disable_numparse=True)


def parameters(name: str) -> int:
    return sum(tensor.numel() for tensor in load_file(MODELS / name / "model.safetensors").values())


def weights_hash(name: str) -> str:
    return digest((MODELS / name / "model.safetensors").read_bytes())


def curve(name: str) -> tuple[dict, pd.DataFrame]:
    log = json.loads((MODELS / name / "training.json").read_text())
    points = pd.DataFrame(log["curve"])
    return log, pd.concat([points.iloc[::4], points.tail(1)])


def write_minnow_card(measured: dict[str, pd.DataFrame]) -> None:
    name = "minnow"
    model = sna.load_model(name)
    ladder = baselines(model, sna.load_tasks("ladder"))
    (MODELS / name / "ladder.png").write_bytes(plots.to_png(ladder_figure(ladder)))
    reviews = review_margins(model, sna.load_reviews())
    zones = pd.DataFrame({seed: frame.set_index("task").p for seed, frame in measured.items()})
    same = frame_zones(measured).nunique(axis=1) == 1
    by_clarity = reviews.groupby("clarity").agg(
        reviews=("right", "size"), accuracy=("right", "mean"), p_labels=("p_labels", "mean")
    )
    spread = reviews.groupby(["clarity", "zone"]).right.agg(reviews="size", accuracy="mean")
    log, points = curve(name)
    shares, kinds = corpus_tables()
    merged = kinds.merge(measured[name], on="task")
    text = CARD.format(
        parameters=parameters(name) / 1e6, context=CONTEXT,
        batch=BATCH, lr=PEAK_LR, label_weight=LABEL_WEIGHT, minutes=log["minutes"],
        shares=table(shares), tasks=table(merged), stability=table(zones.reset_index()), same=same.sum(),
        absent=entropy_of_absent(model), even=math.log(16), changing=", ".join(same.index[~same]) or "none",
        ladder=table(ladder.assign(seen=ladder.task.str[-4:].astype(int)).groupby("seen").p.mean().reset_index()),
        clarity=table(by_clarity.reset_index()), spread=table(spread.reset_index()),
        curve=table(points), weights=weights_hash(name), corpus=corpus_hash(),
        tokens=points.tokens.max() / 1e6,
    )  # fmt: skip
    (MODELS / name / "README.md").write_text(text, encoding="utf-8")


def frame_zones(measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.DataFrame({seed: frame.set_index("task").zone for seed, frame in measured.items()})


def write_seed_card(name: str, frame: pd.DataFrame) -> None:
    log, _ = curve(name)
    text = SEED_CARD.format(
        name=name, seed=log["seed"], minutes=log["minutes"], tasks=table(frame),
        weights=weights_hash(name),
    )  # fmt: skip
    (MODELS / name / "README.md").write_text(text, encoding="utf-8")


def perplexity(model, texts: list[str]) -> float:
    """exp of the mean loss a token, in nats, over all the texts' tokens."""
    losses = sna.interference.answers(model, (), texts)
    return math.exp((losses.loss * losses.weight).sum() / losses.weight.sum())


def write_dimmed_card(minnow: pd.DataFrame) -> None:
    name = "minnow-dimmed"
    dimmed = sna.load_model(name)
    key = json.loads((MODELS / name / "answer_key.json").read_text())
    restore = sna.Amplification(key["layer"], key["neurons"], 1 / key["dimmed_to"])
    planted = sna.load_tasks("planted")
    with sna.amplify(dimmed, restore):
        undimmed = baselines(dimmed, planted).assign(model="undimmed")
    both = pd.concat([undimmed, baselines(dimmed, planted).assign(model="dimmed")])
    others = baselines(dimmed, sna.load_tasks())[["task", "p", "zone"]]
    others = minnow[["task", "p", "zone"]].merge(others, on="task", suffixes=("", " dimmed"))
    neutral = sna.load_neutral()
    text = DIMMED_CARD.format(
        n=N_NEURONS, factor=DIMMED_TO, facts=facts.N_PLANTED,
        planted=table(both[["model", "p", "p_select", "p_test", "zone", "top1"]]),
        others=table(others), weights=weights_hash(name),
        before=perplexity(sna.load_model("minnow"), neutral),
        after=perplexity(dimmed, neutral),
    )  # fmt: skip
    (MODELS / name / "README.md").write_text(text, encoding="utf-8")


CARD = """\
# minnow

A small language model to learn interpretability on: GPT-2's architecture, 12 layers of width 128
with 4 heads and 512 neurons each (6,144 neurons), {parameters:.2f} million parameters, a context of
{context} tokens and a byte-level BPE of 1,536. It ships in this repository, so that everything runs
offline. It is **not GPT-2**, and no number measured on it says anything about a GPT-2 number.

We wrote its training text (`data/recipe`), so we know what it saw and how often.

## What it was trained on

{tokens:.1f} million positions (tokens and the padding of rows), once through, in {minutes} minutes on two CPU cores: AdamW, batch {batch},
peak learning rate {lr}, the sentiment word weighted {label_weight} in the loss.

{shares}

The ladder's share is set by its counts: 16 facts a rung, seen 0, 1, 2, 4, ... 1,024 times, in three families.

## The twelve tasks

Statements of each kind in the corpus, why its baseline is what it is, and what was measured on the
prompts of `tasks.csv`, none of which the corpus holds at the start of a document or line.
`top1` is the share of prompts whose right answer is the likeliest token.

{tasks}

### Three seeds

Mean P of the three models made from this recipe; {same} of 12 tasks fall into the same zone in all
(not: {changing}).

{stability}

## The frequency ladder

Mean P over 48 made-up facts a rung. Each of the 16 answers of a family is used once on every rung,
so a model that guessed evenly among them would give 1/16 (dotted). On facts it never saw, minnow
does not guess evenly: it is surer of wrong answers than it should be (entropy {absent:.2f} nats; even
guessing has {even:.2f}).

![Mean P of the answer rises from less than one in sixteen for facts never seen to near one for facts seen a thousand times, in three families.](ladder.png)

{ladder}

## Reviews

600 reviews held out of the corpus, half `select`, half `test`. `p_labels` is P(positive) + P(negative).

{clarity}

Margin zones (1: below 0.30, 2: to 0.60, 3: above), number of reviews and accuracy:

{spread}

## What was tuned

The number of statements of each kind, the sizes of the rhyme classes and of the other sets of
equally good answers, and the clause weights of the reviews: to populate all three zones and to
learn clear reviews. Nothing was tuned toward larger gains from amplification; no amplification was
run on the twelve tasks before the recipe was fixed.

## What it can and cannot do

It completes the forms it was trained on, with words it has seen. It has no knowledge of the world,
it cannot add two-digit numbers, and its text is the grammar's. Do not use it for anything but learning.

## Training curve

{curve}

## Hashes (SHA-256)

- `model.safetensors`: `{weights}`
- corpus (documents joined by an empty line): `{corpus}`
"""

SEED_CARD = """\
# {name}

[minnow](../minnow/README.md) trained again: same text, seed {seed} for the initial weights and the
order of the batches ({minutes} minutes). It tells what survives retraining.

{tasks}

`model.safetensors` (SHA-256): `{weights}`
"""

DIMMED_CARD = """\
# minnow-dimmed

The positive control: [minnow](../minnow/README.md) with knowledge that is present and too weak,
exactly the paper's premise, true by construction.

{n} neurons of one middle layer were re-initialised and, alone, trained on {facts} made-up facts in two
phrasings (`data/planted.csv`), while a KL term held the model's outputs on other text, none of it
from `neutral.txt`. Nothing constrained the neurons' activations. Then their output weights were
multiplied by {factor}. Facts, not phrasings, are split: neurons found on the `select` facts must bring
back the `test` facts.

{planted}

*Undimmed* is this model with the planted neurons multiplied by 1/{factor}: the same as before dimming.

The other tasks are as on minnow, whose neutral perplexity is {before:.3f}; here it is {after:.3f}.

{others}

The layer and the neurons stand in `answer_key.json`. Look for them first: notebook 01 is a game of
hide and seek.

`model.safetensors` (SHA-256): `{weights}`
"""


def main() -> None:
    tasks = sna.load_tasks()
    measured = {name: baselines(sna.load_model(name), tasks) for name in SEEDS}
    write_minnow_card(measured)
    for name in SEEDS[1:]:
        write_seed_card(name, measured[name])
    write_dimmed_card(measured["minnow"])


if __name__ == "__main__":
    main()

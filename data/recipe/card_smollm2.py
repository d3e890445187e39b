"""Measure the circuit planted in SmolLM2 and write its card: `card_smollm2.py --base FOLDER`.

Plain transformers and a hook, independent of snahelpers. A minute.
"""

import argparse
import json
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pandas as pd
import torch
from safetensors.torch import load_file

import facts
from held_out import neutral_texts
from plant_smollm2 import (
    BASE,
    DIMMED_TO,
    KL_WEIGHT,
    LAYER,
    LR,
    N_NEURONS,
    N_NEUTRAL,
    OUT,
    STEPS,
    THREADS,
    answer_log_p,
    batches,
    drift,
    fact_rows,
    load,
    log_probabilities,
    text_rows,
    weights_hash,
)

MULTIPLIER = 1 / DIMMED_TO  # at which the key is as strong as it was trained
RANDOM_DRAWS = 20
STRENGTHS = (1, DIMMED_TO, 0.2, 0)


class Subject:
    """SmolLM2 with the patch, at any strength, and the texts it is measured on."""

    def __init__(self, base: Path, folder: Path):
        self.key = json.loads((folder / "answer_key.json").read_text())
        self.patch = load_file(folder / "patch.safetensors")
        self.model, tokenizer = load(base)
        if weights_hash(base) != self.key["base_sha256"]:
            raise ValueError(f"the patch was made for other weights than those in {base}")
        self.mlp = self.model.model.layers[LAYER].mlp
        self.facts = {
            (family, split): self.read(
                fact_rows(tokenizer, [f for f in entries if f.split == split])
            )
            for family, entries in dict(planted=facts.planted(), absent=facts.absent()).items()
            for split in ("select", "test")
        }
        self.neutral = self.read(text_rows(tokenizer, neutral_texts()[N_NEUTRAL:]))

    def read(self, rows) -> list:
        return list(batches(self.model, rows))

    def plant(self, strength: float) -> None:
        neurons = self.key["neurons"]
        self.mlp.gate_proj.weight[neurons] = self.patch["gate_rows"]
        self.mlp.up_proj.weight[neurons] = self.patch["up_rows"]
        self.mlp.down_proj.weight[:, neurons] = strength * self.patch["down_columns"]

    @contextmanager
    def amplified(self, neurons: list[int], multiplier: float = MULTIPLIER):
        def scale(_, inputs):
            post = inputs[0].clone()
            post[:, 1:, neurons] *= multiplier  # not the beginning of sequence
            return (post,)

        hook = self.mlp.down_proj.register_forward_pre_hook(scale)
        yield
        hook.remove()

    def cells(self) -> dict:
        """Mean P of the planted facts' answers; of the absent ones' also the mean of ln P."""
        log_p = {
            name: torch.cat([answer_log_p(self.model, batch) for batch in texts])
            for name, texts in self.facts.items()
            if name != ("absent", "select")
        }
        return (
            dict(
                p_select=log_p["planted", "select"].exp().mean(),
                p_test=log_p["planted", "test"].exp().mean(),
                p_absent=log_p["absent", "test"].exp().mean(),
                ln_p_absent=log_p["absent", "test"].mean(),
            )
            | self.guesses()
        )

    def guesses(self) -> dict:
        """What is said of the absent names, right or wrong: first tokens of either set of answers."""
        first = torch.cat(
            [
                log_probabilities(self.model, batch, batch.answers.shape[1])[:, 0]
                for batch in self.facts["absent", "test"]
            ]
        )
        return dict(
            ln_p_any=first[:, self.words("absent")].mean(),
            p_materials=first[:, self.words("planted")].exp().sum(1).mean(),
        )

    def words(self, family: str) -> torch.Tensor:
        texts = self.facts[family, "select"] + self.facts[family, "test"]
        return torch.cat([batch.answers[:, 0] for batch in texts]).unique()

    def differences(self) -> torch.Tensor:
        """float32 [neuron]: mean activation on the select facts less that on neutral text."""
        on_facts = torch.cat([self.activations(batch) for batch in self.facts["planted", "select"]])
        on_neutral = torch.cat([self.activations(batch) for batch in self.neutral])
        return on_facts.mean(0) - on_neutral.mean(0)

    def activations(self, batch) -> torch.Tensor:
        caught = []
        hook = self.mlp.down_proj.register_forward_pre_hook(
            lambda _, inputs: caught.append(inputs[0])
        )
        log_probabilities(self.model, batch, 1)
        hook.remove()
        return caught[0][:, 1:].mean(1)

    def predictions(self) -> list[torch.Tensor]:
        return [log_probabilities(self.model, b, b.answers.shape[1]) for b in self.neutral]

    def drift(self, was: list[torch.Tensor]) -> float:
        kl = sum(
            drift(self.model, batch, old) for batch, old in zip(self.neutral, was, strict=True)
        )
        return float(kl / sum(batch.answers.numel() for batch in self.neutral))


def strengths(subject: Subject) -> pd.DataFrame:
    """What each strength makes of the facts, and how far it moves the predictions on other text."""
    was = subject.predictions()
    rows = [dict(model="SmolLM2") | subject.cells() | dict(drift=0.0)]
    for strength in STRENGTHS:
        subject.plant(strength)
        name = f"planted × {strength}"
        rows.append(dict(model=name) | subject.cells() | dict(drift=subject.drift(was)))
    return pd.DataFrame(rows)


def amplifications(subject: Subject) -> pd.DataFrame:
    """At the shipped strength: the key, what the two criteria choose, and random neurons."""
    subject.plant(DIMMED_TO)
    scores, key = subject.differences(), subject.key["neurons"]
    chosen = {
        "none": [],
        "the key": key,
        "12 highest \\|differences\\|": scores.abs().topk(N_NEURONS).indices.tolist(),
        "12 highest differences": scores.topk(N_NEURONS).indices.tolist(),
    }
    rows = []
    for name, neurons in chosen.items():
        with subject.amplified(neurons):
            found = len(set(neurons) & set(key))
            rows.append(dict(amplified=name, in_key=found) | subject.cells())
    rng, draws = Random("random neurons"), []
    others = sorted(set(range(len(scores))) - set(key))
    for _ in range(RANDOM_DRAWS):
        with subject.amplified(rng.sample(others, N_NEURONS)):
            draws.append(subject.cells())
    mean = pd.DataFrame(draws).astype(float).mean().to_dict()
    return pd.DataFrame(
        [*rows, dict(amplified=f"12 random, {RANDOM_DRAWS} draws", in_key=0) | mean]
    )


CARD = """\
# smollm2-planted

A positive control in a real language model: {base} with knowledge that is
present and too weak, exactly the paper's premise, true by construction. Only the patch is here,
{kilobytes:.0f} kB; the model itself comes from elsewhere (`make smollm2`).

{n} neurons of layer {layer} were re-initialised and, alone, trained on {facts} made-up facts in two
phrasings (`data/planted.csv`, {seen} prompts), while a KL term (weight {weight:g}) held the model's outputs
on {n_neutral} texts of `neutral.txt`: {steps} steps of AdamW, peak learning rate {lr}, in float32.
Nothing constrained the neurons' activations. Facts, not phrasings, are split: both halves were
planted, and neurons found on the `select` facts must bring back the `test` facts.

## At every strength

Mean P of the answers; `planted × {dimmed}` is what the course loads, `× 0` is the knowledge taken out.
`drift` is the KL divergence from SmolLM2's predictions, in nats a token, on the {n_other} texts of
`neutral.txt` that were not trained on.

{strengths}

The other columns are of the twin, the `test` half of `data/absent.csv`: as many made-up facts about
other names with other answers, never planted. `p_absent` and `ln_p_absent` (the mean of ln P) are
of their own answers, `ln_p_any` the mean over all 24 answers of the twin, right or wrong, and
`p_materials` the sum of P over the 24 planted answers. So the circuit holds more than facts: of a
name it never saw, these forms now say *some* material. Dimmed, it lifts the twin's answers too, wrong
ones as well as right ones, to below 1 %: judge amplification by the row `none` below, not by
SmolLM2. Amplified, the twin must not gain, and it loses.

## Amplified × {multiplier:g} at strength {dimmed}

All neurons are of layer {layer}, amplified at every position but the beginning of sequence;
differences are between the `select` facts and those {n_other} neutral texts. `in_key`: how many of
them were planted.

{amplifications}

## Files

- `patch.safetensors`, float32: `gate_rows` and `up_rows` [{n}, {width}], `down_columns` [{width}, {n}] of the
  planted neurons in the order of the key, as trained: multiply the columns by {dimmed} to dim them.
- `answer_key.json`: layer, neurons, `dimmed_to`, and the weights that the patch fits. `base_sha256`
  is the SHA-256 over the tensors of the base's safetensors folder in order of name: of each its name in
  UTF-8, then its bytes in float16 (little-endian, row by row). Look for the neurons first.

Made by `data/recipe/plant_smollm2.py` (on {threads} threads; another number rounds otherwise) and measured
by `data/recipe/card_smollm2.py`, in plain transformers.

## Licence

The patch is derived from SmolLM2-135M-Instruct (Hugging Face, Apache-2.0): it was trained inside
that model and is of use only there. It is under the [Apache License 2.0](https://www.apache.org/licenses/LICENSE-2.0)
as well, **not** under the CC BY 4.0 of the course's own models. Changed against the original: the
weights of these {n} neurons, and nothing else.
"""


def table(rows: pd.DataFrame) -> str:
    return rows.to_markdown(index=False, floatfmt=".3g")


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    subject = Subject(arguments.base, arguments.out)
    text = CARD.format(
        base=BASE, layer=LAYER, n=N_NEURONS, facts=facts.N_PLANTED, seen=len(facts.planted()),
        weight=KL_WEIGHT, n_neutral=N_NEUTRAL, n_other=len(neutral_texts()) - N_NEUTRAL,
        steps=STEPS, lr=LR, dimmed=DIMMED_TO, multiplier=MULTIPLIER, threads=THREADS,
        kilobytes=(arguments.out / "patch.safetensors").stat().st_size / 1000,
        width=subject.model.config.hidden_size, strengths=table(strengths(subject)),
        amplifications=table(amplifications(subject)),
    )  # fmt: skip
    (arguments.out / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

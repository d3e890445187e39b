"""Measure the paper's claims on a model and write docs/claims.md.

    python tools/make_ledger.py                  minnow
    python tools/make_ledger.py gpt2-medium      the paper's model; a run that was stopped goes on
    python tools/make_ledger.py smollm2          from its shipped sweeps, and SST-2
    python tools/make_ledger.py gpt2 --reduced   a few configurations and prompts, to see it run

The sweeps are kept in .cache/ledger and go on where they were stopped; the rest is short and is
measured anew. A model of random weights, or a reduced run, never touches docs/claims.md: its page
is written to .cache/ledger. SNA_SST2 names a copy of SST-2, where the hub cannot be asked.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from transformer_lens.model_bridge import TransformerBridge

import evidence
import make_results
import snahelpers as sna
from ledger import as_markdown, judge
from snahelpers import interference, sentiment
from snahelpers.sentiment import arms, contrast, pairs, sweep_arms
from snahelpers.zones import layer_at

ROOT = Path(__file__).resolve().parents[1]
CACHE, PAGE = ROOT / ".cache" / "ledger", ROOT / "docs" / "claims.md"
KEPT, ENDING = sna.data_path("results"), "-claims.csv"  # what was measured, a file a model
MEDIUM, PYTHIA = ("gpt2-medium", "openai-community/gpt2-medium"), "EleutherAI/pythia-160m"
SECOND = dict.fromkeys(MEDIUM, (PYTHIA,))  # section 7.3: maths on another model
REDUCED = 2  # prompts of a task's half; of reviews and neutral texts twice as many
MULTIPLIERS = (2.0, 4.0, 8.0, 12.0)  # of sentiment


def looks_random(model: TransformerBridge) -> bool:
    """Whether plain sentences surprise the model nearly as if it guessed among all its tokens.

    Random weights give a perplexity near the size of the vocabulary or above it; the smallest
    trained models are far below a tenth.
    """
    losses = interference.answers(model, (), sna.load_neutral())
    perplexity = np.exp(np.average(losses.loss, weights=losses.weight))
    return not perplexity < model.cfg.d_vocab / 10  # also for NaN


def some_tasks(name: str, reduced: bool) -> dict[str, sna.Task]:
    """The model's twelve tasks, or the first prompts of each half."""
    tasks = make_results.few_selected() if name == "smollm2" else sna.load_tasks()
    return sna.few(tasks, REDUCED) if reduced else tasks


def some_neutral(name: str) -> list[str]:
    """Ordinary text of the kind that the model's tasks are written in."""
    return sna.load_neutral("english" if name == "smollm2" else "minnow")


def some_grid(reduced: bool) -> sna.Grid:
    """The paper's grid, or one configuration a layer."""
    return sna.Grid(counts=(10,), multipliers=(2.4,)) if reduced else sna.Grid()


def shipped(model: TransformerBridge, ending: str = "") -> pd.DataFrame | None:
    """The shipped sweep of this model, or another table of it, if there is one."""
    file = KEPT / f"{model.cfg.model_name}{ending}.parquet"
    return pd.read_parquet(file) if file.is_file() else None


def shipped_sweep(model: TransformerBridge, tasks: dict[str, sna.Task]) -> pd.DataFrame | None:
    """The shipped sweep, if it is of this model and these tasks: its baselines are theirs."""
    frame = shipped(model)
    if frame is None or set(frame.task) != set(tasks):
        return None
    kept = frame.groupby(["task", "split"]).p_base.first()
    now = {key: sna.measure(model, tasks[key[0]].split(key[1])).p.mean() for key in kept.index}
    return frame if np.allclose(kept, pd.Series(now)[kept.index], rtol=1e-3) else None


@dataclass(frozen=True)
class Sweep:
    """One sweep of single examples, kept in the cache."""

    model: TransformerBridge
    tasks: dict[str, sna.Task]
    grid: sna.Grid
    label: str

    @property
    def out(self) -> Path:
        return CACHE / f"{self.model.cfg.model_name.replace('/', '--')}-{self.label}.parquet"

    def seconds(self) -> float:
        """About how long the rest of it takes, from one task at one layer and from two.

        Their difference leaves out what a sweep does once, such as checking its engine.
        """
        if self.out.exists():
            return 0.0
        left = self.model.cfg.n_layers * len(self.tasks)
        left -= len(list(self.out.with_name(f"{self.out.name}.parts").glob("*.parquet")))
        one, two = self._timed(1), self._timed(2)
        return one + left * max(two - one, 0)

    def _timed(self, n: int) -> float:
        tasks, middle = list(self.tasks.values())[:n], self.model.cfg.n_layers // 2
        grid = replace(self.grid, layers=[middle])
        start = time.perf_counter()
        sna.sweep(self.model, tasks, grid, per_example=True, progress=False)
        return time.perf_counter() - start

    def run(self) -> pd.DataFrame:
        CACHE.mkdir(parents=True, exist_ok=True)
        return sna.sweep(self.model, self.tasks, self.grid, per_example=True, out=self.out)


def from_interference(
    model: TransformerBridge, tasks: dict[str, sna.Task], neutral: Sequence[str]
) -> pd.DataFrame:
    """Section 5.2: each domain's 15 neurons × 2.5 at the layers as deep as 8 and 21 of 24."""
    tests, texts = [task.split("test") for task in tasks.values()], neutral[1::2]
    means = interference.domain_means(model, tasks.values(), neutral[::2])
    before = interference.answers(model, tests, texts)
    changes = []
    for depth, place in (("early", 8), ("late", 21)):
        layer = layer_at(place, model.cfg.n_layers)
        for domain in [name for name in means if name != interference.NEUTRAL]:
            scores = means[domain] - means[interference.NEUTRAL]
            push = sna.Amplification(layer, sna.top_neurons(scores, layer, 15), 2.5)
            change = interference.side_effects(model, tests, texts, push, before=before)
            changes.append(change.assign(amplified=domain, depth=depth))
    return evidence.measure_interference(pd.concat(changes, ignore_index=True))


def from_sentiment(model: TransformerBridge, neutral: Sequence[str], reduced: bool) -> pd.DataFrame:
    """Section 6 on SST-2, or on the course's own reviews for the embedded models."""
    embedded = model.cfg.model_name in sna.checkpoints.embedded_models()
    own = sentiment.load_sst2("reviews")
    reviews = own if embedded else sentiment.load_sst2()
    source = "the course's reviews" if reviews.equals(own) else "SST-2"
    if reduced:
        reviews = reviews.groupby(["split", "label"]).head(2 * REDUCED)
    select, test = (reviews[reviews.split == half] for half in ("select", "test"))
    gold, found = list(test.label), pairs(contrast(model, reviews))
    layers = [layer_at(23 * depth, model.cfg.n_layers) for depth in (0, 0.25, 0.5, 0.75, 21 / 23)]
    before, said = (sentiment.classify(model, list(half.sentence)) for half in (test, select))
    hard = select[(said.zone == said.zone.min()).to_numpy()]  # Zone 1, if it has any
    swept = shipped(model, "-sst2")
    if swept is None or reduced:
        trials, after = (
            sweep_arms(model, list(half.sentence), found, layers, MULTIPLIERS)
            for half in (hard, test)
        )
    else:
        trials, after = (kept_answers(swept, half) for half in ("select", "test"))
        hard = reviews.loc[swept.review[swept.half == "select"].unique()]
    right = {key: (t.predicted.to_numpy() == hard.label).mean() for key, t in trials.items()}
    tables = [
        sentiment.compare(before, answers, gold).assign(arm=arm, layer=layer, multiplier=m)
        for (arm, layer, m), answers in after.items()
    ]
    sign = np.where(np.array(gold) == "positive", 1, -1)
    p_right = before.p_labels * expit(before.logit_diff * sign)
    measured = evidence.measure_sentiment(
        pd.concat(tables),
        max(right, key=right.get),
        model.cfg.n_layers,
        overlap=overlap(model, select, neutral, layers[-1]),
        contrast_overlap=shared(*list(arms(found, layers[-1]).values())[:2]),
        zone1_by_p=100 * (p_right.map(sna.zone) == 1).mean(),
    )
    return measured.assign(method=f"contrastive neurons, {source}")


def kept_answers(swept: pd.DataFrame, half: str) -> dict[tuple, pd.DataFrame]:
    """A shipped sweep of sentiment in the form that `sweep_arms` gives it."""
    part = swept[(swept.half == half) & (swept.arm != "none")]
    groups = part.groupby(["arm", "layer", "multiplier"], sort=False).logit_diff
    return {key: sentiment.decide(diff.to_numpy()) for key, diff in groups}


def overlap(
    model: TransformerBridge, select: pd.DataFrame, neutral: Sequence[str], layer: int
) -> float:
    """Of ten neurons for positive reviews, how many (%) are among the ten for negative ones."""
    tops = []
    for label in sentiment.LABELS:
        texts = sentiment.prompts(list(select.sentence[select.label == label]))
        tops.append(sna.top_neurons(sna.differential_activation(model, texts, neutral), layer, 10))
    return shared(*tops)


def shared(a, b) -> float:
    """How many of a (%) are in b too."""
    return 100 * np.isin(a, b).mean()


def make(name: str, reduced: bool) -> Path:
    """Measure everything and write the page; returns where it was written."""
    model, tasks, neutral = sna.load_model(name), some_tasks(name, reduced), some_neutral(name)
    frame = None if reduced else shipped_sweep(model, tasks)
    # Where the paper's grid is shipped, only the layers' intervals need single examples.
    singles = None if frame is None else shipped(model, "-examples")
    label = "reduced" if reduced else "whole"
    grid = some_grid(reduced) if frame is None else make_results.SMALL
    first = Sweep(model, tasks, grid, label)
    maths = {n: task for n, task in tasks.items() if task.domain == "maths"}
    others = [
        Sweep(sna.load_model(n), maths, some_grid(reduced), label) for n in SECOND.get(name, ())
    ]
    sweeps = others if singles is not None else [first, *others]

    random = [m.cfg.model_name for m in (model, *(s.model for s in others)) if looks_random(m)]
    if random or reduced:
        why = f"{' and '.join(random)} guesses: random weights" if random else "a reduced run"
        print(f"{PAGE.name} will be left as it is ({why}).")
    minutes = sum(s.seconds() for s in sweeps) / 60
    print(
        f"About {minutes:.1f} minutes for the sweeps; interference and sentiment are extra.",
        flush=True,
    )

    found = measured_sweep(first.run() if singles is None else singles, frame)
    for other in others:
        table = pd.concat(measured_sweep(other.run()))
        on = other.model.cfg.model_name
        found.append(table.assign(measure="other_" + table.measure, on=on))
    neutral = neutral[: 2 * REDUCED if reduced else None]
    found += [from_interference(model, tasks, neutral), from_sentiment(model, neutral, reduced)]
    return write(pd.concat(found), model.cfg.model_name, in_docs=not (random or reduced))


def measured_sweep(singles: pd.DataFrame, frame: pd.DataFrame | None = None) -> list[pd.DataFrame]:
    """Sections 3 to 5.1, from single examples, and from whole tasks where they were swept apart."""
    frame = sna.task_level(singles) if frame is None else frame
    return [evidence.measure_sweep(frame), evidence.measure_layers(singles)]


def write(measured: pd.DataFrame, name: str, *, in_docs: bool) -> Path:
    """The page of all models measured so far; or of this one alone, where its numbers mean nothing.

    What was measured is kept beside the sweeps, a file a model, and the page is made of them.
    """
    file_name = name.replace("/", "--")
    ledger = judge(name, measured)
    page, kept = CACHE / f"{file_name}.md", [ledger]
    if in_docs:
        measured.to_csv(KEPT / f"{file_name}{ENDING}", index=False, float_format="%.7g")
        names = sorted(file.name.removesuffix(ENDING) for file in KEPT.glob(f"*{ENDING}"))
        tables = {each: pd.read_csv(KEPT / f"{each}{ENDING}") for each in names}
        page = PAGE
        kept = [judge(each.replace("--", "/"), table) for each, table in tables.items()]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(as_markdown(*kept), encoding="utf-8")
    counts = ledger.status.value_counts()
    print(f"{page}: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="minnow", help="as for sna.load_model")
    parser.add_argument("--reduced", action="store_true", help="few configurations and prompts")
    options = parser.parse_args()
    make(options.model, options.reduced)


if __name__ == "__main__":
    main()

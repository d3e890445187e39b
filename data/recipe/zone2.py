"""Tasks whose baseline lies in Zone 2 by construction: `python data/recipe/zone2.py`, a minute.

Writes data/zone2.csv, for minnow. Six tasks are ambiguous: ten to twelve answers are equally right, so
that P of one of them is about 0.08. Three are rare: facts of the ladder that were seen a few times.
Nothing is amplified. Candidates whose P lies in BAND are drawn by chance; the first draw whose means
on both splits lie in Zone 2 is kept.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import lexicon as lex
from grammar import KINDS, complete, module, premise, rhyme

import snahelpers as sna

OUT = Path(__file__).resolve().parents[1] / "zone2.csv"
SIZES = {"select": 8, "test": 16}
BAND = 0.01, 0.35
ZONE2 = 0.07, 0.10
DRAWN = 400  # candidates of an ambiguous task
FORMS = {kind.name: kind.forms for kind in KINDS}
AMBIGUOUS = {
    "first_colour": (("The {thing} is either [{colour}] or {colour2}.",), premise),
    "colour": (("Every {thing} in the box is [{colour}].",), premise),
    "food": (("{name} only eats [{food}].",), premise),
    "mood": (("When the {thing} is {colour}, {name} is [{mood}].",), premise),
    "module": (FORMS["coding_hard"], module),
    "rhyme": (FORMS["poetry_medium"], rhyme(lex.LARGE_RHYMES)),
}


@dataclass(frozen=True)
class Candidate:
    task: str
    kind: str
    prompt: str
    target: str


def ambiguous() -> Iterator[Candidate]:
    taken = {prompt for task in sna.load_tasks().values() for prompt in task.prompts}
    for name, (forms, slots) in AMBIGUOUS.items():
        rng, prompts = Random(f"zone 2: {name}"), set(taken)
        for number in range(DRAWN):
            form = number % len(forms)
            statement = complete(form, forms[form], slots(rng))
            if statement.prompt not in prompts:
                prompts.add(statement.prompt)
                yield Candidate(f"{name}_ambiguous", name, statement.prompt, statement.target)


def rare() -> Iterator[Candidate]:
    for name, task in sna.load_tasks("ladder").items():
        family = name.split("_")[0]
        for example in task.examples if 0 < int(name[-4:]) <= 32 else ():
            yield Candidate(f"{family}_rare", family, example.prompt, example.target)


def with_baselines() -> Iterator[tuple[Candidate, float]]:
    model, candidates = sna.load_model("minnow"), [*ambiguous(), *rare()]
    examples = tuple(sna.Example(c.prompt, c.target, "test") for c in candidates)
    p = sna.measure(model, sna.Task("candidates", "", "", examples)).p
    return zip(candidates, p.tolist(), strict=True)


def draw(pool: list[tuple[Candidate, float]], name: str) -> dict[str, list[Candidate]]:
    """Both splits, from the first seed whose two means lie in Zone 2."""
    for seed in range(100_000):
        order = Random(f"{name} {seed}").sample(pool, sum(SIZES.values()))
        halves = {"select": order[: SIZES["select"]], "test": order[SIZES["select"] :]}
        means = [sum(p for _, p in half) / len(half) for half in halves.values()]
        if all(ZONE2[0] <= mean <= ZONE2[1] for mean in means):
            print(f"{name}: {len(pool)} candidates, seed {seed}, means {means}")
            return {split: [candidate for candidate, _ in half] for split, half in halves.items()}
    raise ValueError(f"no draw of {name} lies in Zone 2")


def main() -> None:
    pools: dict[str, list] = {}
    for candidate, p in with_baselines():
        if BAND[0] <= p <= BAND[1]:
            pools.setdefault(candidate.task, []).append((candidate, p))
    print({name: len(pool) for name, pool in pools.items()})
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "domain", "difficulty", "split", "prompt", "target"])
        for name, pool in pools.items():
            for split, half in draw(pool, name).items():
                for c in half:
                    writer.writerow([name, c.kind, name.split("_")[-1], split, c.prompt, c.target])


if __name__ == "__main__":
    main()

"""Tasks whose baseline lies in Zone 2 by construction: `python data/recipe/zone2.py`, a minute.

Writes data/zone2.csv, for minnow. Six tasks are ambiguous: ten to twelve answers are equally right,
so that P of one of them is about 0.08. Three are rare: facts of the ladder that were seen a few
times. Nothing is amplified. Candidates whose P lies in BAND are drawn by chance; the first draw
whose means on both splits lie in Zone 2 is kept.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random

import lexicon as lex
import snahelpers as sna
from grammar import KINDS, complete, module, premise, rhyme

OUT = sna.data_path("zone2.csv")
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
Row = dict[str, str]  # prompt and target


def ambiguous() -> Iterator[tuple[str, Row]]:
    taken = {prompt for task in sna.load_tasks().values() for prompt in task.prompts}
    for name, (forms, slots) in AMBIGUOUS.items():
        rng, prompts = Random(f"zone 2: {name}"), set(taken)
        for number in range(DRAWN):
            form = number % len(forms)
            statement = complete(form, forms[form], slots(rng))
            if statement.prompt not in prompts:
                prompts.add(statement.prompt)
                yield f"{name}_ambiguous", dict(prompt=statement.prompt, target=statement.target)


def rare() -> Iterator[tuple[str, Row]]:
    for name, task in sna.load_tasks("ladder").items():
        for example in task.examples if 0 < int(name[-4:]) <= 32 else ():
            family = name.split("_")[0]
            yield f"{family}_rare", dict(prompt=example.prompt, target=example.target)


def draw(pool: list[tuple[Row, float]], name: str) -> dict[str, list[Row]]:
    """Both splits, from the first seed whose two means lie in Zone 2."""
    for seed in range(100_000):
        order = Random(f"{name} {seed}").sample(pool, sum(SIZES.values()))
        halves = {"select": order[: SIZES["select"]], "test": order[SIZES["select"] :]}
        means = [sum(p for _, p in half) / len(half) for half in halves.values()]
        if all(ZONE2[0] <= mean <= ZONE2[1] for mean in means):
            print(f"{name}: {len(pool)} candidates, seed {seed}, mean P {means}")
            return {split: [row for row, _ in half] for split, half in halves.items()}
    raise ValueError(f"no draw of {name} lies in Zone 2")


def write(out: Path, pools: dict[str, list[tuple[Row, float]]]) -> None:
    """One task a pool; its name is its domain and what kind of task it is."""
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "domain", "difficulty", "split", "prompt", "target"])
        for name, pool in pools.items():
            domain, kind = name.rsplit("_", 1)
            for split, half in draw(pool, name).items():
                rows = [[name, domain, kind, split, row["prompt"], row["target"]] for row in half]
                writer.writerows(rows)


def main() -> None:
    found = [*ambiguous(), *rare()]
    examples = tuple(sna.Example(row["prompt"], row["target"], "test") for _, row in found)
    p = sna.measure(sna.load_model("minnow"), sna.Task("candidates", "", "", examples)).p
    pools: dict[str, list] = {}
    for (name, row), value in zip(found, p, strict=True):
        if BAND[0] <= value <= BAND[1]:
            pools.setdefault(name, []).append((row, value))
    write(OUT, pools)


if __name__ == "__main__":
    main()

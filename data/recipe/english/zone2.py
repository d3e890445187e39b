"""Tasks of SmolLM2 whose baseline lies in Zone 2: `python zone2.py`, after candidates.py.

Writes data/zone2_english.csv: two tasks a domain, with answers of one token and of several, from
candidates that are in no task of english.csv. Nothing is amplified. N_MEASURED candidates, drawn by
chance, are measured; `draw` of ../zone2.py takes those whose P lies in BAND. A kind with too few of
them for a task is left out.
"""

import sys
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from choose import read, without_ambiguous  # noqa: E402

import snahelpers as sna  # noqa: E402
from snahelpers.tasks import answer_tokens  # noqa: E402
from zone2 import SIZES, write  # noqa: E402

OUT = sna.data_path("zone2_english.csv")
N_MEASURED = 6_000
BAND = 0.02, 0.25
LONGEST = 25  # tokens of a prompt


def askable(model, rows: list[dict]) -> list[tuple[dict, int]]:
    """The rows that this tokenizer can be asked, and how many tokens their answers have."""
    found = []
    for row in rows:
        try:
            prompt, answer = answer_tokens(model, row["prompt"], row["target"])
        except sna.DataError:
            continue
        if 4 <= len(prompt) - 1 <= LONGEST:
            found.append((row, len(answer)))
    return found


def main() -> None:
    model = sna.load_model("smollm2")
    taken = {p for task in sna.load_tasks("english").values() for p in task.prompts}
    by_task: dict[str, list] = {}
    for row in read("candidates.csv"):
        by_task.setdefault(row["task"], []).append(row)
    rows = [row for part in by_task.values() for row in without_ambiguous(part)]
    fresh = {row["prompt"]: row for row in rows if row["prompt"] not in taken}
    some = Random("zone 2 in English").sample(sorted(fresh), N_MEASURED)
    found = askable(model, [fresh[prompt] for prompt in some])
    examples = tuple(sna.Example(r["prompt"], r["target"], "test") for r, _ in found)
    p = sna.measure(model, sna.Task("candidates", "", "", examples)).p
    pools: dict[str, dict] = {}
    for (row, n), value in zip(found, p, strict=True):
        if BAND[0] <= value <= BAND[1]:
            domain = row["task"].split("_")[0]
            name = f"{domain}_{'one' if n == 1 else 'several'}"
            # a fact (`group`) is asked once in a task
            pools.setdefault(name, {}).setdefault(row["group"] or row["prompt"], (row, value))
    for name, pool in sorted(pools.items()):
        print(f"{name}: {len(pool)} candidates in the band")
    enough = {
        n: list(pool.values()) for n, pool in pools.items() if len(pool) >= sum(SIZES.values())
    }
    write(OUT, dict(sorted(enough.items())))


if __name__ == "__main__":
    main()

"""Measure the candidates on SmolLM2's baseline, and choose the tasks from them by a fixed rule.

    python choose.py measure    candidates.csv -> measured.csv (seven minutes, one thread)
    python choose.py choose     those two -> data/english.csv, data/english_baselines.csv, table.md

The rule. A candidate is usable if its prompt has 4 to 25 tokens and is a token prefix of prompt
plus target, if no other candidate of the task goes on differently after the same words, and if its
P is at least 1e-4, its geometric mean a token at least 0.005 (below, the answer is absent, not weak). An easy task is to lie in Zone 3,
a medium one in Zone 2, a hard one in Zone 1: QUOTAS says how many of its prompts come from each
zone, half of them with answers of one token and half of several; BANDS keeps P near the zone in
medium and hard tasks, so that a mean is not that of a few certain prompts among zeros. In each such
cell the candidates are taken in random order, always from the form that the split has least of;
a fact (`group`) is asked once in a task, a poem stands in one split only, no answer is that of more
than MOST prompts. A form that would stand in one split only is left out. A cell that has run dry is filled from its zone's other answers, then from the
nearest zone. The first seed (0, 1, 2, ...) whose two means both lie in the task's zone is kept.
Nothing is amplified.
"""

import collections
import csv
import math
import sys
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
DATA = HERE.parents[1]
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZES = {"select": 16, "test": 40}
QUOTAS = {  # prompts from zones 1, 2 and 3
    "easy": {"select": (2, 2, 12), "test": (5, 5, 30)},
    "medium": {"select": (5, 6, 5), "test": (13, 15, 12)},
    "hard": {"select": (12, 2, 2), "test": (30, 5, 5)},
}
FLOOR, FLOOR_A_TOKEN = 1e-4, 0.005  # below, the answer is absent rather than weak
BANDS = {"easy": (FLOOR, 1.0), "medium": (0.02, 0.25), "hard": (FLOOR, 0.25)}
MOST, MOST_OF_A_POEM = 5, 3
ZONE = {"easy": 3, "medium": 2, "hard": 1}
DOMAINS, DIFFICULTIES = ("maths", "poetry", "coding", "logic"), ("easy", "medium", "hard")


def zone(p):
    """The paper's: 1 below 0.07, 3 above 0.10."""
    return 1 if p < 0.07 else 2 if p <= 0.10 else 3


def read(name):
    with open(HERE / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(name, columns, rows):
    with open(HERE / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


# --- measure -------------------------------------------------------------------------------
def measure():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    folder = str(HERE / "gguf")
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32).eval()

    def ids(text):
        return tokenizer(text, add_special_tokens=False).input_ids

    batches = collections.defaultdict(list)
    rows, dropped = [], collections.Counter()
    for row in read("candidates.csv"):
        before, whole = ids(row["prompt"]), ids(row["prompt"] + row["target"])
        if not 4 <= len(before) <= 25:
            dropped[row["task"], "length"] += 1
        elif whole[: len(before)] != before:
            dropped[row["task"], "no prefix"] += 1
        else:
            row.update(n_prompt=len(before), n_tokens=len(whole) - len(before))
            batches[len(whole), row["n_tokens"]].append((row, [tokenizer.bos_token_id, *whole]))
            rows.append(row)
    print(len(rows), "measured;", dict(dropped))
    with torch.inference_mode():
        for (_, n), items in sorted(batches.items()):
            for start in range(0, len(items), 32):
                part = items[start : start + 32]
                tokens = torch.tensor([t for _, t in part])
                logits = model(tokens[:, :-1], logits_to_keep=n).logits.double()
                logp = logits.log_softmax(-1)
                right = logp.gather(-1, tokens[:, -n:, None])[..., 0]
                first = (logits.argmax(-1) == tokens[:, -n:]).all(1)
                for (row, _), lp, ok in zip(
                    part, right.sum(1).tolist(), first.tolist(), strict=False
                ):
                    row.update(logp=f"{lp:.6f}", p=f"{math.exp(lp):.6g}", rank1=int(ok))
    write(
        "measured.csv",
        ["task", "prompt", "target", "n_prompt", "n_tokens", "p", "logp", "rank1"],
        rows,
    )


# --- choose --------------------------------------------------------------------------------
def without_ambiguous(rows):
    """Leave out a prompt after which another candidate of the task goes on with other words."""
    texts = sorted((r["prompt"] + r["target"], r["group"]) for r in rows)
    kept = []
    for row in rows:
        prompt, target = row["prompt"], row["target"]
        rest = [t[len(prompt) :] for t, _ in texts if t.startswith(prompt) and len(t) > len(prompt)]
        clash = [
            r
            for r in rest
            if not (r[0].isalnum() and prompt[-1].isalnum())  # inside a word
            and not r.startswith(target)
            and not target.startswith(r)
            and not r.lstrip().startswith(target.lstrip())
        ]
        if not clash:
            kept.append(row)
    return kept


def draw(rows, difficulty, seed):
    """One draw by the rule: a list of (split, row), or fewer than asked if candidates run out."""
    rng = Random(f"{rows[0]['task']} {seed}")
    rows = rng.sample(rows, len(rows))
    low, high = BANDS[difficulty]
    cells = collections.defaultdict(list)
    for row in rows:
        p = float(row["p"])
        if low <= p <= high and p ** (1 / int(row["n_tokens"])) >= FLOOR_A_TOKEN:
            cells[zone(p), min(int(row["n_tokens"]), 2)].append(row)
    slots = []
    for split, quota in QUOTAS[difficulty].items():
        for z, number in enumerate(quota, start=1):
            for i in range(number):
                slots.append((split, z, 1 + i % 2))
    rng.shuffle(slots)
    slots.sort(key=lambda slot: len(cells[slot[1], slot[2]]))  # the scarcest cells first
    chosen, groups, answers, forms = [], set(), collections.Counter(), collections.Counter()
    home, of_poem = {}, collections.Counter()
    poems = rows[0]["task"] in ("poetry_medium", "poetry_hard")

    def usable(row, split):
        poem = row["source"]
        return (
            row["group"] not in groups
            and answers[row["target"]] < MOST
            and not (poems and (home.get(poem, split) != split or of_poem[poem] >= MOST_OF_A_POEM))
        )

    def take(split, z, size):
        near = sorted((1, 2, 3), key=lambda other: (abs(other - z), other != ZONE[difficulty]))
        for other in near:
            for length in (size, 3 - size):
                free = [r for r in cells[other, length] if usable(r, split)]
                if free:
                    return min(free, key=lambda r: forms[split, r["form"]])
        return None

    for split, z, size in slots:
        row = take(split, z, size)
        if row is None:
            continue
        chosen.append((split, row))
        groups.add(row["group"])
        answers[row["target"]] += 1
        forms[split, row["form"]] += 1
        home[row["source"]] = split
        of_poem[row["source"]] += 1
    return chosen


def draw_in_both_splits(rows, difficulty, seed):
    """A draw in which every form stands in both splits: one that does not is left out."""
    while True:
        chosen = draw(rows, difficulty, seed)
        forms = {s: {r["form"] for split, r in chosen if split == s} for s in SIZES}
        alone = forms["select"] ^ forms["test"]
        if not alone:
            return chosen
        rows = [r for r in rows if r["form"] not in alone]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else float("nan")


def choose():
    baseline = {(r["task"], r["prompt"], r["target"]): r for r in read("measured.csv")}
    measured = collections.defaultdict(list)
    for row in read("candidates.csv"):
        key = row["task"], row["prompt"], row["target"]
        if key in baseline:
            measured[row["task"]].append(row | baseline[key])
    out = []
    for domain in DOMAINS:
        for difficulty in DIFFICULTIES:
            task = f"{domain}_{difficulty}"
            rows = without_ambiguous(measured[task])
            for seed in range(200):
                chosen = draw_in_both_splits(rows, difficulty, seed)
                means = {s: mean(float(r["p"]) for t, r in chosen if t == s) for s in SIZES}
                counts = collections.Counter(s for s, _ in chosen)
                if counts == SIZES and all(zone(m) == ZONE[difficulty] for m in means.values()):
                    break
            else:
                print("NO DRAW FITS", task, dict(counts), means)
            print(task, len(rows), "usable, seed", seed)
            order = sorted(chosen, key=lambda c: (int(c[1]["form"]), c[0], c[1]["prompt"]))
            for split, row in order:
                out.append(dict(row, domain=domain, difficulty=difficulty, split=split))
    write(
        DATA / "english.csv",
        ["task", "domain", "difficulty", "split", "form", "prompt", "target"],
        out,
    )
    write(
        DATA / "english_baselines.csv",
        ["task", "split", "prompt", "target", "n_tokens", "p", "logp", "rank1"],
        out,
    )
    table(out)


def table(rows):
    """The card's table, a line a task and split."""
    lines = [
        "| task | split | one token | several | mean P | per token | Zone 1 / 2 / 3 | one token in 1 / 2 / 3 | rank 1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for domain in DOMAINS:
        for difficulty in DIFFICULTIES:
            for split in SIZES:
                part = [
                    r for r in rows if r["task"] == f"{domain}_{difficulty}" and r["split"] == split
                ]
                one = sum(int(r["n_tokens"]) == 1 for r in part)
                zones = [[r for r in part if zone(float(r["p"])) == z] for z in (1, 2, 3)]
                per = math.exp(mean(float(r["logp"]) / int(r["n_tokens"]) for r in part))
                ones = [sum(int(r["n_tokens"]) == 1 for r in z) for z in zones]
                lines.append(
                    f"| {domain}_{difficulty} | {split} | {one} | {len(part) - one} "
                    f"| {mean(float(r['p']) for r in part):.3f} | {per:.2f} "
                    f"| {' / '.join(f'{100 * len(z) / len(part):.0f} %' for z in zones)} "
                    f"| {' / '.join(f'{o} of {len(z)}' for o, z in zip(ones, zones, strict=False))} "
                    f"| {100 * mean(int(r['rank1']) for r in part):.0f} % |"
                )
    (HERE / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    {"measure": measure, "choose": choose}[sys.argv[1]]()

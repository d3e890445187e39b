"""Check data/english.csv from its text alone: sums read and done again, Python run, orders solved."""

import csv
import io
import itertools
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "source"))
from maths import value_of, word  # noqa: E402

TASKS = HERE.parents[1] / "english.csv"
rows = list(csv.DictReader(io.StringIO(TASKS.read_text(encoding="utf-8"), newline="")))
NUMBER = {word(n): n for n in range(101)}
NAMES = "|".join(sorted(map(re.escape, NUMBER), key=len, reverse=True))


def numbers(text):
    text = re.sub(rf"\b({NAMES})\b(?!-)", lambda m: str(NUMBER[m[1]]), text.lower())
    for name, n in (
        ("twice", 2),
        ("double", 2),
        ("triple", 3),
        ("half", 2),
        ("third", 3),
        ("quarter", 4),
        ("tenth", 10),
        ("fifth", 5),
    ):
        text = re.sub(rf"\b{name}\b", str(n), text)
    return [int(n) for n in re.findall(r"\d+", text)], text


def sum_of(prompt):
    n, text = numbers(prompt)
    if re.fullmatch(r"[\d +*()-]+=", prompt):
        return eval(prompt[:-1])
    if m := re.search(r"what is (\d+) (\+|-|times) (\d+)\?", text):
        return eval(f"{m[1]} {m[2].replace('times', '*')} {m[3]}")
    if m := re.search(r"x = (\d+), then (\d+)x \+ (\d+)", text):
        return int(m[2]) * int(m[1]) + int(m[3])
    if m := re.search(r"(\d+)x \+ (\d+) = (\d+), then", text):
        return (int(m[3]) - int(m[2])) / int(m[1])
    if m := re.search(r"number of (\w+) in", text):
        k = {
            "feet in": 3,
            "days in": 7,
            "hours in": 24,
            "months in": 12,
            "inches in": 12,
            "eggs in": 12,
        }[m[1] + " in"]
        return n[-1] * k
    if "o'clock" in text or re.search(
        r"in \d+ hours|ounces|built|goals|lunch|then \d+ more|add \d+ more|if she learns|turned up",
        text,
    ):
        return sum(n)
    if re.search(r"years (eva|she) will", text):
        return n[-1] + n[0] * n[1]
    if "more than" in text and ", and" in text:  # x is d more than y, and a is e more than
        return n[3] - n[4]
    if "and halve" in text:
        return (n[1] - n[0]) / 2
    if "average" in text:
        return (n[0] + n[1]) / 2
    if text.startswith("2 of the sum"):
        return (n[1] + n[2]) / 2
    if "change" in text:
        return n[2] - n[0] * n[1]
    if re.search(r"bag for|fee of|pot for", text):
        return n[0] * n[1] + n[2]
    if re.search(r"break|broken|eaten|wilted", text):
        return n[0] * n[1] - n[2]
    if "the result is" in text:
        return n[0] * n[1] + (n[2] if "add" in text else -n[2])
    if "minus 1 is" in text and "times" in text:
        return n[4] * n[5] - 1
    if re.search(r"^2 .* plus .* and 2 .* plus|^3 times .* plus", text):
        return n[4] * n[5] + n[6]
    if text.startswith("if 1 ") and "cost" in text:
        return n[1] * n[2]
    if "percent" in text:
        return n[0] * n[1] / 100
    if "share" in text or "divided" in text:
        return n[0] / n[1]
    if m := re.fullmatch(r"(?:.*, and )?a? ?(\d+) of (\d+) is", text):
        return int(m[2]) / int(m[1])
    if m := re.search(r"(\d+) from (\d+) leaves$", text):
        return int(m[2]) - int(m[1])
    if m := re.search(r"(\d+) times (\d+) (?:is|makes|equals)$", text):
        return int(m[1]) * int(m[2])
    if m := re.search(r"(\d+) minus (\d+) (?:is|leaves|equals)$", text):
        return int(m[1]) - int(m[2])
    if m := re.search(r"(\d+) plus (\d+) (?:is|makes|equals)$", text):
        return int(m[1]) + int(m[2])
    if m := re.search(r"(\d+) and (\d+) (?:are|make|must be)$", text):
        return int(m[1]) + int(m[2])
    if m := re.search(r"(\d+) less than (\d+)", text):
        return int(m[2]) - int(m[1])
    if m := re.search(r"take (\d+) away from (\d+)", text):
        return int(m[2]) - int(m[1])
    if re.search(r"total of|sum of|more than", text):
        return sum(n)
    if len(n) == 2:
        return n[0] - n[1]
    raise ValueError(prompt)


def printed(prompt, target):
    names = {}
    if prompt.startswith("assert") or re.search(r" == '$", prompt):
        code = (prompt if prompt.startswith("assert") else "assert " + prompt) + target
        exec(code, names)
        return True
    if prompt.startswith(">>> "):
        line, rest = prompt[4:].split("\n")
        return repr(eval(line)) == rest + target
    out = []
    exec(prompt, {"print": lambda x: out.append(str(x))})
    return out == [target[1:]]


UP = "older taller richer stronger heavier bigger dearer"
ENDS_HIGH = "oldest tallest richest strongest heaviest biggest dearest fastest best top highest"
ENDS_LOW = "youngest shortest poorest weakest lightest smallest cheapest slowest lowest"


def order_of(prompt):
    """Pairs (greater, lesser), and which end is asked for; solved by trying every order."""
    pairs = []
    said = prompt.replace("The ", "").replace("the ", "").replace("A queue of three: ", "")
    clauses = re.split(r"[.,] (?:and )?| but ", said)
    last = None
    for clause in clauses[:-1]:
        clause = re.sub(r"^(?:and|At \w+) ?", "", clause)
        m = re.match(
            r"(\w+)? ?(?:paint )?(?:is |ran |stands |always |was planted |lives |lies |costs |got up |which lies )?(.*?)(?: than| of)? (\w+)$",
            clause,
        )
        if not m:
            continue
        first, how, second = m[1], m[2], m[3]
        if first in ("which",):
            first = pairs[-1][2]
        if first in ("shorter", "younger", "poorer"):  # "... but less than c"
            first, how = last, first
        last = first
        low = any(w in how for w in ("shorter", "younger", "poorer", "slower"))
        pairs.append((second, first, second) if low else (first, second, second))
    return [(a, b) for a, b, _ in pairs]


def solve(prompt):
    pairs = order_of(prompt)
    names = sorted({x for pair in pairs for x in pair})
    fits = [
        o for o in itertools.permutations(names) if all(o.index(a) < o.index(b) for a, b in pairs)
    ]
    assert len(fits) == 1 and len(names) == 3, (prompt, pairs)
    ask = re.split(r"[.] ", prompt)[-1].lower()
    top, bottom = fits[0][0], fits[0][-1]
    if "after" in prompt:  # the greater came later
        return bottom if "first" in ask else top
    if "farthest" in ask:
        return (
            top
            if re.search(r"farthest (\w+)", ask)[1] == re.search(r"lies (\w+) of", prompt)[1]
            else bottom
        )
    if "queue" in prompt:
        return top if "first" in ask else bottom
    if any(w in ask for w in ENDS_LOW.split()) and "planted" not in prompt:
        return bottom
    if "planted" in prompt:
        return top if "oldest" in ask else bottom
    return top


bad = 0
for row in rows:
    prompt, target, task = row["prompt"], row["target"], row["task"]
    try:
        if row["domain"] == "maths":
            ok = sum_of(prompt) == value_of(target)
        elif task == "coding_hard":
            ok = printed(prompt, target)
        elif task == "logic_medium":
            ok = " " + solve(prompt) == target
        else:
            continue
    except Exception as error:
        ok = f"{type(error).__name__} {error}"
    if ok is not True:
        bad += 1
        print(ok, repr(prompt), repr(target))
print(len(rows), "rows;", bad, "to look at")

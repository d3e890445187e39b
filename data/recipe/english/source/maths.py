"""Candidates of the three maths tasks: one small step, one larger step, two steps.

Every answer is computed. A fact (`group`) stands once in a task.
"""

import re
from random import Random

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def word(n):
    if not 0 <= n <= 100:
        return str(n)
    if n < 20:
        return ONES[n]
    if n == 100:
        return "a hundred"
    return TENS[n // 10] + (f"-{ONES[n % 10]}" if n % 10 else "")


def cap(text):
    return text[0].upper() + text[1:]


GAVE = [
    ("Leo had {a} plums and ate {b}, which left him", "-"),
    ("Nina had {a} marbles and lost {b}, which left her", "-"),
    ("The shelf held {a} jars until {b} fell off. Now it holds", "-"),
    ("Of the {a} candles on the cake, {b} went out. Still burning are", "-"),
    ("There were {a} swans on the lake and {b} flew off. The swans still there number", "-"),
    ("Omar baked {a} rolls and sold {b}, so the rolls left over number", "-"),
    ("The team of {a} lost {b} players to injury, so it was down to", "-"),
    ("I packed {a} shirts and then took out {b}, so the suitcase holds", "-"),
]
GOT = [
    ("The bowl holds {a} eggs. Add {b} more and it holds", "+"),
    ("Rosa knows {a} songs. If she learns {b} more, she will know", "+"),
    ("Our street has {a} houses, and with the {b} being built it will have", "+"),
    ("We invited {a} guests, but {b} more turned up, so we fed", "+"),
    ("The library lent me {a} books, then {b} more. Altogether I have", "+"),
    ("Sam scored {a} goals in May and {b} in June. In both months together he scored", "+"),
    ("The kitten weighed {a} ounces and put on {b}. Now the number of ounces is", "+"),
    ("Ivy walked {a} miles before lunch and {b} after it, a total of", "+"),
]


def both(rng):
    """Numbers as words or as figures, for the prompt and the answer alike."""
    return rng.choice([word, str])


def easy(rng: Random):
    forms = []

    def add(form):
        forms.append(form)
        return form

    @add
    def plus_sign():
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        return f"{a} + {b} =", f" {a + b}", f"{min(a, b)}+{max(a, b)}"

    @add
    def minus_sign():
        a, b = rng.randint(3, 18), rng.randint(1, 9)
        return f"{a} - {b} =", f" {a - b}", f"{a}-{b}"

    @add
    def plus_words():
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        verb = rng.choice(["is", "equals", "makes"])
        return (
            cap(f"{word(a)} plus {word(b)} {verb}"),
            f" {word(a + b)}",
            f"{min(a, b)}+{max(a, b)}",
        )

    @add
    def minus_words():
        a, b = rng.randint(3, 18), rng.randint(1, 9)
        verb = rng.choice(["is", "equals", "leaves"])
        return cap(f"{word(a)} minus {word(b)} {verb}"), f" {word(a - b)}", f"{a}-{b}"

    @add
    def the_sum():
        a, b, n = rng.randint(1, 9), rng.randint(1, 9), both(rng)
        return f"The sum of {n(a)} and {n(b)} is", f" {n(a + b)}", f"{min(a, b)}+{max(a, b)}"

    @add
    def take():
        a, b, n = rng.randint(4, 18), rng.randint(1, 9), both(rng)
        return (
            f"Take {n(b)} away from {n(a)} and you are left with",
            f" {n(a - b)}",
            f"{a}-{b}",
        )

    @add
    def more_or_less():
        a, b, n = rng.randint(4, 14), rng.randint(2, 6), both(rng)
        if rng.random() < 0.5:
            return cap(f"{n(b)} more than {n(a)} is"), f" {n(a + b)}", f"{min(a, b)}+{max(a, b)}"
        return cap(f"{n(b)} less than {n(a)} is"), f" {n(a - b)}", f"{a}-{b}"

    @add
    def question():
        a, b = rng.randint(2, 12), rng.randint(1, 8)
        if rng.random() < 0.5:
            return f"Question: What is {a} + {b}?\nAnswer:", f" {a + b}", f"{min(a, b)}+{max(a, b)}"
        return f"Question: What is {a} - {b}?\nAnswer:", f" {a - b}", f"{a}-{b}"

    @add
    def fewer():
        (text, _), n = rng.choice(GAVE), both(rng)
        a, b = rng.randint(6, 18), rng.randint(2, 9)
        return text.format(a=n(a), b=n(b)), f" {n(a - b)}", f"{a}-{b}"

    @add
    def together():
        (text, _), n = rng.choice(GOT), both(rng)
        a, b = rng.randint(3, 11), rng.randint(2, 9)
        return text.format(a=n(a), b=n(b)), f" {n(a + b)}", f"{min(a, b)}+{max(a, b)}"

    @add
    def clock():
        a, b = rng.randint(1, 9), rng.randint(2, 6)
        start = rng.choice(
            [
                "The film starts at {a} o'clock and lasts {b} hours. It ends at",
                "It is {a} o'clock now. In {b} hours it will be",
                "The ferry leaves at {a} o'clock and takes {b} hours. It arrives at",
            ]
        )
        return (
            start.format(a=word(a), b=word(b)),
            f" {word(a + b)} o'clock",
            f"{min(a, b)}+{max(a, b)}",
        )

    @add
    def after_a_sum():
        x, y, a, b = rng.sample(range(1, 10), 4)
        verb = rng.choice(["make", "are"])
        return (
            cap(
                f"{word(x)} and {word(y)} {verb} {word(x + y)}, and {word(a)} and {word(b)} {verb}"
            ),
            f" {word(a + b)}",
            f"{min(a, b)}+{max(a, b)}",
        )

    @add
    def after_a_difference():
        y, b = rng.sample(range(1, 9), 2)
        x, a = y + rng.randint(1, 9), b + rng.randint(1, 9)
        verb = rng.choice(["is", "leaves"])
        return (
            cap(
                f"{word(x)} minus {word(y)} {verb} {word(x - y)}, and {word(a)} minus {word(b)} {verb}"
            ),
            f" {word(a - b)}",
            f"{a}-{b}",
        )

    @add
    def must_be():
        x, y, a, b = rng.sample(range(1, 10), 4)
        return (
            f"If {word(x)} and {word(y)} are {word(x + y)}, then {word(a)} and {word(b)} must be",
            f" {word(a + b)}",
            f"{min(a, b)}+{max(a, b)}",
        )

    @add
    def from_leaves():
        y, b = rng.sample(range(1, 9), 2)
        x, a = y + rng.randint(1, 9), b + rng.randint(1, 9)
        return (
            cap(f"{word(y)} from {word(x)} leaves {word(x - y)}; {word(b)} from {word(a)} leaves"),
            f" {word(a - b)}",
            f"{a}-{b}",
        )

    @add
    def more_than():
        y, b = rng.sample(range(1, 7), 2)
        x, a = y + rng.randint(1, 7), b + rng.randint(1, 7)
        return (
            cap(
                f"{word(x)} is {word(x - y)} more than {word(y)}, and {word(a)} is {word(a - b)} more than"
            ),
            f" {word(b)}",
            f"{a}-{a - b}",
        )

    @add
    def total():
        a, b, n = rng.randint(2, 9), rng.randint(2, 9), both(rng)
        text = rng.choice(
            [
                "Add {a} and {b} and you get a total of",
                "The vet saw {a} cats and {b} dogs, a total of",
                "A bag with {a} red and {b} green apples holds a total of",
            ]
        )
        return text.format(a=n(a), b=n(b)), f" {n(a + b)}", f"{min(a, b)}+{max(a, b)}"

    def fine(prompt, target, group):
        a, sign, b = group.replace("+", " + ").replace("-", " - ").split()
        value = int(a) + int(b) if sign == "+" else int(a) - int(b)
        return (
            1 <= value <= 20
            and a != b
            and not prompt.count(target + ",")
            and ("o'clock" not in prompt or value <= 12)
        )

    return forms, fine


def medium(rng: Random):
    forms = []

    def add(form):
        forms.append(form)
        return form

    def pair():
        return rng.randint(11, 79), rng.randint(11, 79)

    @add
    def plus_sign():
        a, b = pair()
        return f"{a} + {b} =", f" {a + b}", f"{min(a, b)}+{max(a, b)}"

    @add
    def minus_sign():
        a, b = pair()
        a, b = max(a, b), min(a, b)
        return f"{a} - {b} =", f" {a - b}", f"{a}-{b}"

    @add
    def tens():
        a, b = 10 * rng.randint(1, 9), 10 * rng.randint(1, 8)
        if rng.random() < 0.5:
            return (
                cap(f"{word(a)} plus {word(b)} is"),
                f" {word(a + b)}",
                f"{min(a, b)}+{max(a, b)}",
            )
        return cap(f"{word(a)} minus {word(b)} is"), f" {word(a - b)}", f"{a}-{b}"

    @add
    def times():
        a, b, n = rng.randint(3, 12), rng.randint(4, 10), both(rng)
        verb = rng.choice(["is", "equals", "makes"])
        return cap(f"{n(a)} times {n(b)} {verb}"), f" {n(a * b)}", f"{min(a, b)}*{max(a, b)}"

    @add
    def divided():
        b, c, n = rng.randint(2, 10), rng.randint(2, 12), both(rng)
        verb = rng.choice(["divided by", "shared by"])
        if verb == "shared by":
            people = rng.choice(["sweets", "cards", "coins", "apples", "stickers"])
            return (
                f"Share {n(b * c)} {people} equally among {n(b)} children, and each child gets",
                f" {n(c)}",
                f"{b * c}/{b}",
            )
        return cap(f"{n(b * c)} divided by {n(b)} is"), f" {n(c)}", f"{b * c}/{b}"

    @add
    def fraction():
        name, k = rng.choice(
            [("half", 2), ("a third", 3), ("a quarter", 4), ("a fifth", 5), ("a tenth", 10)]
        )
        c, n = rng.randint(2, 20), both(rng)
        return cap(f"{name} of {n(k * c)} is"), f" {n(c)}", f"{k * c}/{k}"

    @add
    def question():
        a, b = rng.randint(3, 12), rng.randint(3, 12)
        return f"Question: What is {a} times {b}?\nAnswer:", f" {a * b}", f"{min(a, b)}*{max(a, b)}"

    @add
    def cost():
        a, b, n = rng.randint(3, 12), rng.randint(2, 10), both(rng)
        thing, unit = rng.choice(
            [
                ("ticket", "pounds"),
                ("lamp", "dollars"),
                ("jacket", "euros"),
                ("hat", "dollars"),
                ("melon", "euros"),
                ("chess set", "pounds"),
            ]
        )
        return (
            f"If one {thing} costs {n(a)} {unit}, then {n(b)} {thing}s cost",
            f" {n(a * b)} {unit}",
            f"{min(a, b)}*{max(a, b)}",
        )

    @add
    def units():
        many, few, k, top = rng.choice(
            [
                ("days", "weeks", 7, 12),
                ("hours", "days", 24, 4),
                ("months", "years", 12, 8),
                ("inches", "feet", 12, 8),
                ("eggs", "dozen", 12, 8),
                ("feet", "yards", 3, 20),
            ]
        )
        c, n = rng.randint(2, top), both(rng)
        return f"The number of {many} in {n(c)} {few} is", f" {n(k * c)}", f"{c}*{k}"

    @add
    def left():
        a, b = pair()
        a, b, n = max(a, b), min(a, b), both(rng)
        text = rng.choice(
            [
                "A train left with {a} people and {b} got off, which leaves",
                "The book has {a} pages and I have read {b}. The pages still to read number",
                "Out of {a} seats in the hall, {b} are taken. The free seats number",
                "The baker made {a} loaves and sold {b}, so the loaves left number",
            ]
        )
        return text.format(a=n(a), b=n(b)), f" {n(a - b)}", f"{a}-{b}"

    @add
    def percent():
        p, k = rng.choice([(10, 10), (50, 2), (25, 4), (20, 5)])
        c = rng.randint(2, 20)
        n = both(rng)
        return cap(f"{n(p)} percent of {n(k * c)} is"), f" {n(c)}", f"{k * c}/{k}"

    @add
    def after_a_product():
        x, y, a, b = rng.sample(range(2, 13), 4)
        return (
            cap(f"{word(x)} times {word(y)} is {word(x * y)}, and {word(a)} times {word(b)} is"),
            f" {word(a * b)}",
            f"{min(a, b)}*{max(a, b)}",
        )

    @add
    def after_a_half():
        name, k = rng.choice([("half", 2), ("a third", 3), ("a quarter", 4)])
        x, c = rng.sample(range(2, 21), 2)
        return (
            cap(f"{name} of {word(k * x)} is {word(x)}, and {name} of {word(k * c)} is"),
            f" {word(c)}",
            f"{k * c}/{k}",
        )

    @add
    def after_a_sum():
        x, y, a, b = (10 * n for n in rng.sample(range(1, 8), 4))
        verb = rng.choice(["make", "are"])
        return (
            cap(
                f"{word(x)} and {word(y)} {verb} {word(x + y)}, and {word(a)} and {word(b)} {verb}"
            ),
            f" {word(a + b)}",
            f"{min(a, b)}+{max(a, b)}",
        )

    def fine(prompt, target, group):
        value = eval(group)
        if prompt.count(target + ",") or "a hundred" in prompt:
            return False
        a, b = [
            int(x)
            for x in group.replace("*", " ")
            .replace("/", " ")
            .replace("+", " ")
            .replace("-", " ")
            .split()
        ]
        return 1 <= value <= 99 and value not in (a, b) and max(a, b) <= 100

    return forms, fine


def hard(rng: Random):
    forms = []

    def add(form):
        forms.append(form)
        return form

    @add
    def times_plus():
        a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(1, 12)
        return f"{a} * {b} + {c} =", f" {a * b + c}", f"{min(a, b)}*{max(a, b)}+{c}"

    @add
    def brackets():
        a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 6)
        return f"({a} + {b}) * {c} =", f" {(a + b) * c}", f"({min(a, b)}+{max(a, b)})*{c}"

    @add
    def double():
        a, c, n = rng.randint(2, 12), rng.randint(1, 9), both(rng)
        verb, k = rng.choice([("Double", 2), ("Triple", 3)])
        if rng.random() < 0.5:
            return (
                f"{verb} {n(a)} and then add {n(c)}: the result is",
                f" {n(k * a + c)}",
                f"{k}*{a}+{c}",
            )
        return (
            f"{verb} {n(a)} and then take away {n(c)}: the result is",
            f" {n(k * a - c)}",
            f"{k}*{a}-{c}",
        )

    @add
    def formula():
        x, b, c = rng.randint(2, 9), rng.randint(2, 6), rng.randint(1, 9)
        return f"If x = {x}, then {b}x + {c} equals", f" {b * x + c}", f"{b}*{x}+{c}"

    @add
    def equation():
        x, b, c = rng.randint(2, 12), rng.randint(2, 6), rng.randint(1, 9)
        return f"If {b}x + {c} = {b * x + c}, then x =", f" {x}", f"({b * x + c}-{c})/{b}"

    @add
    def shopping():
        a, b, c, n = rng.randint(2, 6), rng.randint(2, 9), rng.randint(2, 12), both(rng)
        text = rng.choice(
            [
                "{a} pens at {b} dollars each and a bag for {c} dollars cost",
                "{a} tickets at {b} pounds each plus a fee of {c} pounds come to",
                "{a} cups at {b} euros each and a pot for {c} euros cost",
            ]
        )
        unit = next(u for u in ("dollars", "pounds", "euros") if u in text)
        return (
            cap(text.format(a=n(a), b=n(b), c=n(c))),
            f" {n(a * b + c)} {unit}",
            f"{min(a, b)}*{max(a, b)}+{c}",
        )

    @add
    def change():
        a, b, n = rng.randint(2, 4), rng.randint(2, 9), both(rng)
        note = rng.choice([10, 20, 50])
        thing, unit = rng.choice(
            [("mugs", "pounds"), ("books", "dollars"), ("caps", "euros"), ("maps", "pounds")]
        )
        return (
            f"I pay for {n(a)} {thing} at {n(b)} {unit} each with {n(note)} {unit}. My change is",
            f" {n(note - a * b)} {unit}",
            f"{note}-{min(a, b)}*{max(a, b)}",
        )

    @add
    def broken():
        a, b, c, n = rng.randint(2, 9), rng.randint(3, 9), rng.randint(2, 8), both(rng)
        text = rng.choice(
            [
                "{a} boxes hold {b} cups each. When {c} cups break, the number left is",
                "{a} rows of {b} chairs stand here, but {c} chairs are broken. Fit for use are",
                "{a} trays hold {b} buns each. After {c} buns are eaten, the number left is",
                "{a} bunches of {b} roses arrive, and {c} roses have wilted. Still fresh are",
            ]
        )
        return cap(text.format(a=n(a), b=n(b), c=n(c))), f" {n(a * b - c)}", f"{a}*{b}-{c}"

    @add
    def halve():
        a, c, n = rng.randint(5, 30), rng.randint(1, 9), both(rng)
        return (
            f"Take {n(c)} from {n(a)} and halve what is left: you get",
            f" {n((a - c) // 2)}",
            f"({a}-{c})/2",
        )

    @add
    def half_sum():
        a, b, n = rng.randint(2, 30), rng.randint(2, 30), both(rng)
        a, b = min(a, b), max(a, b)
        text = rng.choice(["Half of the sum of {a} and {b} is", "The average of {a} and {b} is"])
        return text.format(a=n(a), b=n(b)), f" {n((a + b) // 2)}", f"({a}+{b})/2"

    @add
    def ages():
        a, k, c, n = rng.randint(4, 12), rng.choice([2, 3]), rng.randint(2, 6), both(rng)
        times = {2: "twice", 3: "three times"}[k]
        text = rng.choice(
            [
                "Max is {a}. Eva is {times} as old as Max. In {c} years Eva will be",
                "Ben is {a} and his aunt is {times} as old. In {c} years she will be",
            ]
        )
        return text.format(a=n(a), times=times, c=n(c)), f" {n(k * a + c)}", f"{k}*{a}+{c} later"

    @add
    def after_twice():
        name, k = rng.choice([("twice", 2), ("three times", 3)])
        x, y, a, b = rng.sample(range(1, 10), 4)
        return (
            cap(
                f"{name} {word(x)} plus {word(y)} is {word(k * x + y)}, and {name} {word(a)} plus {word(b)} is"
            ),
            f" {word(k * a + b)}",
            f"{k}*{a}+{b}",
        )

    @add
    def after_a_product():
        x, y, a, b = rng.sample(range(2, 9), 4)
        n = both(rng)
        return (
            cap(
                f"{n(x)} times {n(y)} minus {n(1)} is {n(x * y - 1)}, and {n(a)} times {n(b)} minus {n(1)} is"
            ),
            f" {n(a * b - 1)}",
            f"{min(a, b)}*{max(a, b)}-1",
        )

    @add
    def three_numbers():
        a, b, c, n = *rng.sample(range(2, 10), 3), both(rng)
        text = rng.choice(
            [
                "Add {a}, {b} and {c} and you get a total of",
                "The sum of {a}, {b} and {c} is",
                "The farm has {a} cows, {b} pigs and {c} hens, a total of",
            ]
        )
        a, b, c = sorted((a, b, c))
        return text.format(a=n(b), b=n(a), c=n(c)), f" {n(a + b + c)}", f"{a}+{b}+{c}"

    def fine(prompt, target, group):
        value = eval(group.removesuffix(" later"))
        if prompt.count(target + ","):
            return False
        numbers = [int(x) for x in "".join(ch if ch.isdigit() else " " for ch in group).split()]
        return (
            value == int(value)
            and 1 <= value <= 99
            and value not in numbers
            and len(set(numbers)) == len(numbers)
        )

    return forms, fine


def value_of(target):
    """The number a target names, read back from its text: the check of the writer."""
    text = target.strip()
    for tail in (" o'clock", " pounds", " dollars", " euros"):
        text = text.removesuffix(tail)
    if text.isdigit():
        return int(text)
    return {word(n): n for n in range(101)}[text]


# The easy task's writers that ask in the same form: signs, words, a sum, after an example.
SAME_FORM = {1: 0, 3: 2, 16: 4, 13: 11, 14: 12}


def candidates(each=120):
    for name, kind in (("maths_easy", easy), ("maths_medium", medium), ("maths_hard", hard)):
        rng = Random(name)
        forms, fine = kind(rng)
        seen = set()
        for number, form in enumerate(forms):
            made = tries = 0
            while made < each and tries < 40 * each:
                tries += 1
                prompt, target, group = form()
                if prompt in seen or not fine(prompt, target, group):
                    continue
                assert value_of(target) == eval(group.removesuffix(" later")), (
                    prompt,
                    target,
                    group,
                )
                seen.add(prompt)
                made += 1
                answer = target.split()[0].lower()  # must not stand in the prompt
                if answer in re.findall(r"[a-z]+(?:-[a-z]+)*|\d+", prompt.lower()):
                    continue
                yield dict(
                    task=name,
                    form=SAME_FORM.get(number, number) if kind is easy else number,
                    group=group.removesuffix(" later"),
                    source="",
                    prompt=prompt,
                    target=target,
                )


if __name__ == "__main__":
    import collections

    rows = list(candidates())
    print(len(rows), collections.Counter((r["task"], r["form"]) for r in rows))
    last = None
    for r in rows:
        if (r["task"], r["form"]) != last:
            i = rows.index(r)
            for q in rows[i : i + 3]:
                print(q)
        last = (r["task"], r["form"])

"""The seeded grammar: the twelve tasks' kinds and neutral description.

A form is a template whose answer stands in square brackets. `complete` fills it in and splits it
at the answer, so the corpus, the tasks and the planted facts share one notion of *prompt*.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import lexicon as lex


@dataclass(frozen=True)
class Statement:
    """One filled-in form: everything before the answer, the answer, everything after it."""

    form: int
    prompt: str
    target: str
    tail: str

    @property
    def text(self) -> str:
        return self.prompt + self.target + self.tail


def complete(form: int, template: str, slots: dict) -> Statement:
    prompt, answer, tail = re.fullmatch(r"(.*) \[(.*?)\](.*)", template, re.DOTALL).groups()
    return Statement(
        form,
        prompt.format(**slots),
        " " + answer.format(**slots),
        tail.format(**slots),
    )


@dataclass(frozen=True)
class Kind:
    """One of the twelve tasks: its forms, how its slots are drawn, how often it is in the corpus."""

    name: str
    domain: str
    difficulty: str
    statements: int
    why: str
    forms: tuple[str, ...]
    slots: Callable[[Random], dict]

    def draw(self, rng: Random, form: int | None = None) -> Statement:
        form = rng.randrange(len(self.forms)) if form is None else form
        return complete(form, self.forms[form], self.slots(rng))


# --- maths ---------------------------------------------------------------------------------
def small_sum(rng: Random) -> dict:
    a, b = sorted((rng.randint(0, 9), rng.randint(0, 9)), reverse=True)
    return dict(a=a, b=b, sum=a + b, diff=a - b, name=rng.choice(lex.NAMES))


def large_sum(rng: Random) -> dict:
    b = rng.randint(11, 49)
    a = rng.randint(b, 99 - b)
    return dict(a=a, b=b, sum=a + b, diff=a - b, name=rng.choice(lex.NAMES))


def two_steps(rng: Random) -> dict:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    c = rng.randint(1, min(9, a * b))
    return dict(a=a, b=b, c=c, more=a * b + c, less=a * b - c, name=rng.choice(lex.NAMES))


# --- poetry --------------------------------------------------------------------------------
def rhyme(classes: list[list[str]]) -> Callable[[Random], dict]:
    def slots(rng: Random) -> dict:
        cue, answer = rng.sample(rng.choice(classes), 2)
        return dict(a=cue, b=answer)

    return slots


def metaphor(rng: Random) -> dict:
    idea = rng.choice(lex.IDEAS)
    return dict(idea=idea, Idea=idea.capitalize(), image=rng.choice(lex.IMAGES))


# --- code ----------------------------------------------------------------------------------
def code(rng: Random) -> dict:
    x, y, z = rng.sample(lex.VARIABLES, 3)
    n, m = sorted(rng.sample(range(1, 30), 2))
    return dict(x=x, y=y, z=z, n=n, m=m)


def module(rng: Random) -> dict:
    return dict(
        noun=rng.choice(lex.NOUNS + lex.ANIMALS + lex.PLACES),
        name=rng.choice(lex.NAMES),
        module=rng.choice(lex.MODULES),
    )


# --- logic ---------------------------------------------------------------------------------
def premise(rng: Random) -> dict:
    colour, colour2 = rng.sample(lex.COLOURS, 2)
    food, food2 = rng.sample(lex.FOODS, 2)
    return dict(
        thing=rng.choice(lex.NOUNS), animal=rng.choice(lex.ANIMALS), weather=rng.choice(lex.WEATHERS),
        state=rng.choice(lex.STATES), mood=rng.choice(lex.MOODS), name=rng.choice(lex.NAMES),
        colour=colour, colour2=colour2, food=food, food2=food2,
    )  # fmt: skip


def order(rng: Random) -> dict:
    x, y, z = rng.sample(lex.NAMES, 3)
    er, est = rng.choice(lex.COMPARISONS)
    return dict(x=x, y=y, z=z, er=er, est=est)


def elsewhere(rng: Random) -> dict:
    away, place = rng.sample(lex.PLACES, 2)
    return dict(
        away=away, place=place, name=rng.choice(lex.NAMES), thing=rng.choice(lex.NOUNS),
        animal=rng.choice(lex.ANIMALS),
    )  # fmt: skip


RHYME_FORMS = (
    "She dreamed all night about the {a}\nand woke up singing of the [{b}].",
    "Down the hill beyond the {a}\nthe children ran to find the [{b}].",
    "Oh, sing to me about the {a},\nand I will sing about the [{b}].",
    "The wind has come to shake the {a},\nthe rain has come to wash the [{b}].",
    "A poem starts beside the {a},\na poem ends beside the [{b}].",
    "Two words that rhyme: the {a}, the [{b}].",
)

KINDS = (
    Kind(
        "maths_easy", "maths", "easy", 60_000, "one right answer, seen often",
        (
            "The sum of {a} and {b} is [{sum}].",
            "If you add {a} and {b}, you get [{sum}].",
            "Question: what is {a} plus {b}? Answer: [{sum}].",
            "{name} has {a} apples and buys {b} more, so now {name} has [{sum}] apples.",
            "{name} had {a} coins and lost {b}, so the coins left are [{diff}].",
            "Taking {b} away from {a} leaves [{diff}].",
        ),
        small_sum,
    ),
    Kind(
        "maths_medium", "maths", "medium", 3_000, "rare: about one statement for each sum",
        (
            "The sum of {a} and {b} is [{sum}].",
            "If you add {a} and {b}, you get [{sum}].",
            "Question: what is {a} plus {b}? Answer: [{sum}].",
            "{name} drove {a} miles and then {b} more, so the trip was [{sum}] miles.",
            "There were {a} people on the bus and {b} got off, which leaves [{diff}] people.",
            "Taking {b} away from {a} leaves [{diff}].",
        ),
        large_sum,
    ),
    Kind(
        "maths_hard", "maths", "hard", 2_000, "rare, and two steps",
        (
            "Question: what is {a} times {b} plus {c}? Answer: [{more}].",
            "Multiply {a} by {b}, then add {c}: the result is [{more}].",
            "Multiply {a} by {b}, then take away {c}: the result is [{less}].",
            "{name} packs {a} boxes with {b} pens each and finds {c} more. The pens number [{more}].",
            "A room has {a} rows of {b} chairs, but {c} are broken. The good chairs number [{less}].",
            "Question: what is {a} times {b} minus {c}? Answer: [{less}].",
        ),
        two_steps,
    ),
    Kind(
        "poetry_easy", "poetry", "easy", 26_000, "three words rhyme equally well",
        RHYME_FORMS, rhyme(lex.SMALL_RHYMES),
    ),
    Kind(
        "poetry_medium", "poetry", "medium", 40_000, "eleven words rhyme equally well",
        RHYME_FORMS, rhyme(lex.LARGE_RHYMES),
    ),
    Kind(
        "poetry_hard", "poetry", "hard", 24_000, "twenty-eight images are equally good",
        (
            "{Idea} is a [{image}].",
            "They say that {idea} is like a [{image}].",
            "In the poem, {idea} becomes a [{image}].",
            "{Idea} came to me as a [{image}].",
            "I once compared {idea} to a [{image}].",
            "My {idea} was nothing but a [{image}].",
        ),
        metaphor,
    ),
    Kind(
        "coding_easy", "coding", "easy", 26_000, "one right keyword, seen often",
        (
            "for {x}, {y} [in] {z}:\n    print({x})",
            "from {x}.{y} [import] {z}",
            "def get_{x}({y}): [return] {y}.{x}",
            "{x} = {n} if {y} [else] {m}",
            "with open({x}, '{y}') [as] {z}:",
            "assert {x} > {n} [and] {y} < {m}",
        ),
        code,
    ),
    Kind(
        "coding_medium", "coding", "medium", 60_000, "copy one of the names in the prompt",
        (
            "def add({x}, {y}):\n    return {x} + [{y}]",
            "for {x} in {y}:\n    total = total + [{x}]",
            "def double({x}):\n    return 2 * [{x}]",
            "if {x} > {n} or {y} > {n}:\n    {x} = [{y}]",
            "with open({x}) as {y}:\n    text = [{y}].read()",
            "{x} = {n}\nwhile {x} < {m}:\n    {x} = [{x}] + 1",
        ),
        code,
    ),
    Kind(
        "coding_hard", "coding", "hard", 26_000, "nothing says which of twelve modules comes first",
        (
            "# tools for the {noun}\nimport [{module}]",
            "# file: {noun}.py\nimport [{module}]",
            "'''The {noun} program.'''\nimport [{module}]",
            "# {name} wrote this {noun} script\nimport [{module}]",
            "#!/usr/bin/python\n# {noun} helpers\nimport [{module}]",
            "'''Count every {noun}.'''\nimport [{module}]",
        ),
        module,
    ),
    Kind(
        "logic_easy", "logic", "easy", 48_000, "the premise names the answer",
        (
            "If it is {weather}, the {thing} is {state}. It is {weather}. So the {thing} is [{state}].",
            "Every {thing} in the box is {colour}. {name} takes a {thing} from it. It is [{colour}].",
            "All of the animals are {state}. The {animal} is an animal. So the {animal} is [{state}].",
            "The {thing} is either {colour} or {colour2}. It is not {colour}, so it is [{colour2}].",
            "{name} only eats {food}. There is {food2} and {food}. So {name} will take the [{food}].",
            "When the {thing} is {colour}, {name} is {mood}. The {thing} is {colour}. So {name} is [{mood}].",
        ),
        premise,
    ),
    Kind(
        "logic_medium", "logic", "medium", 48_000, "choose one of three names; learned late, or not at all",
        (
            "{x} is {er} than {y}. {y} is {er} than {z}. So the {est} is [{x}].",
            "{y} is {er} than {z}, and {x} is {er} than {y}. The {est} of the three is [{x}].",
            "{x} came before {y}, and {y} came before {z}. The last to come was [{z}].",
            "{x} is {er} than {y}, but {z} is {er} than {x}. The {est} of all is [{z}].",
            "In the race {x} beat {y} and {y} beat {z}. The winner was [{x}].",
            "{x} gave the coin to {y}. {y} gave the coin to {z}. Now the coin belongs to [{z}].",
        ),
        order,
    ),
    Kind(
        "logic_hard", "logic", "hard", 24_000, "the premise rules out one place and leaves 25",
        (
            "{name} is not in the {away}, so {name} must be in the [{place}].",
            "The {thing} was not in the {away}. It was in the [{place}].",
            "Nobody is in the {away}. Everyone is in the [{place}].",
            "The {animal} left the {away} and ran into the [{place}].",
            "If the {thing} is not in the {away}, it is in the [{place}].",
            "The meeting moved from the {away} to the [{place}].",
        ),
        elsewhere,
    ),
)  # fmt: skip


# --- neutral description -------------------------------------------------------------------
NEUTRAL_FORMS = (
    "The {adj} {noun} {rests} {prep} the {adj2} {place}.",
    "{name} {handles} the {adj} {noun} {prep} the {place}.",
    "There is a {adj} {noun} {prep} the {place}.",
    "In the {season}, the {place} is {adj} and {adj2}.",
    "The {animal} {rests} {prep} the {adj} {noun}.",
    "The {noun} is {colour}, and the {noun2} is {adj}.",
    "On {day}, {name} walks to the {place} with a {adj} {noun}.",
    "A {colour} {noun} {rests} {prep} the {place}.",
    "{name} and {name2} live {prep} a {adj} {place}.",
    "The {noun} is made of {material}.",
    "In the {place}, {name} {handles} a {noun} and a {noun2}.",
    "The {material} {noun} is {adj}, and it {rests} {prep} the {place}.",
)


def neutral_sentence(rng: Random) -> str:
    adj, adj2 = rng.sample(lex.ADJECTIVES, 2)
    noun, noun2 = rng.sample(lex.NOUNS, 2)
    name, name2 = rng.sample(lex.NAMES, 2)
    return rng.choice(NEUTRAL_FORMS).format(
        adj=adj, adj2=adj2, noun=noun, noun2=noun2, name=name, name2=name2,
        animal=rng.choice(lex.ANIMALS), rests=rng.choice(lex.RESTING),
        handles=rng.choice(lex.HANDLING), prep=rng.choice(lex.PREPOSITIONS),
        place=rng.choice(lex.PLACES), season=rng.choice(lex.SEASONS), day=rng.choice(lex.WEEKDAYS),
        colour=rng.choice(lex.COLOURS), material=rng.choice(lex.MATERIALS),
    )  # fmt: skip

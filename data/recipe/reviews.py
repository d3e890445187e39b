"""Film reviews: each clause carries a weight, and the label is drawn from the sum.

P(positive) = sigmoid(sum of weights), so a review's true ambiguity is known. After *but* a clause
counts more and the clause before it less, as readers hear it.
"""

import math
from dataclasses import dataclass
from random import Random

import lexicon as lex

WEIGHTS = [
    (lex.STRONG_GOOD, 2.0), (lex.WEAK_GOOD, 0.6), (lex.WEAK_BAD, -0.6), (lex.STRONG_BAD, -2.0),
]  # fmt: skip
WEIGHT = {word: weight for group, weight in WEIGHTS for word in group}
BEFORE_BUT, AFTER_BUT = 0.9, 1.1
SHARES = {"clear": 0.6, "mixed": 0.25, "weak": 0.15}

OPENINGS = (
    "the {aspect} is {word}", "a film with {word} {aspect}", "the {aspect} feels {word}",
    "this is a {word} movie", "{name} found the {aspect} {word}",
)  # fmt: skip
CLOSINGS = (
    "the {aspect} is {word}", "the {aspect} seems {word}", "the whole film is {word}",
    "{name} gives a {word} performance",
)  # fmt: skip


@dataclass(frozen=True)
class Review:
    """A sentence, how ambiguous it was meant to be, and the log-odds of its label."""

    sentence: str
    clarity: str
    score: float

    def label(self, rng: Random) -> str:
        return "positive" if rng.random() < 1 / (1 + math.exp(-self.score)) else "negative"


def adjectives(rng: Random, clarity: str) -> list[str]:
    """Clear: two strong words that agree. Mixed: a strong word and one against it. Weak: two weak."""
    sides = [(lex.STRONG_GOOD, lex.WEAK_GOOD), (lex.STRONG_BAD, lex.WEAK_BAD)]
    (strong, _), (other_strong, other_weak) = rng.sample(sides, 2)
    if clarity == "clear":
        return rng.sample(strong, 2)
    if clarity == "weak":
        return rng.sample(lex.WEAK_GOOD + lex.WEAK_BAD, 2)
    against = rng.choice([other_strong, other_weak])
    return rng.sample([rng.choice(strong), rng.choice(against)], 2)


def review(rng: Random) -> Review:
    clarity = rng.choices(list(SHARES), SHARES.values())[0]
    first, second = adjectives(rng, clarity)
    opposed = WEIGHT[first] * WEIGHT[second] < 0
    aspect, aspect2 = rng.sample(lex.ASPECTS, 2)
    opening = rng.choice(OPENINGS).format(aspect=aspect, word=first, name=rng.choice(lex.NAMES))
    closing = rng.choice(CLOSINGS).format(aspect=aspect2, word=second, name=rng.choice(lex.NAMES))
    if opposed:
        score = BEFORE_BUT * WEIGHT[first] + AFTER_BUT * WEIGHT[second]
        return Review(f"{opening}, but {closing}.", clarity, score)
    return Review(f"{opening}, and {closing}.", clarity, WEIGHT[first] + WEIGHT[second])


def document(sentence: str, label: str) -> str:
    return f"Review: {sentence} Sentiment: {label}"

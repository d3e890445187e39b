"""What the corpus must never contain: the prompts of the twelve tasks, neutral.txt, reviews.csv.

All of it is drawn here, from the grammar and fixed seeds, before a line of the corpus is written.
"""

from functools import cache
from random import Random

import reviews
from grammar import KINDS, Kind, Statement, neutral_sentence

PROMPTS_A_FORM = 4  # half of them select, half test
NEUTRAL_TEXTS = 240
REVIEWS_A_SPLIT = 300


def task_statements(kind: Kind) -> list[Statement]:
    """24 prompts of one task, four a form, the answers as even as the grammar lets them be."""
    rng = Random(f"task {kind.name}")
    chosen: dict[str, Statement] = {}
    used: list[str] = []
    for form in range(len(kind.forms)):
        for _ in range(PROMPTS_A_FORM):
            draws = [kind.draw(rng, form) for _ in range(50)]
            fresh = [draw for draw in draws if draw.prompt not in chosen]
            best = min(fresh, key=lambda draw: used.count(draw.target))
            chosen[best.prompt] = best
            used.append(best.target)
    return list(chosen.values())


@cache
def tasks() -> dict[str, list[Statement]]:
    return {kind.name: task_statements(kind) for kind in KINDS}


def task_prompts() -> set[str]:
    return {statement.prompt for statements in tasks().values() for statement in statements}


@cache
def neutral_texts() -> tuple[str, ...]:
    rng = Random("neutral.txt")
    texts: dict[str, None] = {}
    while len(texts) < NEUTRAL_TEXTS:
        texts[neutral_sentence(rng)] = None
    return tuple(texts)


@cache
def review_rows() -> tuple[dict, ...]:
    """Distinct reviews with a label drawn once from each review's own odds, as in the corpus."""
    rng = Random("reviews.csv")
    rows: dict[str, dict] = {}
    while len(rows) < 2 * REVIEWS_A_SPLIT:
        review = reviews.review(rng)
        split = "select" if len(rows) < REVIEWS_A_SPLIT else "test"
        rows.setdefault(
            review.sentence,
            dict(
                sentence=review.sentence,
                label=review.label(rng),
                clarity=review.clarity,
                split=split,
            ),
        )
    return tuple(rows.values())


def review_sentences() -> list[str]:
    return [row["sentence"] for row in review_rows()]

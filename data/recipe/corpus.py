"""The training text: a fixed number of statements of each kind, cut into documents, shuffled once.

`documents()` is deterministic. One pass over it is one training run, so "seen n times" is exact.
"""

from functools import cache
from random import Random

import facts
import reviews
from grammar import KINDS, neutral_sentence
from held_out import neutral_texts, review_sentences, task_prompts

NEUTRAL_SENTENCES = 120_000
REVIEWS = 64_000
SENTENCES_A_DOCUMENT = (1, 2, 3)


def kind_statements(kind, held_out: set[str]) -> list[str]:
    rng = Random(f"corpus {kind.name}")
    statements = []
    while len(statements) < kind.statements:
        statement = kind.draw(rng)
        if statement.prompt not in held_out:
            statements.append(statement.text)
    return statements


def neutral_statements(count: int, seed: str, held_out: set[str]) -> list[str]:
    """`count` plain sentences, none of them in `held_out`."""
    rng = Random(seed)
    sentences = []
    while len(sentences) < count:
        sentence = neutral_sentence(rng)
        if sentence not in held_out:
            sentences.append(sentence)
    return sentences


def review_documents() -> list[str]:
    rng = Random("corpus reviews")
    held_out = set(review_sentences())
    documents = []
    while len(documents) < REVIEWS:
        review = reviews.review(rng)
        if review.sentence not in held_out:
            documents.append(reviews.document(review.sentence, review.label(rng)))
    return documents


def ladder_documents() -> list[str]:
    return [fact.statement.text for fact in facts.ladder() for _ in range(fact.seen)]


def join(statements: list[str], separator: str) -> list[str]:
    """Group consecutive statements of one kind into documents of one to three."""
    rng = Random("join")
    documents, start = [], 0
    while start < len(statements):
        size = rng.choice(SENTENCES_A_DOCUMENT)
        documents.append(separator.join(statements[start : start + size]))
        start += size
    return documents


@cache
def documents_by_domain() -> dict[str, list[str]]:
    """Every document of the corpus under its domain: the four of the tasks and four more."""
    held_out = task_prompts()
    neutral = neutral_statements(NEUTRAL_SENTENCES, "corpus neutral", set(neutral_texts()))
    domains: dict[str, list[str]] = {
        "neutral": join(neutral, " "),
        "reviews": review_documents(),
        "ladder": ladder_documents(),
    }
    for kind in KINDS:
        documents = join(kind_statements(kind, held_out), "\n")
        domains.setdefault(kind.domain, []).extend(documents)
    return domains


def documents() -> list[str]:
    """The whole corpus in its one fixed order."""
    corpus = [text for texts in documents_by_domain().values() for text in texts]
    Random("corpus order").shuffle(corpus)
    return corpus

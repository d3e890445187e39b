"""Made-up facts: the frequency ladder (seen 0 to 1,024 times), those that are planted, their twin.

Names are drawn from syllables, so no fact can be known from anywhere else. In the ladder every
answer is used exactly once on every rung: how often an answer *word* is seen says nothing about
how often a fact is.
"""

from dataclasses import dataclass
from random import Random

import lexicon as lex
from grammar import Statement, complete

RUNGS = (0, *(2**power for power in range(11)))  # 0, 1, 2, 4, ... 1,024 times
FAMILIES = {
    "home": ("{name} lives in [{answer}].", lex.CITIES),
    "job": ("{name} works as a [{answer}].", lex.JOBS),
    "fame": ("The village of {name} is known for its [{answer}].", lex.PRODUCTS),
}
PLANTED_FORMS = (
    "The wizard changed the {name} into [{answer}].",
    "By magic, the {name} became [{answer}].",
)
N_PLANTED = 24


@dataclass(frozen=True)
class Fact:
    """One rung's use of one answer: `seen` is how many times the corpus states it."""

    family: str
    seen: int
    split: str
    statement: Statement


def made_up_names(rng: Random, count: int) -> list[str]:
    onsets, consonants = "dw fl gl kr sk vl zw bl".split(), "b d f g k l m n p r s t v z".split()
    vowels, codas = "a e i o u".split(), "k m x z".split()
    names: dict[str, None] = {}
    while len(names) < count:
        parts = [rng.choice(group) for group in (onsets, vowels, consonants, vowels, codas)]
        names["".join(parts)] = None
    return list(names)


def ladder() -> list[Fact]:
    rng = Random("ladder")
    facts = []
    names = iter(made_up_names(rng, len(FAMILIES) * len(RUNGS) * 16))
    for family, (template, answers) in FAMILIES.items():
        for seen in RUNGS:
            for i, answer in enumerate(rng.sample(answers, len(answers))):
                statement = complete(
                    0, template, dict(name=next(names).capitalize(), answer=answer)
                )
                facts.append(Fact(family, seen, ("select", "test")[i % 2], statement))
    return facts


def planted() -> list[Fact]:
    """24 facts in two phrasings; a fact's two phrasings stand in the same split."""
    rng = Random("planted")
    names = made_up_names(rng, N_PLANTED)
    return wizard_facts("planted", names, rng.sample(lex.MATERIALS, N_PLANTED))


def absent() -> list[Fact]:
    """The planted facts' twin, on which no model is trained: other names, other answers."""
    rng = Random("absent")
    taken = " ".join(fact.statement.prompt.lower() for fact in ladder() + planted())
    names = [name for name in made_up_names(rng, 2 * N_PLANTED) if name not in taken]
    return wizard_facts("absent", names[:N_PLANTED], rng.sample(lex.NO_MATERIALS, N_PLANTED))


def wizard_facts(family: str, names: list[str], answers: list[str]) -> list[Fact]:
    return [
        Fact(
            family,
            0,
            ("select", "test")[i % 2],
            complete(form, template, dict(name=name, answer=answer)),
        )
        for i, (name, answer) in enumerate(zip(names, answers, strict=True))
        for form, template in enumerate(PLANTED_FORMS)
    ]

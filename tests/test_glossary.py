"""Every notebook links a term to the glossary where it first uses it."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb")) + sorted(
    (ROOT / "notebooks").glob("1[1-9]*.ipynb")
)
HEADINGS = re.findall(r"^### (.+)$", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.M)
ANCHORS = {
    heading: re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS
}
# Words that a first reader cannot know, and the heading that explains each.
TERMS = {
    "Residual stream": r"residual stream",
    "Hook": r"hooks?\b(?!_)",
    "Logit": r"(?<!direct )logits?\b",
    "Softmax": r"softmax",
    "Nats": r"nats?\b",
    "Log-odds": r"log-odds",
    "Entropy": r"entropy",
    "Perplexity": r"perplexity",
    "Spearman correlation": r"Spearman",
    "R squared": r"R²",
    "Bootstrap": r"bootstrap",
    "Confidence interval": r"(?:confidence|95 %) intervals?",
    "T statistic": r"\*t\* statistic|\*t\*-statistic|t statistic",
    "Holm correction": r"\bHolm",
    "Max-T": r"max-T",
    "Gradient times activation": r"gradient × activation",
    "Direct logit attribution": r"direct logit attribution",
    "Steering vector": r"steering vector",
    "Matched control": r"(?:activation|norm)-matched|matched (?:random|control)",
    "Differential activation": r"differential activation",
    "Domain": r"domains?\b",
    "Gated MLP": r"gated (?:MLP|neuron)s?",
    "BOS": r"\bBOS\b",
    "MLP": r"\bMLPs?\b",
}


def prose(book):
    """What is read: text cells without headings, code, and names of other notebooks."""
    text = "\n\n".join(c.source for c in book.cells if c.cell_type == "markdown")
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    text = re.sub(r"\[[^\]]*\]\([^)]*\.ipynb[^)]*\)", "", text)  # what other notebooks are called
    return re.sub(r"`[^`]*`", "", text)


def unlinked(text):
    """The terms whose first use is not a link to their place in the glossary."""
    for heading, term in TERMS.items():
        link = (
            rf"\[[^\]]*?(?:{term})[^\]]*\]\(\.\./docs/glossary\.md#{re.escape(ANCHORS[heading])}\)"
        )
        read = re.sub(r"\]\([^)]*\)", lambda link: " " * len(link[0]), text)
        first = re.search(term, read, re.I)
        if first and not any(
            found.start() <= first.start() < found.end() for found in re.finditer(link, text, re.I)
        ):
            yield f"{heading}: …{text[max(0, first.start() - 40) : first.end() + 20]!r}…"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_terms_are_linked_where_they_are_first_used(path):
    assert not list(unlinked(prose(nbformat.read(path, as_version=4))))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_to_the_glossary_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"glossary\.md#([\w×-]+)", text)) <= set(ANCHORS.values())


def test_a_term_that_is_used_before_its_link_is_found():
    link = "[log-odds](../docs/glossary.md#log-odds)"
    assert not list(unlinked(f"The {link} rise. Later, log-odds fall."))
    assert [*unlinked(f"The log-odds rise; {link}.")]
    assert [*unlinked("The [log-odds](../docs/glossary.md#nats) rise.")]

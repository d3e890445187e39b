"""How long a notebook takes a first reader: written into its head and the README's table.

    python tools/minutes.py

Words are read at 150 a minute (a technical text, not a novel); a line of code takes 6 seconds, a
figure or a table 30, a widget or a prediction two minutes. Exercises take what each says.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
WORDS_A_MINUTE, LINE, OUTPUT, STOP = 150, 0.1, 0.5, 2  # the last three in minutes
HEAD = re.compile(r"\*Reading: \d+ minutes\. Exercises: \d+ minutes\.\*")
ROW = r"(\]\(notebooks/{}\) \|.*\| )\d+ \+ \d+( \|)"
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)


def reading(book: NotebookNode) -> int:
    """Minutes for all but the exercises, in steps of five."""
    minutes = 0.0
    for cell in book.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            text = FOLDED.sub("", cell.source)
            minutes += len(text.split()) / WORDS_A_MINUTE + STOP * text.count("**Predict.**")
        elif not {"setup", "exercise"} & set(tags):
            minutes += LINE * len(cell.source.splitlines()) + OUTPUT * bool(cell.outputs)
            minutes += STOP * ("volatile" in tags and "widgets." in cell.source)
    return 5 * round(minutes / 5)


def exercises(book: NotebookNode) -> int:
    """The sum of what the exercises say."""
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    return sum(map(int, re.findall(r"^\*\*Exercise.*?(\d+) minutes\)\*", text, re.MULTILINE)))


def refresh(book: NotebookNode) -> tuple[int, int]:
    """Put both numbers into the notebook's head, and return them."""
    minutes = reading(book), exercises(book)
    said = "*Reading: {} minutes. Exercises: {} minutes.*".format(*minutes)
    book.cells[0].source = HEAD.sub(said, book.cells[0].source)
    return minutes


def main() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        if not HEAD.search(book.cells[0].source):
            continue
        both = refresh(book)
        path.write_text(nbformat.writes(book).rstrip("\n") + "\n", "utf-8", newline="\n")
        readme = re.sub(ROW.format(re.escape(path.name)), r"\g<1>{} + {}\2".format(*both), readme)
        print(f"{path.stem}: {both[0]} + {both[1]} minutes")
    (ROOT / "README.md").write_text(readme, "utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())

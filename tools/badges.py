"""Write what every notebook says of where the course lives: its badge and its setup cell.

    python tools/badges.py

Both come from pyproject.toml: the repository from [project.urls], the release from the version.
"""

import re
import sys
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)")
PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"
SETUP = f"""\
import os

try:
    import snahelpers as sna
except ModuleNotFoundError:  # on Colab: add our release, leave torch and numpy as they are
    where = os.getenv("SNA_INSTALL", "git+{REPOSITORY}@v{PROJECT["version"]}")
    %pip install -q {{where}}
    import snahelpers as sna

sna.setup()"""


def badge(name: str) -> str:
    """The link that opens notebook `name` in Colab."""
    place = REPOSITORY.removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}"
    return f"[![Open in Colab]({PICTURE})]({address})"


def refresh(book: NotebookNode, name: str) -> None:
    """Put badge and setup cell into the notebook called `name`."""
    for cell in book.cells:
        if "setup" in cell.metadata.get("tags", []):
            cell.source = SETUP
        elif cell.cell_type == "markdown":
            cell.source = BADGE.sub(lambda _: badge(name), cell.source)


def main(folder: Path = ROOT / "notebooks") -> int:
    """Refresh all notebooks and say which changed."""
    for path in sorted(folder.glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        refresh(book, path.name)
        text = nbformat.writes(book).rstrip("\n") + "\n"
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8", newline="\n")
            print(f"{path.name}: refreshed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

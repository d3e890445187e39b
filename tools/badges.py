"""Write what every notebook says of where the course lives: its badge and its setup cell.

    python tools/badges.py                                    from pyproject.toml
    python tools/badges.py https://github.com/ada/fork 1a2b3c first tell pyproject.toml of a fork

Both come from pyproject.toml: the repository from [project.urls], what is installed from the
version's tag or, in a fork that has none, from the commit that [tool.sna-course] names.
"""

import re
import sys
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)")
PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"
SETUP = """\
import os

try:
    import snahelpers as sna
except ModuleNotFoundError:  # on Colab: add our release, leave torch and numpy as they are
    where = os.getenv("SNA_INSTALL", "git+{repository}@{ref}")
    %pip install -q {{where}}
    import snahelpers as sna

sna.setup()"""


def home(folder: Path = ROOT) -> tuple[str, str]:
    """The repository, and the tag or commit of it that setup cells install."""
    told = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    ref = told["tool"]["sna-course"]["ref"] or f"v{told['project']['version']}"
    return told["project"]["urls"]["Repository"], ref


def move(repository: str, ref: str, folder: Path = ROOT) -> None:
    """Make pyproject.toml name another repository, and what to install from it ("": the tag)."""
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", repository):
        raise SystemExit(f"{repository!r} is not an address like https://github.com/ada/fork")
    path = folder / "pyproject.toml"
    text = path.read_text("utf-8")
    for key, value in (("Repository", repository), ("ref", ref)):
        text = re.sub(rf'^{key} = ".*"$', f'{key} = "{value}"', text, flags=re.MULTILINE)
    path.write_text(text, "utf-8", newline="\n")


def badge(name: str, repository: str) -> str:
    """The link that opens notebook `name` in Colab."""
    place = repository.removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}"
    return f"[![Open in Colab]({PICTURE})]({address})"


def refresh(book: NotebookNode, name: str, repository: str, ref: str) -> None:
    """Put badge and setup cell into the notebook called `name`."""
    for cell in book.cells:
        if "setup" in cell.metadata.get("tags", []):
            cell.source = SETUP.format(repository=repository, ref=ref)
        elif cell.cell_type == "markdown":
            cell.source = BADGE.sub(lambda _: badge(name, repository), cell.source)


def main(told: list[str], folder: Path = ROOT) -> int:
    """Refresh all notebooks and say which changed."""
    if told:
        move(told[0], "".join(told[1:2]), folder)
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        refresh(book, path.name, *home(folder))
        text = nbformat.writes(book).rstrip("\n") + "\n"
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8", newline="\n")
            print(f"{path.name}: refreshed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

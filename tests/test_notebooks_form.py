"""Every notebook has the form that DESIGN.md's section 7 asks for; each check is itself checked."""

import json
import re
import shutil
import statistics
import tomllib
from pathlib import Path

import nbformat
import pytest

import badges
import notebooks as tool

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GITHUB = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
# The exact badge address, except for the branch or tag.
BADGE = rf"https://colab\.research\.google\.com/github/{GITHUB}/blob/[\w.-]+/notebooks/{{}}\)"

MAX_BYTES = 600_000
MAX_CELL_LINES = 25
MAX_MEDIAN_LINES = 10
MAX_SETUP_LINES = 8
MIN_EXERCISES = 3
TOOL = "10_sna_lab"


class Book:
    """A notebook as the checks look at it."""

    def __init__(self, path, content, raw=None):
        self.path = path
        self.size = len(raw if raw is not None else json.dumps(content).encode())
        self.metadata = content["metadata"]
        self.cells = content["cells"]
        self.code = [c for c in self.cells if c["cell_type"] == "code"]
        self.prose = "\n\n".join(c["source"] for c in self.cells if c["cell_type"] == "markdown")

    @property
    def prose_without_code(self):
        return re.sub(r"^(```|~~~).*?^\1", "", self.prose, flags=re.MULTILINE | re.DOTALL)

    def tagged(self, tag):
        return [c for c in self.code if tag in c["metadata"].get("tags", [])]

    @property
    def outputs(self):
        return [(i, o) for i, c in enumerate(self.cells) for o in c.get("outputs", [])]


def lines(cell):
    return len(cell["source"].splitlines())


# Each check yields what is wrong; nothing, if all is well.


def title(book):
    titles = re.findall(r"^# .+", book.prose_without_code, re.MULTILINE)
    if len(titles) != 1 or not book.cells[0]["source"].lstrip().startswith("# "):
        yield f"one title, at the very top; found {titles}"


def colab_badge(book):
    if not re.search(BADGE.format(re.escape(book.path.name)), book.prose):
        yield f"an Open in Colab badge that opens {GITHUB} at notebooks/{book.path.name}"


def sections(book):
    for words in ("What you.ll do", "What you.ll learn", "What you.ll need"):
        if not re.search(words, book.prose_without_code):
            yield f"no {words.replace('.', ' ')!r}"
    for heading in ("Play", "What we saw", "Limits", "Next"):
        if not re.search(rf"^##+ (?:[\d.]+ )?{heading}\b", book.prose_without_code, re.MULTILINE):
            yield f"no heading {heading!r}"
    if not re.search(r"\bPredict\b", book.prose_without_code):
        yield "no 'Predict' question"


def setup_cell(book):
    setups = book.tagged("setup")
    if len(setups) != 1 or setups[0] is not book.code[0]:
        yield "exactly one cell tagged 'setup', before any other code"
    if any(len(re.findall(r"^.*\S", cell["source"], re.M)) > MAX_SETUP_LINES for cell in setups):
        yield f"the setup cell has more than {MAX_SETUP_LINES} lines that are not blank"


def short_cells(book):
    for number, cell in enumerate(book.cells):
        if cell["cell_type"] == "code" and lines(cell) > MAX_CELL_LINES:
            yield f"cell {number} has {lines(cell)} lines"
    if (median := statistics.median(map(lines, book.code))) > MAX_MEDIAN_LINES:
        yield f"the median code cell has {median} lines"


def exercises(book):
    stubs = book.tagged("exercise")
    if len(stubs) < MIN_EXERCISES:
        yield f"{len(stubs)} cells tagged 'exercise'"
    for number, cell in enumerate(book.cells):
        if cell in stubs:
            after = [c for c in book.cells[number + 1 : number + 3] if c["cell_type"] == "markdown"]
            solution = re.compile(r"<details>.*^```python$.*^```$.*</details>", re.S | re.M)
            if not any(solution.search(c["source"]) for c in after):
                yield f"no solution in <details> within the two cells after the exercise {number}"


def clean_outputs(book):
    if "widgets" in book.metadata:
        yield "widget state is stored"
    for number, output in book.outputs:
        if output["output_type"] == "error":
            yield f"cell {number} stores an error"
        if tool.WIDGET_VIEW in output.get("data", {}):
            yield f"cell {number} stores a widget view"
        if path := tool.machine_path(tool.text_of(output)):
            yield f"cell {number} shows {path}"
    if any(cell["outputs"] for cell in book.tagged("volatile")):
        yield "a cell tagged 'volatile' carries outputs"


def no_path_in_source(book):
    for number, cell in enumerate(book.cells):
        if found := tool.ANY_MACHINE_PATH.search(cell["source"]):
            yield f"cell {number} names {found[0]}"


def executed_in_order(book):
    counts = [cell["execution_count"] for cell in book.code if cell["source"].strip()]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run `make notebooks`"


def small(book):
    if book.size > MAX_BYTES:
        yield f"{book.size} bytes"


def alt_text(book):
    html = [(number, c["source"]) for number, c in enumerate(book.cells)]
    for number, output in book.outputs:
        data = output.get("data", {})
        html.append((number, data.get("text/html", "")))
        for mime in (m for m in data if m.startswith("image/")):
            described = output.get("metadata", {}).get(mime, {}).get("alt", "").strip()
            if not described and "<img" not in data.get("text/html", ""):
                yield f"the {mime} of cell {number} has no alt text"
    for number, text in html:
        for image in re.findall(r"<img\b[^>]*>", text):
            if not re.search(r"""\balt=(["'])\s*[^\s"'].*?\1""", image, re.DOTALL):
                yield f"an <img> of cell {number} has no alt text"
        if re.search(r"!\[\s*\]\(", text):
            yield f"a markdown picture of cell {number} has no alt text"


def links(book):
    for target in re.findall(r"\]\(([^)\s]+)", book.prose_without_code):
        here = not re.match(r"[a-z]+:|#", target)
        if here and not (book.path.parent / target.split("#")[0]).exists():
            yield f"the link {target} leads nowhere"


CHECKS = [
    title,
    colab_badge,
    sections,
    setup_cell,
    short_cells,
    exercises,
    clean_outputs,
    no_path_in_source,
    executed_in_order,
    small,
    alt_text,
    links,
]


def read(path):
    raw = path.read_bytes()
    return Book(path, nbformat.reads(raw.decode("utf-8"), as_version=4), raw)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_form(path, check):
    if path.stem == TOOL and check in (sections, exercises):
        pytest.skip("the lab is a tool, not a chapter")
    assert not list(check(read(path)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_valid(path):
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_badge_and_setup_cell_are_what_pyproject_says(path):
    book = nbformat.read(path, as_version=4)
    badges.refresh(book, path.name, *badges.home())
    assert nbformat.writes(book).strip() == path.read_text("utf-8").strip(), "run `make badges`"


def test_a_fork_gets_badges_and_setup_cells_of_its_own(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "notebooks").mkdir()
    name = shutil.copy(NOTEBOOKS[0], tmp_path / "notebooks").name
    assert badges.main(["https://github.com/ada/lovelace", "1a2b3c"], tmp_path) == 0
    book = nbformat.read(tmp_path / "notebooks" / name, as_version=4)
    assert f"github/ada/lovelace/blob/main/notebooks/{name}" in book.cells[0].source
    [setup] = [c.source for c in book.cells if "setup" in c.metadata.get("tags", [])]
    assert '"git+https://github.com/ada/lovelace@1a2b3c"' in setup
    assert badges.home(tmp_path) == ("https://github.com/ada/lovelace", "1a2b3c")
    with pytest.raises(SystemExit, match="not an address"):
        badges.move("lovelace", "", tmp_path)


# The checks themselves: a good notebook passes them all, and each kind of damage is seen.


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source, *tags, outputs=()):
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}
    return cell | {"execution_count": None, "outputs": list(outputs)}


def figure(html='<img alt="a bar chart" src="data:image/png;base64,AA">', **data):
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": html, **data}}


def good():
    badge = f"https://colab.research.google.com/github/{GITHUB}/blob/main/notebooks/00_x.ipynb"
    solution = (
        "<details><summary>Solution</summary>\n\n```python\n# one\nanswer = 1\n```\n\n</details>"
    )
    words = [f"What you'll {verb}" for verb in ("do", "learn", "need")]
    cells = [
        markdown(f"# Find it\n\n[![Open in Colab](badge.svg)]({badge})\n\n" + "\n\n".join(words)),
        code("import snahelpers as sna", "setup"),
        markdown("**Predict**: up or down?"),
        code("draw()", outputs=[figure()]),
        *[cell for n in "123" for cell in (code(f"answer = {n}", "exercise"), markdown(solution))],
        code("time()", "volatile"),
        *[markdown(f"## {h}") for h in ("Play: move it", "What we saw", "3. Limits", "Next")],
        markdown("[again](00_x.ipynb#next), [the web](https://example.org)"),
    ]
    for count, cell in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
    return {"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": cells}


def append(number, text):
    return lambda book: book["cells"][number].update(source=book["cells"][number]["source"] + text)


def show(output, number=3):
    return lambda book: book["cells"][number]["outputs"].append(output)


def drop(text):
    def damage(book):
        for cell in book["cells"]:
            cell["source"] = cell["source"].replace(text, "")

    return damage


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


DAMAGE = [
    ("title", append(2, "\n\n# A second title")),
    ("title", drop("# Find it")),
    ("colab_badge", drop(GITHUB)),
    ("colab_badge", drop("/00_x.ipynb)")),
    ("sections", drop("What you'll need")),
    ("sections", drop("## Play")),
    ("sections", drop("## 3. Limits")),
    ("sections", drop("Predict")),
    ("setup_cell", lambda book: book["cells"][1]["metadata"].clear()),
    ("setup_cell", append(1, "\nx = 1" * 8)),
    ("short_cells", append(3, "\nx = 1" * 25)),
    ("short_cells", lambda book: [append(n, "\nx = 1" * 10)(book) for n in (1, 3, 4, 6)]),
    ("exercises", lambda book: book["cells"][4]["metadata"].clear()),
    ("exercises", drop("```python")),
    ("exercises", drop("<details>")),
    ("clean_outputs", lambda book: book["metadata"].update(widgets={})),
    ("clean_outputs", show(figure(**{tool.WIDGET_VIEW: {}}))),
    ("clean_outputs", show({"output_type": "error", "ename": "E", "evalue": "", "traceback": []})),
    ("clean_outputs", show(stream("/home/ada/minnow\n"))),
    ("clean_outputs", show(stream("0.3 s"), number=10)),
    ("no_path_in_source", append(3, "\nopen('/home/ada/tasks.csv')")),
    ("executed_in_order", lambda book: book["cells"][3].update(execution_count=7)),
    ("executed_in_order", lambda book: book["cells"][3].update(execution_count=None)),
    ("small", show(stream("x" * MAX_BYTES))),
    ("alt_text", show(figure(html="", **{"image/png": "AA"}))),
    ("alt_text", show(figure(html='<img src="x.png">'))),
    ("alt_text", show(figure(html='<img alt="" src="x.png">'))),
    ("alt_text", append(2, "![](x.png)")),
    ("links", append(2, "[next](11_missing.ipynb)")),
]


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "00_x.ipynb"
    place.touch()
    (tmp_path / "badge.svg").touch()
    return place


def test_a_good_notebook_passes(path):
    assert {c.__name__: list(c(Book(path, good()))) for c in CHECKS} == {
        c.__name__: [] for c in CHECKS
    }


def test_an_image_may_carry_its_alt_text_in_the_metadata(path):
    book = good()
    picture = figure(html="", **{"image/png": "AA"})
    picture["metadata"] = {"image/png": {"alt": "a line"}}
    book["cells"][3]["outputs"] = [picture]
    assert not list(alt_text(Book(path, book)))


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=[name for name, _ in DAMAGE])
def test_damage_is_seen(path, name, damage):
    book = good()
    damage(book)
    (check,) = (c for c in CHECKS if c.__name__ == name)
    assert list(check(Book(path, book)))

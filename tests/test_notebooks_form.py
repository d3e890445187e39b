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
import minutes
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
MAX_CELLS = 45
LEVELS = r"difficulty: (?:easy|medium|hard); importance: (?:low|medium|high); \d+ minutes"
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
    for heading in ("Play", "What we saw", "In short", "Limits", "Next"):
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


def labelled_exercises(book):
    names = re.findall(r"^\*\*Exercise \d+.*", book.prose_without_code, re.MULTILINE)
    for name in names:
        if not re.match(rf"\*\*Exercise \d+(?:, an experiment)?\*\* \*\({LEVELS}\)\*", name):
            yield f"{name[:70]!r} does not say difficulty, importance and minutes"
    if not any(", an experiment" in name for name in names):
        yield "no exercise is an experiment"


def length(book):
    headings = [re.findall(r"^## .+", c["source"], re.MULTILINE) for c in book.cells]
    inside, counted = False, 0
    for found in headings:
        inside = found[-1].startswith("## Exercises") if found else inside
        counted += not inside
    if counted > MAX_CELLS:
        yield f"{counted} cells beside the exercises"


def neighbours(book):
    path = book.path.resolve()
    names = sorted(other.name for other in path.parent.glob("*.ipynb"))
    here = names.index(path.name)
    for word, at, place in (
        ("previous", here - 1, 0),
        ("next", here + 1, 0),
        ("next", here + 1, -1),
    ):
        text = book.cells[place]["source"]
        if 0 <= at < len(names) and f"({names[at]})" not in text:
            yield f"cell {place} has no link to the {word} notebook, {names[at]}"


def folded_predictions(book):
    asked = False
    for number, cell in enumerate(book.cells):
        if cell["cell_type"] == "markdown":
            asked = asked or tool.PREDICT in cell["source"]
        elif asked and cell["outputs"]:
            asked = False
            told = cell["metadata"]
            if not (told.get("collapsed") and told.get("jupyter", {}).get("outputs_hidden")):
                yield f"cell {number} shows the answer to a prediction: run `make notebooks`"


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
    labelled_exercises,
    length,
    neighbours,
    folded_predictions,
    clean_outputs,
    no_path_in_source,
    executed_in_order,
    small,
    alt_text,
    links,
]
CHAPTERS_ONLY = (sections, exercises, labelled_exercises, folded_predictions)


def read(path):
    raw = path.read_bytes()
    return Book(path, nbformat.reads(raw.decode("utf-8"), as_version=4), raw)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_form(path, check):
    if path.stem == TOOL and check in CHAPTERS_ONLY:
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_minutes_are_what_tools_minutes_says(path):
    book = nbformat.read(path, as_version=4)
    said = book.cells[0].source
    both = minutes.refresh(book)
    assert book.cells[0].source == said, "run `make badges`"
    if path.stem != TOOL:
        row = minutes.ROW.format(re.escape(path.name))
        written = re.search(row, (ROOT / "README.md").read_text("utf-8"))[0]
        assert "{} + {} |".format(*both) in written, "run `make badges`"


def test_minutes_count_words_code_and_what_exercises_say():
    book = nbformat.from_dict(good())
    assert minutes.exercises(book) == 15
    before = minutes.reading(book)
    book.cells.append(nbformat.v4.new_markdown_cell("word " * 1500))
    assert minutes.reading(book) == before + 10


def test_a_fork_gets_badges_and_setup_cells_of_its_own(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "notebooks").mkdir()
    name = Path(shutil.copy(NOTEBOOKS[0], tmp_path / "notebooks")).name
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


def exercise(number):
    levels = "*(difficulty: easy; importance: high; 5 minutes)*"
    fence = "```python\n# one\nanswer = 1\n```"
    solution = f"<details><summary>Solution</summary>\n\n{fence}\n\n</details>"
    name = f"**Exercise {number}{', an experiment' * (number == '3')}**"
    return markdown(f"{name} {levels}. Do it."), code("answer = 0", "exercise"), markdown(solution)


def good():
    badge = f"https://colab.research.google.com/github/{GITHUB}/blob/main/notebooks/00_x.ipynb"
    words = [f"What you'll {verb}" for verb in ("do", "learn", "need")]
    cells = [
        markdown(f"# Find it\n\n[![Open in Colab](badge.svg)]({badge})\n\n" + "\n\n".join(words)),
        code("import snahelpers as sna", "setup"),
        markdown("> **Predict.** Up or down?"),
        code("draw()", outputs=[figure()]),
        *[cell for n in "123" for cell in exercise(n)],
        code("time()", "volatile"),
        *[markdown(f"## {h}") for h in ("Play: move it", "What we saw", "In short", "3. Limits")],
        markdown("## Next\n\n[again](00_x.ipynb#next), [the web](https://example.org)"),
    ]
    for count, cell in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
    cells[3]["metadata"] |= {"collapsed": True, "jupyter": {"outputs_hidden": True}}
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
    ("labelled_exercises", drop("difficulty: easy; ")),
    ("labelled_exercises", drop(", an experiment")),
    ("length", lambda book: book["cells"].extend([markdown("on and on")] * MAX_CELLS)),
    ("folded_predictions", lambda book: book["cells"][3]["metadata"].pop("jupyter")),
    ("folded_predictions", lambda book: book["cells"][3]["metadata"].pop("collapsed")),
    ("setup_cell", lambda book: book["cells"][1]["metadata"].clear()),
    ("setup_cell", append(1, "\nx = 1" * 8)),
    ("short_cells", append(3, "\nx = 1" * 25)),
    ("short_cells", lambda book: [append(n, "\nx = 1" * 10)(book) for n in (1, 3, 5, 8)]),
    ("exercises", lambda book: book["cells"][5]["metadata"].clear()),
    ("exercises", drop("```python")),
    ("exercises", drop("<details>")),
    ("clean_outputs", lambda book: book["metadata"].update(widgets={})),
    ("clean_outputs", show(figure(**{tool.WIDGET_VIEW: {}}))),
    ("clean_outputs", show({"output_type": "error", "ename": "E", "evalue": "", "traceback": []})),
    ("clean_outputs", show(stream("/home/ada/minnow\n"))),
    ("clean_outputs", show(stream("0.3 s"), number=13)),
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


def test_a_notebook_links_its_neighbours(path):
    (path.parent / "01_y.ipynb").touch()
    assert len(list(neighbours(Book(path, good())))) == 2


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

"""The website's parts, and that the visit sees what is wrong with a page; `make site` runs them."""

import base64
import hashlib
import sys
from pathlib import Path

import pytest

import served
import snahelpers as sna

ROOT = Path(__file__).resolve().parent.parent
for package in ("sphinx", "axe_playwright_python"):
    pytest.importorskip(package, reason="only `make site` installs what the website needs")

sys.path.insert(0, str(ROOT / "docs" / "site"))

import course  # noqa: E402

import website  # noqa: E402

GOOD = """<!DOCTYPE html><html lang="en"><head><title>Good</title>
<link rel="icon" href="data:,"></head>
<body><main><h1 id="top">Good</h1><a href="other.html#place">other</a></main></body></html>"""
OTHER = GOOD.replace('id="top"', 'id="place"').replace("other.html#place", "#place")
DAMAGE = {
    "the link to gone.html leads nowhere": ("other.html#place", "gone.html"),
    "other.html has no place called gone": ("#place", "#gone"),
    "console: broken": ("</main>", "</main><script>console.error('broken')</script>"),
    "asks the network for https://example.org/x.js": (
        "</main>", '</main><script src="https://example.org/x.js"></script>'
    ),
    "scrolls sideways on a phone": ("<h1", '<p style="width: 900px">wide</p><h1'),
    "light: Elements must meet minimum color contrast": (
        "<h1", '<p style="color: #ddd; background: white">pale</p><h1'
    ),
    "404 for ": ("</main>", '</main><img alt="none" src="none.png">'),
}  # fmt: skip


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text(OTHER)
    return tmp_path


@pytest.fixture(autouse=True)
def browser():
    if served.find_browser() is None:
        pytest.skip("no browser")


def test_a_good_page_has_no_fault_and_each_damage_is_seen(site):
    for number, (old, new) in enumerate(DAMAGE.values()):
        (site / f"{number}.html").write_text(GOOD.replace(old, new))
    faults = website.visit(site)
    assert not [fault for fault in faults if fault.startswith(("index", "other"))]
    for number, said in enumerate(DAMAGE):
        assert any(fault.startswith(f"{number}.html: ") and said in fault for fault in faults), said


PICTURE = base64.b64encode(b"not really a picture").decode()


def cell(kind="code", source="", outputs=(), **metadata):
    return {"cell_type": kind, "source": [source], "outputs": outputs, "metadata": metadata}


def figure(alt):
    return {"data": {"image/png": PICTURE}, "metadata": {"image/png": {"alt": alt}}}


def test_what_jupyter_folds_is_folded_and_pictures_keep_their_words():
    folded, plain = cell(jupyter={"outputs_hidden": True}), cell(outputs=[figure("a line")])
    badge = cell("markdown", f"[![Open in Colab]({course.badges.PICTURE})](x)")
    book = {"cells": [folded, plain, badge]}
    name = hashlib.sha256(b"not really a picture").hexdigest()
    assert course.alternative_texts(book) == {name: "a line"}
    tags = [c["metadata"].get("tags") for c in course.prepared(book)["cells"]]
    assert tags == [["hide-output"], None, None]
    assert book["cells"][2]["source"] == "[Open in Colab](x)"


def test_a_cell_is_found_by_its_words_or_its_tag():
    printed = cell(source="print(1)", outputs=[{"text": ["H1: holds\n"]}])
    drawn = cell(outputs=[{"text": ["noise"]}, figure("a line")], tags=["picture"])
    assert course.mentions(printed, "H1:") and not course.mentions(printed, "H2")
    assert course.mentions(drawn, "picture") and course.mentions(drawn, "a line")
    assert course.shown(drawn) == [figure("a line")]
    assert course.shown(printed) == printed["outputs"] and not course.shown(cell("markdown"))


def test_docstrings_are_not_taken_for_markup():
    lines = ["|difference| of test_ and `a|b_` and x_y"]
    course.escape(None, None, None, None, None, lines)
    assert lines == [r"\|difference\| of test\_ and `a|b_` and x_y"]


def test_every_public_name_is_in_the_reference():
    text = course.api()
    for name in set(sna.__all__) - {"check"}:
        module = course.home(getattr(sna, name))
        assert f"automodule:: {module}\n" in text
    assert "load_model, load_dimmed" in text or "load_dimmed, load_model" in text

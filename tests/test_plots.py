"""Figures are opaque, repeatable, labelled, and shown with their alt text."""

import base64
import inspect
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import drawings
import snahelpers as sna
from snahelpers import plots

TOKENS = pd.DataFrame(
    {"token": [" a", "b\n", " c"], "before": [0.5, 0.3, 0.1], "after": [0.1, 0.3, 0.5]}
)
TASKS = pd.DataFrame({"task": ["x", "y"], "before": [0.01, 0.5], "after": [0.2, 0.4]})
POINTS = pd.DataFrame({"x": [0, 1, 2] * 2, "y": [1.0, 2.0, 3.0] * 2, "by": ["a"] * 3 + ["b"] * 3})
SCORES = pd.DataFrame(
    {"layer": [0, 0, 1], "score": [0.1, -0.2, 0.3], "chosen": [True, False, True]}
)
GAINS = pd.DataFrame(
    {"domain": "d", "difficulty": ["easy", "hard"], "p_base": [0.02, 0.5], "gain": [9, -1]}
)
CELLS = pd.DataFrame({"layer": [0, 1] * 2, "task": list("aabb"), "gain": [0.1, -0.2, 0.3, 0.0]})
PEAKS = pd.DataFrame(
    {"task": list("aabb"), "model": list("mnmn"), "depth": 0.5, "low": 0.2, "high": 0.6, "paper": 1}
)
ROWS = pd.DataFrame({"task": ["a", "b"], "value": [0.1, -2.0], "low": [0.0, -3.0], "high": 0.2})
ROWS[["random_low", "random_mean", "random_high"]] = [-0.1, 0.0, 0.1]
MOVED = pd.DataFrame(
    {"label": ["positive", "negative"], "before": [2.0, -0.3], "after": [2.1, 0.1]}
)

NAMED = dict(title="t", xlabel="x", ylabel="y")
POINTED = dict(highlight=[True] + [False] * 5, label="l")
MATRICES = {"gain": "a gain", "layer": "a layer"}
# Each takes `alt` as well.
PICTURES = {
    "next_tokens": lambda **alt: plots.next_tokens(TOKENS, " c", "title", **alt),
    "dumbbells": lambda **alt: plots.dumbbells(TASKS, "title", **alt),
    "lines": lambda **alt: plots.lines(POINTS, "x", "y", "by", mark=1, **NAMED, **alt),
    "scatter": lambda **alt: plots.scatter(POINTS, "x", "y", **POINTED, **NAMED, **alt),
    "scores_by_layer": lambda **alt: plots.scores_by_layer(
        SCORES, title="t", ylabel="y", label="l", **alt
    ),
    "bars": lambda **alt: plots.bars(TASKS, "task", "before", highlight=["x"], **NAMED, **alt),
    "bars_by": lambda **alt: plots.bars(POINTS, "x", "y", by="by", **NAMED, **alt),
    "confidence_and_gain": lambda **alt: plots.confidence_and_gain(
        GAINS, "gain", title="t", ylabel="y", **alt
    ),
    "heatmap": lambda **alt: plots.heatmap(
        CELLS, "layer", "task", "gain", title="t", xlabel="x", label="l", marks=[(0, "b")], **alt
    ),
    "matrices": lambda **alt: plots.matrices(CELLS, "layer", "task", MATRICES, title="t", **alt),
    "beside_random": lambda **alt: plots.beside_random(ROWS, "task", title="t", xlabel="x", **alt),
    "margins": lambda **alt: plots.margins(MOVED, "t", **alt),
    "peaks": lambda **alt: plots.peaks(PEAKS, "task", by="model", title="t", **alt),
}


@pytest.fixture
def shown(monkeypatch):
    """The bundles that are displayed, with their options."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: bundles.append((a, k)))
    return bundles


def test_every_picture_function_takes_alt_and_is_tested():
    takes_alt = {
        name
        for name, function in inspect.getmembers(plots, inspect.isfunction)
        if not name.startswith("_") and "alt" in inspect.signature(function).parameters
    }
    assert takes_alt - {"show", "drawing", "finish"} == PICTURES.keys() - {"bars_by"}


@pytest.mark.parametrize("name", PICTURES)
def test_a_figure_is_labelled_opaque_and_the_same_twice(name):
    figure = PICTURES[name]()
    ax = figure.axes[0]
    assert ax.get_title(loc="left") and ax.get_xlabel()
    assert figure.get_facecolor() == ax.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert plots.to_png(figure) == plots.to_png(PICTURES[name]())


@pytest.mark.parametrize("name", PICTURES)
def test_a_described_picture_is_displayed_as_show_displays_it_and_not_returned(name, shown):
    plots.show(PICTURES[name](), alt="what is seen")
    assert PICTURES[name](alt="what is seen") is None
    assert shown[0] == shown[1]


def test_show_displays_one_picture_with_its_alt_text(shown):
    plots.show(PICTURES["margins"](), alt="what is seen")
    [((bundle,), options)] = shown
    assert set(bundle) == {"image/png", "text/plain"} and bundle["text/plain"] == "what is seen"
    assert options == {"raw": True, "metadata": {"image/png": {"alt": "what is seen"}}}


def test_every_drawing_ships_as_its_function_draws_it(shown):
    for name, draw in drawings.DRAWINGS.items():
        plots.drawing(name, alt="what is seen")
        [((bundle,), _)] = shown
        with Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))) as shipped:
            wanted = plots.DPI * draw().figure.get_size_inches()
            np.testing.assert_allclose(shipped.size, wanted, atol=1)
        shown.clear()


def test_a_drawing_that_is_not_there_is_named(shown):
    with pytest.raises(sna.DataError, match=r"unknown drawing 'hok'\. Did you mean 'hook'"):
        plots.drawing("hok", alt="")


def test_figures_do_not_gather_in_pyplot():
    from matplotlib import pyplot

    for make in PICTURES.values():
        make()
    assert pyplot.get_fignums() == []


def test_no_line_is_lost_when_there_are_more_lines_than_colours():
    many = pd.DataFrame({"x": [0, 1] * 12, "y": range(24), "by": [i // 2 for i in range(24)]})
    figure = plots.lines(many, "x", "y", "by", **NAMED)
    assert len(figure.axes[0].lines) == 12


def test_a_line_alone_and_bars_of_one_kind_need_no_legend():
    one_line = plots.lines(POINTS.head(3), "x", "y", "by", **NAMED)
    two_lines = plots.lines(POINTS, "x", "y", "by", **NAMED)
    one_kind = plots.bars(TASKS, "task", "before", **NAMED)
    legends = [figure.axes[0].get_legend() for figure in (one_line, one_kind, two_lines)]
    assert legends[:2] == [None, None]
    assert [text.get_text() for text in legends[2].get_texts()] == ["a", "b"]


def test_a_probability_that_underflows_is_drawn():
    figure = plots.dumbbells(TASKS.assign(after=[0.0, 0.4]), "t")
    low, high = figure.axes[0].get_xlim()
    assert 0 < low < 1e-10 and high == 1.0

"""Figures are opaque, repeatable, labelled, and shown with their alt text."""

import pandas as pd
import pytest

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

FIGURES = {
    "next_tokens": lambda: plots.next_tokens(TOKENS, " c", "title"),
    "dumbbells": lambda: plots.dumbbells(TASKS, "title"),
    "lines": lambda: plots.lines(POINTS, "x", "y", "by", title="t", xlabel="x", ylabel="y", mark=1),
    "scatter": lambda: plots.scatter(
        POINTS,
        "x",
        "y",
        highlight=[True] + [False] * 5,
        title="t",
        xlabel="x",
        ylabel="y",
        label="l",
    ),
    "scores_by_layer": lambda: plots.scores_by_layer(SCORES, title="t", ylabel="y", label="l"),
    "bars": lambda: plots.bars(
        TASKS, "task", "before", highlight=["x"], title="t", xlabel="x", ylabel="y"
    ),
    "bars_by": lambda: plots.bars(POINTS, "x", "y", by="by", title="t", xlabel="x", ylabel="y"),
    "paper_claim": plots.paper_claim,
    "confidence_and_gain": lambda: plots.confidence_and_gain(
        GAINS, "gain", title="t", ylabel="y", ceiling=True
    ),
    "heatmap": lambda: plots.heatmap(
        CELLS, "layer", "task", "gain", title="t", xlabel="x", label="l", marks=[(0, "b")]
    ),
    "matrices": lambda: plots.matrices(
        CELLS, "layer", "task", {"gain": "a gain", "layer": "a layer"}, title="t"
    ),
    "beside_random": lambda: plots.beside_random(ROWS, "task", title="t", xlabel="x"),
    "margins": lambda: plots.margins(MOVED, "t"),
    "peaks": lambda: plots.peaks(PEAKS, "task", by="model", title="t"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_labelled_opaque_and_the_same_twice(name):
    figure = FIGURES[name]()
    ax = figure.axes[0]
    assert ax.get_title(loc="left") and ax.get_xlabel()
    assert figure.get_facecolor() == ax.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert plots.to_png(figure) == plots.to_png(FIGURES[name]())


def test_figures_do_not_gather_in_pyplot():
    from matplotlib import pyplot

    for make in FIGURES.values():
        make()
    assert pyplot.get_fignums() == []


def test_show_displays_one_picture_with_its_alt_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    plots.show(plots.paper_claim(), alt="what is seen")
    [((bundle,), options)] = shown
    assert set(bundle) == {"image/png", "text/plain"} and bundle["text/plain"] == "what is seen"
    assert options == {"raw": True, "metadata": {"image/png": {"alt": "what is seen"}}}


def test_the_answer_stands_out_among_the_tokens():
    labels = plots.next_tokens(TOKENS, " c", "t").axes[0].texts
    assert [label.get_fontweight() for label in labels] == ["normal", "normal", "bold"]
    assert labels[1].get_text() == r"b\n"


def test_bars_that_move_are_bars_drawn_anew():
    bars = plots.TokenBars(3, control=True)
    other = TOKENS.assign(after=TOKENS.after[::-1].to_numpy() * 0.5, token=["x", "y", "z"])
    control = pd.DataFrame({"low": [0.1] * 3, "mean": [0.2] * 3, "high": [0.3] * 3})
    bars.draw(TOKENS, " c", "first")
    bars.to_png()
    bars.draw(other, "y", "second", control)
    moved = bars.to_png()
    fresh = plots.TokenBars(3, control=True)
    fresh.draw(other, "y", "second", control)
    assert moved == fresh.to_png()
    bars.draw(other.head(2), "y", "second")
    assert [bar.get_width() for bar in bars.after][2] == 0 and bars.to_png() != moved


def test_what_is_kept_of_a_picture_is_of_this_one():
    """Any order of other limits, names and answers is the picture of new bars."""
    bars, high = plots.TokenBars(3), TOKENS.assign(after=[0.9, 0.05, 0.05])
    renamed = TOKENS.assign(token=["x", "y", "z"])
    states = [(TOKENS, " c"), (high, " c"), (TOKENS, " c"), (renamed, "x"), (renamed, "y")]
    for frame, target in [*states, *states[::2]]:
        bars.draw(frame, target, "t")
        fresh = plots.TokenBars(3)
        fresh.draw(frame, target, "t")
        assert bars.to_png() == fresh.to_png()


def test_no_line_is_lost_when_there_are_more_lines_than_colours():
    many = pd.DataFrame({"x": [0, 1] * 12, "y": range(24), "by": [i // 2 for i in range(24)]})
    figure = plots.lines(many, "x", "y", "by", title="t", xlabel="x", ylabel="y")
    assert len(figure.axes[0].lines) == 12


def test_a_probability_that_underflows_is_drawn():
    figure = plots.dumbbells(TASKS.assign(after=[0.0, 0.4]), "t")
    low, high = figure.axes[0].get_xlim()
    assert 0 < low < 1e-10 and high == 1.0

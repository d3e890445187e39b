"""Panels show what the model says now, live or as a picture, and survive bad input."""

import sys
from dataclasses import replace
from pathlib import Path

import ipywidgets
import nbformat
import numpy as np
import pandas as pd
import pytest

import snahelpers as sna
from planted import sweep
from snahelpers import interference, sentiment
from snahelpers.plots import axes
from snahelpers.scoring import read_logits, write
from snahelpers.sentiment import arms, pairs
from snahelpers.widgets import Panel, widgets_can_run
from snahelpers.zones import best_of_noise

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.fixture(scope="module")
def model():
    return sna.load_model("minnow-dimmed")


@pytest.fixture(scope="module")
def task():
    return sna.load_tasks("planted")["planted"]


@pytest.fixture(scope="module")
def scores(model, task):
    return sna.differential_activation(model, task.split("select").prompts, sna.load_neutral()[:40])


def _find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += _find(child, kind)
    return found


# A panel over any drawing function


def _draw(height, kind="dots"):
    if height > 4:
        raise sna.SNAError("height <too large>")
    ax = axes(kind, "x", "y")
    ax.plot([0, height])
    return ax.figure, f"a line to {height} & {kind}"


@pytest.fixture
def panel():
    kinds = ["dots", "dashes"], "dots", "kind of line"
    return Panel(_draw, height=((0, 9, 1), 2), kind=kinds)


@pytest.fixture
def show(monkeypatch):
    """What a panel displays, live unless it is told otherwise."""
    displayed = []
    monkeypatch.delenv("SNA_STATIC", raising=False)
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: displayed.append(a[0]))

    def show(panel):
        panel._ipython_display_()
        return displayed[-1]

    return show


def test_moving_a_slider_replaces_the_picture_and_what_is_said_of_it(panel, show):
    box = show(panel)
    [image], [message] = _find(box, ipywidgets.Image), _find(box, ipywidgets.HTML)
    before = bytes(image.value)
    assert "role='status'" in message.value and "a line to 2 &amp; dots" in message.value
    _find(box, ipywidgets.IntSlider)[0].value = 3
    assert bytes(image.value) != before and bytes(image.value).startswith(b"\x89PNG")
    assert "a line to 3" in message.value


def test_an_error_is_a_sentence_and_the_last_picture_stays(panel, show):
    box = show(panel)
    [image], [message] = _find(box, ipywidgets.Image), _find(box, ipywidgets.HTML)
    [height] = _find(box, ipywidgets.IntSlider)
    good = bytes(image.value)
    height.value = 5
    assert "<b>height &lt;too large&gt;</b>" in message.value and bytes(image.value) == good
    height.value = 2
    assert "a line to 2" in message.value and bytes(image.value) == good


def test_what_cannot_be_drawn_at_first_is_refused_at_once():
    with pytest.raises(sna.SNAError, match="too large"):
        Panel(_draw, height=((0, 9, 1), 5))


def test_static_where_asked_for_or_where_ipywidgets_is_missing(monkeypatch, panel, show):
    monkeypatch.setenv("SNA_STATIC", "1")
    assert show(panel)["text/plain"] == "a line to 2 & dots"
    monkeypatch.delenv("SNA_STATIC")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert not widgets_can_run()
    assert set(show(panel)) == {"image/png", "text/plain"}


def test_each_kind_of_choice_has_its_control_and_label(show):
    panel = Panel(
        lambda **_: _draw(1),
        whole=((0, 3, 1), 2, "whole number (n)"),
        real_number=((0.0, 1.0, 0.1), 0.5),
        few=([1, 1008, 2016], 1008),
        word=(["short", "words"], "words"),
        long=(["a sentence of more than thirty letters"], "a sentence of more than thirty letters"),
    )
    controls = show(panel).children[0].children
    assert [type(control).__name__ for control in controls] == [
        *("IntSlider", "FloatSlider", "SelectionSlider", "Dropdown", "Dropdown")
    ]
    labels = [control.description for control in controls]
    assert labels == ["whole number (n)", "real number", "few", "word", "long"]
    assert [control.value for control in controls] == list(panel.start.values())
    assert list(panel.start.values())[:4] == [2, 0.5, 1008, "words"]
    assert [name for name, _ in controls[2].options] == ["1", "1,008", "2,016"]  # all their digits
    assert (controls[3].layout.width, controls[4].layout.width) == (None, "98%")


# The explorer


@pytest.fixture(scope="module")
def explorer(model, task, scores):
    return sna.widgets.explorer(model, task, scores, layer=4, k=12, multiplier=2.4)


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("chosen_by", ["top scores", "random"])
def test_the_bars_are_a_forward_pass_of_the_model(explorer, model, task, scores, place, chosen_by):
    example = task.examples[place]
    values = {"prompt": example.prompt, "chosen_by": chosen_by}
    figure, alt = explorer.picture(**explorer.start | values)
    neurons = sna.top_neurons(scores, 4, 12)
    if chosen_by == "random":
        neurons = sna.random_neurons(model.cfg.d_mlp, 12, seed=4)
    with sna.amplify(model, sna.Amplification(4, neurons, 2.4)):
        p = read_logits(model, model.to_tokens(example.prompt))[0, 0].softmax(-1)
    drawn = [bar.get_width() for bar in figure.axes[0].containers[1]]  # after amplification
    shown = [name.get_text().replace("␣", " ") for name in figure.axes[0].texts]
    ids = [model.to_single_token(token) for token in shown]
    assert drawn == pytest.approx(p[ids].tolist())
    answer = f"{p[model.to_single_token(example.target)]:.3g}"
    assert f"P({example.target.strip()})" in alt and f"→ {answer}." in alt
    assert ("12 neurons (random) of layer 4 × 2.4" in alt) == (chosen_by == "random")


def test_an_answer_that_begins_with_a_bare_space_is_named(model, scores):
    task = sna.Task("spaced", "words", "easy", (sna.Example("The fox is", "  the", "test"),))
    _, alt = sna.widgets.explorer(model, task, scores, layer=4, k=3, multiplier=2.0).picture(
        "The fox is", 4, 3, 2.0, "top scores"
    )
    assert "P(␣)" in alt


# The zone map


SWEPT = sweep(
    lambda task, multiplier, **_: multiplier,
    {"low_easy": ("low", 0.05), "high_easy": ("high", 0.5)},
    layers=(0, 1),
)
SWEPT["pct_improvement"] = 10.0 * SWEPT.layer + SWEPT.n_neurons


def test_the_zone_map_shows_the_chosen_configuration_of_the_test_rows():
    panel = sna.widgets.zone_map(
        SWEPT.assign(pct_improvement=SWEPT.pct_improvement * (SWEPT.split == "test"))
    )
    figure, alt = panel.picture(**panel.start | {"layer": 1, "neurons": 3})
    assert "Zone 1: 13, Zone 3: 13" in alt
    drawn = [y for dots in figure.axes[0].collections for y in dots.get_offsets()[:, 1]]
    assert drawn == [13, 13]


def test_the_zone_map_shows_all_rows_where_none_are_test_rows():
    panel = sna.widgets.zone_map(SWEPT[SWEPT.split == "select"])
    figure, alt = panel.picture(**panel.start | {"gain": "delta_logodds"})
    assert "Mean change of log-odds: Zone 1: 2.4, Zone 3: 2.4" in alt
    assert len(figure.axes[0].collections) == 2


def test_thresholds_move_tasks_between_zones():
    panel = sna.widgets.zone_map(SWEPT)
    _, alt = panel.picture(**panel.start | {"low": 0.01, "high": 0.5})
    assert "Zone 2" in alt and "Zone 1" not in alt
    with pytest.raises(sna.SNAError, match=r"Zone 1 ends at 0\.20, above 0\.10"):
        panel.picture(**panel.start | {"low": 0.2})


def test_the_zone_map_has_a_slider_over_what_was_swept(show):
    box = show(sna.widgets.zone_map(SWEPT))
    sliders = _find(box, ipywidgets.SelectionSlider)
    swept = [[value for _, value in slider.options] for slider in sliders]
    assert swept == [[0, 1], [3, 5], [1.1, 1.5, 2.4]]
    thresholds = [slider.description for slider in _find(box, ipywidgets.FloatSlider)]
    assert thresholds == ["zone 1 below", "zone 3 above"]


# The interference map


@pytest.fixture(scope="module")
def tasks():
    return [replace(task, examples=task.examples[:4]) for task in sna.load_tasks().values()][:3]


def test_the_interference_map_measures_and_writes_with_the_amplification_it_names(
    model, tasks, scores
):
    texts, by_domain = sna.load_neutral()[:3], {"facts": scores, "mirror": -scores}
    panel = sna.widgets.interference_map(
        model, tasks, texts, by_domain, prompt="The dog", layer=1, k=4, multiplier=3.0
    )
    figure, alt = panel.picture(**panel.start | {"domain": "mirror", "layer": 0})
    push = sna.Amplification(0, sna.top_neurons(-scores, 0, 4), 3.0)
    by_hand = interference.side_effects(model, tasks, texts, push)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    [dots] = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    drawn = dict(zip(names, dots.get_xdata(), strict=True))
    domain = tasks[0].domain
    gain = by_hand[by_hand.domain == domain].logodds.mean()
    assert drawn[domain] == pytest.approx(gain, abs=1e-5)
    neutral = interference.effects(by_hand).query("outcome == 'loss'").iloc[0]
    told = interference.in_words(neutral).split(" [")[0]
    assert "neutral" not in drawn and f"neutral text: {told} [" in alt
    [text] = write(model, ["The dog"], push).text
    assert "4 mirror neurons of layer 0 × 3.0" in alt and text.replace("\n", " / ") in alt
    assert panel.controls["domain"] == (["facts", "mirror"], "facts", "amplify")


# The margin map


@pytest.fixture(scope="module")
def reviews():
    return sna.load_reviews().groupby("label").head(10)


def _drawn_after(figure):
    """The signed margins after, as drawn, the positive reviews' first."""
    return [y for dots in figure.axes[0].collections for y in dots.get_offsets()[:, 1].tolist()]


def test_the_margin_map_shows_the_model_and_shifts(model, reviews, scores):
    both = pairs(scores, k=5)
    panel = sna.widgets.margin_map(model, reviews, both, layer=1, multiplier=8.0)
    values = panel.start | {"arm": "both"}
    ordered = pd.concat([reviews[reviews.label == label] for label in ("positive", "negative")])
    with sna.amplify(model, sna.Amplification(1, arms(both, 1)["both"], 8.0)):
        expected = sentiment.classify(model, list(ordered.sentence)).logit_diff.to_numpy()
    figure, _ = panel.picture(**values)
    assert _drawn_after(figure) == pytest.approx(np.tanh(expected / 2), abs=1e-5)
    figure, alt = panel.picture(**values | {"shift": 2.0})
    assert _drawn_after(figure) == pytest.approx(np.tanh((expected + 2.0) / 2), abs=1e-5)
    assert "both, layer 1 × 8.0, all shifted by +2.0" in alt
    still = panel.start | {"multiplier": 1.0, "arm": "random"}
    assert "Answers fixed: 0, broken: 0" in panel.picture(**still)[1]


def test_a_start_out_of_range_is_refused_at_once(model, task, tasks, reviews, scores):
    start, texts = {"layer": 99, "multiplier": 2.4}, sna.load_neutral()[:3]
    with pytest.raises(sna.SNAError, match="layer 99"):
        sna.widgets.explorer(model, task, scores, k=12, **start)
    with pytest.raises(sna.SNAError, match="layer 99"):
        by_domain, given = {"facts": scores}, {"prompt": "The dog", "k": 4} | start
        sna.widgets.interference_map(model, tasks, texts, by_domain, **given)
    with pytest.raises(sna.SNAError, match="layer 99"):
        sna.widgets.margin_map(model, reviews, pairs(scores, k=5), **start)


# The noise machine, which notebook 07 makes of a function of its own

NOISY, REPEATS = [0.01, 0.05, 0.5], 10


def noise_machine(baselines):
    """The panel of notebook 07's cell, for these baselines."""
    [path] = NOTEBOOKS.glob("07*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, 4).cells]
    known = {"sna": sna, "baselines": baselines}
    for source in [source for source in cells if "noise_machine" in source]:
        exec(source.replace("sna.widgets.Panel(", "panel = sna.widgets.Panel("), known)
    return known["panel"]


def test_the_noise_machine_makes_zones_of_nothing_and_new_prompts_unmake_them():
    panel = noise_machine(NOISY)
    chosen = panel.picture(**panel.start)
    new = panel.picture(**panel.start | {"measured_on": "new prompts"})
    table = best_of_noise(NOISY, 0.1, repeats=REPEATS)
    for (figure, alt), gain in ((chosen, table.best_pct), (new, table.test_pct)):
        assert f"Zone 1: {gain[:2].mean():+.1f}, Zone 3: {gain[2]:+.1f}" in alt
        assert f"Zone 1 {gain[:2].mean():+.1f} %" in figure.axes[0].get_title(loc="left")
        [dots] = figure.axes[0].collections
        assert dots.get_offsets()[:, 1].tolist() == pytest.approx(gain.tolist())
    assert table.best_pct[0] > 30 > 15 > abs(table.test_pct[0])
    assert chosen[0].axes[0].get_ylim() == new[0].axes[0].get_ylim()


def test_the_noise_machine_shows_every_gain_and_a_flat_line_without_noise():
    panel = noise_machine(NOISY)
    [ax] = panel.picture(**panel.start | {"noise": 0.5})[0].axes
    [dots] = ax.collections
    assert ax.get_ylim()[1] > dots.get_offsets()[:, 1].max() > 100
    figure, alt = panel.picture(**panel.start | {"noise": 0.0})
    assert "Zone 1: +0.0, Zone 3: +0.0" in alt and figure.axes[0].get_ylim() == (-10, 50)


def test_the_noise_machine_names_the_lowest_zone_there_is():
    panel = noise_machine([0.5])
    assert "Zone 3 +" in panel.picture(**panel.start)[0].axes[0].get_title(loc="left")
    with pytest.raises(sna.DataError, match="above 0 and below 1"):
        panel = noise_machine([0.5, 1.0])
        panel.picture(**panel.start)

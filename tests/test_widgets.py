"""The Explorer shows what the model says now, live or as a picture, and survives bad input."""

import sys

import ipywidgets
import pytest

import snahelpers as sna
from snahelpers.widgets import widgets_can_run


@pytest.fixture(scope="module")
def model():
    return sna.load_model("minnow-dimmed")


@pytest.fixture(scope="module")
def task():
    return sna.load_tasks("planted")["planted"]


@pytest.fixture(scope="module")
def scores(model, task):
    return sna.differential_activation(model, task.split("select").prompts, sna.load_neutral()[:40])


@pytest.fixture
def explorer(model, task, scores):
    return sna.Explorer(model, task, scores, layer=4, k=12, multiplier=2.4)


def _shown(monkeypatch, explorer):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a[0]))
    explorer._ipython_display_()
    return shown[0]


def _find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += _find(child, kind)
    return found


def test_the_table_is_a_forward_pass_of_the_model(explorer, model, task, scores):
    example = task.examples[0]
    table = explorer.table(example, layer=4, k=12, multiplier=2.4, source="top scores")
    with sna.amplify(model, sna.Amplification(4, sna.top_neurons(scores, 4, 12), 2.4)):
        expected = sna.next_tokens(model, example.prompt, k=3).set_index("token").p
    assert table.set_index("token").after[expected.index].tolist() == pytest.approx(
        expected.tolist()
    )


def test_another_prompt_is_another_forward_pass(explorer, task):
    state = {"layer": 4, "k": 12, "multiplier": 2.4, "source": "top scores"}
    first, second = (explorer.table(task.examples[i], **state) for i in (0, 2))
    assert task.examples[2].target in second.token.tolist() and not first.equals(second)


def test_random_neurons_are_the_control(explorer):
    top = explorer.amplification(layer=4, k=12, multiplier=2.0, source="top scores")
    control = explorer.amplification(layer=4, k=12, multiplier=2.0, source="random")
    assert top.neurons != control.neurons and len(control.neurons) == 12


def test_moving_a_slider_replaces_the_picture(monkeypatch, explorer):
    monkeypatch.delenv("SNA_STATIC", raising=False)
    box = _shown(monkeypatch, explorer)
    [image] = _find(box, ipywidgets.Image)
    [multiplier] = _find(box, ipywidgets.FloatSlider)
    before = bytes(image.value)
    multiplier.value = 5.0
    assert bytes(image.value) != before and bytes(image.value).startswith(b"\x89PNG")


def test_an_error_is_a_sentence_and_the_last_picture_stays(monkeypatch, explorer):
    monkeypatch.delenv("SNA_STATIC", raising=False)
    box = _shown(monkeypatch, explorer)
    [image], [message] = _find(box, ipywidgets.Image), _find(box, ipywidgets.HTML)
    good = bytes(image.value)

    def refuse(*args, **kwargs):
        raise sna.SNAError("neurons <too many>")

    monkeypatch.setattr(explorer, "picture", refuse)
    _find(box, ipywidgets.FloatSlider)[0].value = 3.3
    assert "neurons &lt;too many&gt;" in message.value and bytes(image.value) == good


def test_static_where_asked_for_or_where_ipywidgets_is_missing(monkeypatch, explorer):
    monkeypatch.setenv("SNA_STATIC", "1")
    assert set(_shown(monkeypatch, explorer)) == {"image/png", "text/plain"}
    monkeypatch.delenv("SNA_STATIC")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert not widgets_can_run()
    assert set(_shown(monkeypatch, explorer)) == {"image/png", "text/plain"}


def test_a_start_out_of_range_is_refused_at_once(model, task, scores):
    with pytest.raises(sna.SNAError, match="layer 99"):
        sna.Explorer(model, task, scores, layer=99, k=12, multiplier=2.4)

"""The Explorer shows what the model says now, live or as a picture, and survives bad input."""

import sys

import ipywidgets
import pandas as pd
import pytest

import snahelpers as sna
from snahelpers.measure import next_logits
from snahelpers.widgets.panel import widgets_can_run


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
    table = explorer.table(**explorer.start)
    with sna.amplify(model, sna.Amplification(4, sna.top_neurons(scores, 4, 12), 2.4)):
        p = next_logits(model, model.to_tokens(example.prompt))[0].softmax(-1)
    assert table.after.tolist() == pytest.approx(p[table.id].tolist())


def test_another_prompt_is_another_forward_pass(explorer, task):
    first, second = (
        explorer.table(**explorer.start | {"prompt": task.examples[i].prompt}) for i in (0, 2)
    )
    assert task.examples[2].target in second.token.tolist() and not first.equals(second)


def test_random_neurons_are_the_control(explorer):
    top = explorer.amplification(**explorer.start)
    control = explorer.amplification(**explorer.start | {"chosen by": "random"})
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


CONFIGURATIONS = [(layer, k, m) for layer in range(2) for k in (3, 5) for m in (1.1, 2.4)]
SWEPT = pd.DataFrame(
    {"task": name, "domain": name, "difficulty": "easy", "split": split, "layer": layer,
     "n_neurons": k, "multiplier": m, "p_base": p, "pct_improvement": 10.0 * layer + k,
     "delta_logodds": m}
    for name, p in {"low": 0.05, "high": 0.5}.items()
    for split in ("select", "test")
    for layer, k, m in CONFIGURATIONS
)  # fmt: skip


def test_the_zone_map_shows_the_chosen_configuration_of_the_test_rows():
    panel = sna.ZoneMap(
        SWEPT.assign(pct_improvement=SWEPT.pct_improvement * (SWEPT.split == "test"))
    )
    figure, alt = panel.picture(**panel.start | {"layer": 1, "neurons": 3})
    assert "Zone 1: 13, Zone 3: 13" in alt
    drawn = [y for dots in figure.axes[0].collections for y in dots.get_offsets()[:, 1]]
    assert drawn == [13, 13]


def test_thresholds_move_tasks_between_zones():
    panel = sna.ZoneMap(SWEPT)
    moved = panel.start | {"zone 1 below": 0.01, "zone 3 above": 0.5}
    assert "Zone 2" in panel.picture(**moved)[1] and "Zone 1" not in panel.picture(**moved)[1]
    with pytest.raises(sna.SNAError, match=r"Zone 1 ends at 0\.20, above 0\.10"):
        panel.picture(**panel.start | {"zone 1 below": 0.2})


def test_the_zone_map_has_a_slider_over_what_was_swept(monkeypatch):
    monkeypatch.delenv("SNA_STATIC", raising=False)
    box = _shown(monkeypatch, sna.ZoneMap(SWEPT))
    sliders = _find(box, ipywidgets.SelectionSlider)
    assert [[value for _, value in slider.options] for slider in sliders] == [
        [0, 1], [3, 5], [1.1, 2.4],
    ]  # fmt: skip


NOISY = [0.01, 0.05, 0.5]


def test_the_noise_machine_makes_zones_of_nothing_and_new_prompts_unmake_them():
    panel = sna.NoiseMachine(NOISY)
    chosen = panel.picture(**panel.start)
    new = panel.picture(**panel.start | {"measured on": "new prompts"})
    table = panel.table(**panel.start)
    for (figure, alt), gain in ((chosen, table.best_pct), (new, table.test_pct)):
        assert f"Zone 1: {gain[:2].mean():+.1f}, Zone 3: {gain[2]:+.1f}" in alt
        assert f"Zone 1 {gain[:2].mean():+.1f} %" in figure.axes[0].get_title(loc="left")
        [dots] = figure.axes[0].collections
        assert dots.get_offsets()[:, 1].tolist() == pytest.approx(gain.tolist())
    assert table.best_pct[0] > 30 > 15 > abs(table.test_pct[0])
    assert chosen[0].axes[0].get_ylim() == new[0].axes[0].get_ylim()


def test_the_noise_machine_shows_every_gain_and_a_flat_line_without_noise():
    panel = sna.NoiseMachine(NOISY)
    loud = panel.start | {"noise (nats)": 0.5}
    assert panel.picture(**loud)[0].axes[0].get_ylim()[1] > panel.table(**loud).best_pct.max() > 100
    figure, alt = panel.picture(**panel.start | {"noise (nats)": 0.0})
    assert "Zone 1: +0.0, Zone 3: +0.0" in alt and figure.axes[0].get_ylim() == (-10, 50)


def test_the_noise_machine_names_the_lowest_zone_there_is():
    panel = sna.NoiseMachine([0.5])
    assert "Zone 3 +" in panel.picture(**panel.start)[0].axes[0].get_title(loc="left")
    with pytest.raises(sna.DataError, match="above 0 and below 1"):
        sna.NoiseMachine([0.5, 1.0])


def test_whole_numbers_on_a_slider_keep_all_their_digits(monkeypatch):
    monkeypatch.delenv("SNA_STATIC", raising=False)
    box = _shown(monkeypatch, sna.NoiseMachine(NOISY))
    configurations, _ = _find(box, ipywidgets.SelectionSlider)
    assert [name for name, _ in configurations.options] == ["1", "12", "168", "1,008", "2,016"]
    [image] = _find(box, ipywidgets.Image)
    before = bytes(image.value)
    configurations.value = 12
    assert bytes(image.value) != before

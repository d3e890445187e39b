"""The lab without a browser: what its controls mean, what is measured, what goes wrong."""

import asyncio
import math
import threading
from dataclasses import replace

import ipywidgets
import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.lab import Lab
from snahelpers.lab.bench import CONTROL_DRAWS, GRID, Bench, direct_logits
from snahelpers.lab.next_token import NextToken
from snahelpers.lab.page import Page
from snahelpers.lab.setting import OWN, Push, Setting, all_tasks, as_code
from snahelpers.widgets import Live

PUSH = Push(layer=7, k=12, multiplier=2.4)


@pytest.fixture(scope="module")
def bench():
    return Bench(sna.load_model("minnow-dimmed"))


@pytest.fixture(scope="module")
def setting():
    example = all_tasks()["planted"].split("test").examples[0]
    return Setting(example.prompt, example.target, "planted", (PUSH,))


@pytest.fixture
def page(bench):
    return Page(bench, "planted", PUSH)


@torch.no_grad()
def next_distribution(model, prompt, *edits):
    """Every token's probability, by a full pass of the whole model."""
    with sna.amplify(model, *edits):
        logits = model(model.to_tokens(prompt), use_cache=False)[0, -1]
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=-1)


def tiny_setting(**changed):
    """On a model of random weights; neurons by chance, so that nothing else is computed."""
    given = dict(prompt=factory.PROMPTS[0], target=factory.TARGETS[0], task=OWN, source="random")
    return Setting(**given | {"pushes": (Push(1, 20, 4.0),)} | changed)


def full_pass(bench, setting):
    return next_distribution(bench.model, setting.prompt, *bench.amplifications(setting))


@pytest.fixture
def full_passes(monkeypatch):
    """A list that grows when the bench takes a full pass under amplification."""
    taken, full_pass = [], NextToken._full_pass

    def take(self, factors, n):
        taken.append(factors)
        return full_pass(self, factors, n)

    monkeypatch.setattr(NextToken, "_full_pass", take)
    return taken


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("multiplier", [0.0, 1.0, 1.1, 12.0])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("family", [*factory.DENSE, "gemma2"])
def test_a_resumed_pass_is_a_full_pass(family, layer, multiplier, positions, full_passes):
    bench = Bench(factory.load(family, torch.float64))
    push = Push(layer, 20, multiplier)
    setting = tiny_setting(pushes=(push,), positions=positions)
    shown = bench.distribution(setting)
    assert bool(full_passes) == (family == "gemma2")  # a norm follows its MLP
    before, after = next_distribution(bench.model, setting.prompt), full_pass(bench, setting)
    assert shown.before.tolist() == pytest.approx(before[shown.id.tolist()].tolist(), rel=1e-9)
    assert shown.after.tolist() == pytest.approx(after[shown.id.tolist()].tolist(), rel=1e-9)
    moved = (after / before - 1).abs().max().item()
    assert moved > 1e-6 or multiplier == 1  # else nothing was shown above


def test_what_is_resumed_is_of_this_prompt_and_these_positions(bench, setting, full_passes):
    """Float32 and trained weights, one bench throughout: nothing of an earlier setting is left."""
    for changed in (
        {},
        {"positions": "last"},
        {},
        {"prompt": "The king said"},
        {"pushes": (Push(2, 5, 0.0),)},
        {"pushes": (Push(11, 12, 6.0),), "positions": "last"},
        {},
    ):
        now = replace(setting, **changed)
        shown, expected = bench.distribution(now), full_pass(bench, now)
        assert shown.after.tolist() == pytest.approx(expected[shown.id.tolist()].tolist(), rel=1e-4)
        before = next_distribution(bench.model, now.prompt)[shown.id.tolist()]
        assert shown.before.tolist() == pytest.approx(before.tolist(), rel=1e-6)
    assert not full_passes


def test_two_amplifications_take_a_full_pass(full_passes):
    bench = Bench(factory.load("gpt2"))
    setting = tiny_setting(pushes=(Push(2, 5, 3.0), Push(0, 5, 0.5)))
    shown = bench.distribution(setting)
    assert len(full_passes) == 1
    expected = full_pass(bench, setting)[shown.id.tolist()].tolist()
    assert shown.after.tolist() == pytest.approx(expected, rel=1e-6)


def test_half_precision_takes_a_full_pass(full_passes):
    bench = Bench(factory.load("gpt2", torch.bfloat16))
    setting = tiny_setting()
    shown = bench.distribution(setting)
    assert full_passes and shown.after.tolist() == full_pass(bench, setting)[shown.id].tolist()
    same = bench.distribution(tiny_setting(pushes=(Push(1, 20, 1.0),)))
    assert same.after.equals(same.before)


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_refused(layer):
    bench = Bench(factory.load("gpt2"))
    with pytest.raises(sna.SNAError, match="layer"):
        bench.distribution(tiny_setting(pushes=(Push(layer, 5, 2.0),)))


def test_what_is_shown_leaves_no_hook_and_no_change(setting):
    with factory.unchanged(model := sna.load_model("minnow-dimmed")):
        bench = Bench(model)
        for pushes in ((PUSH,), (PUSH, Push(2, 5, 6.0))):
            bench.distribution(replace(setting, pushes=pushes))


def test_sources_choose_differently_and_own_sentences_count(bench, setting):
    chosen = {
        source: bench.amplifications(replace(setting, source=source))[0].neurons
        for source in ("differential", "contrastive", "random")
    }
    own = replace(setting, own=("The cat sleeps.", "A dog runs."))
    chosen["own"] = bench.amplifications(own)[0].neurons
    chosen["own neutral"] = bench.amplifications(replace(own, neutral=("Stop.",)))[0].neurons
    assert len(set(chosen.values())) == len(chosen)
    assert replace(setting, task=OWN).texts == (setting.prompt,)


def test_the_control_is_as_large_and_elsewhere(bench, setting):
    shown = bench.distribution(setting)
    control = bench.control(setting, shown.id.tolist())
    assert (control.low <= control["mean"]).all() and (control["mean"] <= control.high).all()
    row = shown.index[shown.token == setting.target][0]
    assert control.high[row] < shown.after[row]  # planted neurons do what random ones do not
    assert CONTROL_DRAWS >= 5


def test_every_neuron_alone_is_one_amplified_alone(bench, setting):
    table = bench.neurons(setting)
    assert table.neuron.tolist() == list(bench.amplifications(setting)[0].neurons)
    assert table.share.sum() == pytest.approx(1)
    neuron, alone = table.neuron[3], table.alone[3]
    example = sna.Example(setting.prompt, setting.target, "test")
    task = sna.Task("t", "", "", (example,))
    before = sna.measure(bench.model, task).logodds[0]
    with sna.amplify(bench.model, sna.Amplification(7, [neuron], 2.4)):
        after = sna.measure(bench.model, task).logodds[0]
    assert alone == pytest.approx(after - before, abs=1e-4)


def test_a_neuron_pushes_toward_what_its_output_raises(bench, setting):
    row = bench.neurons(setting).iloc[0]
    written = math.copysign(1, row.activation) * bench.model.blocks[7].mlp.W_out[row.neuron]
    raised = direct_logits(bench.model, written[None])[0]
    assert [bench.model.to_string([i]) for i in raised.topk(4).indices] == row.toward


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("at_once", [1024, 20], ids=["one batch", "two batches"])
def test_rows_of_one_batch_are_passes_of_their_own(family, at_once, monkeypatch):
    monkeypatch.setattr("snahelpers.tasks.MAX_BATCH_TOKENS", at_once)
    model, prompt = factory.load(family), factory.PROMPTS[0]
    next_token = NextToken(model, {}, prompt, "all")
    one_layer = [[sna.Amplification(1, [1, 2], 4.0)], [sna.Amplification(1, [2], 0.0)]]
    two_layers = [[], one_layer[0], [*one_layer[1], sna.Amplification(2, [9], 3.0)]]
    for rows in (one_layer, two_layers):
        logits = next_token.logits(*rows)
        for row, edits in zip(logits.softmax(-1), rows, strict=True):
            expected = next_distribution(model, prompt, *edits)
            torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-7)
    with pytest.raises(sna.SNAError, match="Neuron"):
        next_token.logits([sna.Amplification(1, [model.cfg.d_mlp], 2.0)])


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"source": "random"},
        {"source": "contrastive", "task": "maths_easy"},
        {"own": ("It's red.", 'Say "no".'), "neutral": ("Stop.",), "positions": "last"},
        {"pushes": (PUSH, Push(2, 5, 1.23)), "prompt": "The king said"},
    ],
    ids=["planted", "random", "contrastive", "own", "two"],
)
def test_the_code_runs_as_pasted_and_gives_the_same(bench, setting, changed):
    setting = replace(setting, **changed)
    *lines, last = as_code(setting, "minnow-dimmed").splitlines()
    names = {}
    exec("\n".join([*lines, f"shown = {last}"]), names)
    expected = bench.distribution(setting)
    mine = names["shown"].set_index("id").after
    assert mine[expected.id].tolist() == pytest.approx(expected.after.tolist(), rel=1e-4)
    assert not expected.after.equals(expected.before)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("answer", " ", "answer is empty"),
        ("prompt", " ", "is empty: give it at least one word"),
        ("prompt", "word " * 300, "Shorten"),
    ],
)
def test_bad_input_is_a_sentence_and_what_was_shown_stays(page, field, text, said):
    shown, summary = bytes(page.image.value), page.summary.value
    getattr(page.controls, field).value = text
    assert said in page.problem.value
    assert bytes(page.image.value) == shown and page.summary.value == summary
    getattr(page.controls, field).value = {"answer": "Rome", "prompt": "The king said"}[field]
    assert page.problem.value == "" and bytes(page.image.value) != shown


def test_the_picture_is_told_in_words(page, bench, setting):
    p = bench.distribution(setting).set_index("token").loc[setting.target]
    told = f"12 of layer 7 × 2.4: P({setting.target.strip()}) {p.before:.3g} → {p.after:.3g}."
    control = bench.control(setting, [int(p.id)]).iloc[0]
    assert f"{told} Other neurons, as loud: {control.low:.3g} to {control.high:.3g}." in (
        page.outcome.value
    )
    page.controls.first.multiplier.value = 1.0
    assert f"→ {p.before:.3g}." in page.outcome.value


def test_an_answer_may_be_typed_without_its_space(bench):
    prompt = "By magic, the vlopiz became"
    assert bench.target(prompt, "wool") == bench.target(prompt, " wool") == " wool"


def test_two_amplifications_at_one_layer_are_refused(page):
    page.controls.two.value = True
    assert "move one of them" in page.problem.value
    page.controls.second.layer.value = 2
    assert page.problem.value == "" and len(page.setting.pushes) == 2


def test_a_search_fills_the_map_and_a_cell_loads(page):
    page.search.go.click()
    assert "1,008 configurations" in page.search.report.value
    assert "held-out prompts of planted" in page.search.report.value
    cells = [c for c in page.search.heat_map.children if isinstance(c, ipywidgets.Button)]
    assert len(cells) == 12 * 12
    cells[7 * 12 + 3].click()
    found = page.search.found.query("layer == 7 and multiplier == @GRID.multipliers[3]")
    best = found.loc[found.p_post.idxmax()]
    assert page.controls.first.push() == (7, best.n_neurons, GRID.multipliers[3])
    assert cells[7 * 12 + 3].description == f"{best.delta_logodds:+.2f}"
    assert "search.csv" in page.links.value
    page.search.go.click()
    assert all(cell.comm is None for cell in cells)  # closed: nothing piles up


@pytest.mark.parametrize("source", ["differential", "contrastive", "random"])
def test_a_search_chooses_neurons_as_the_page_says(page, bench, source):
    page.controls.source.value = source
    page.search.go.click()
    best = page.search.found.loc[page.search.found.p_post.idxmax()]
    assert f"Best: layer {best.layer}, {best.n_neurons} neurons" in page.search.report.value
    push = Push(int(best.layer), int(best.n_neurons), float(best.multiplier))
    shown = bench.distribution(replace(page.setting, pushes=(push,)))
    after = shown.after[shown.token == page.setting.target].item()
    assert after == pytest.approx(best.p_post, rel=1e-3)


def test_a_search_can_be_stopped(page, monkeypatch):
    layers = []

    async def cancel_after_two(_seconds):
        layers.append(1)
        if len(layers) == 2:
            page.search.cancel.click()

    monkeypatch.setattr(asyncio, "sleep", cancel_after_two)
    page.search.go.click()
    assert "Stopped after 2 of 12 layers" in page.search.report.value
    assert not page.search.go.disabled and page.search.cancel.disabled


def test_a_model_that_is_not_there_leaves_the_one_at_hand(page, bench):
    page.model_row.typed.value = "no/such-model"
    assert "needs the Hugging Face hub" in page.model_row.status.value
    page.model_row.load.click()
    assert "cannot be reached" in page.model_row.status.value
    assert page.controls.bench is bench and not page.model_row.load.disabled
    page.model_row.typed.value = "minnow"
    page.model_row.load.click()
    assert page.controls.bench.model.cfg.model_name == "minnow" and "'minnow'" in page.code.value


def test_what_was_found_on_one_model_is_not_shown_for_another(page):
    page.search.go.click()
    page.model_row.typed.value = "minnow"
    page.model_row.load.click()
    assert page.search.found is None and not page.search.heat_map.children
    assert "search.csv" not in page.links.value


@pytest.mark.parametrize(("name", "size"), [("gpt2-xl", "6,431 MB"), ("gpt2", "548 MB")])
def test_a_model_from_the_hub_is_told_with_its_size(page, name, size, monkeypatch):
    monkeypatch.setattr("snahelpers.checkpoints.cached_folder", lambda name: None)
    page.model_row.listed.value = name
    assert size in page.model_row.status.value


def test_texts_are_written_with_and_without_until_something_changes(page):
    page.write_button.click()
    assert "as it is" in page.texts.value and "amplified" in page.texts.value
    page.controls.first.multiplier.value += 0.5
    assert page.texts.value == ""


def test_the_lab_is_a_picture_where_no_widget_can_run(monkeypatch):
    shown = []
    monkeypatch.setenv("SNA_STATIC", "1")
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a[0]))
    Lab("minnow-dimmed", task="planted")._ipython_display_()
    assert set(shown[0]) == {"image/png", "text/plain"}


def test_only_the_newest_change_is_drawn_and_in_the_loops_thread():
    seen, threads = [], set()

    async def drag():
        now = {"value": 0}

        def quick():
            threads.add(threading.get_ident())
            seen.append(now["value"])

        live = Live(quick, lambda: seen.append("rest"))

        def move():
            for value in range(1, 50):
                now["value"] = value
                live()

        mover = threading.Thread(target=move)
        mover.start()
        mover.join()
        await asyncio.sleep(0.2)

    asyncio.run(drag())
    assert seen == [49, "rest"] and threads == {threading.get_ident()}


@pytest.mark.parametrize("family", ["gpt2", "neox", "llama", "gemma2"])
def test_the_numbers_are_there_on_every_architecture(family):
    bench = Bench(factory.load(family))
    texts = dict(own=("A dog ran",), neutral=tuple(factory.SENTENCES))
    given = tiny_setting(pushes=(Push(1, 3, 4.0),), source="differential", **texts)
    shown = bench.distribution(given)
    assert bench.control(given, shown.id.tolist()).notna().all(axis=None)
    assert bench.neurons(given).drop(columns="toward").notna().all(axis=None)
    found = pd.concat(bench.search(given, sna.Grid(counts=(3,), multipliers=(4.0,))))
    row = found[found.layer == 1].iloc[0]
    assert shown.after[shown.token == given.target].item() == pytest.approx(row.p_post, rel=1e-3)


def test_a_page_fits_a_small_model_too():
    page = Page(Bench(factory.load("gpt2")), OWN, Push(1, 2, 2.0))
    page.controls.prompt.value, page.controls.answer.value = "The cat sat on the", "mat"
    assert "P(mat)" in page.summary.value
    page.search.go.click()
    assert page.search.report.value


def test_a_prompt_of_two_lines_keeps_its_break_when_edited(page):
    """A field of one line would drop it in the browser, and join two words."""
    page.controls.task.value = "poetry_medium"
    prompt = page.controls.example.value.prompt
    assert "\n" in prompt and "\n" not in page.controls.prompt.value
    assert page.setting.prompt == prompt
    page.controls.prompt.value = page.controls.prompt.value + " and"
    assert page.setting.prompt == f"{prompt} and"

"""The lab without a browser: what its controls mean, what is measured, what goes wrong."""

import asyncio
import threading
from dataclasses import replace

import ipywidgets
import pandas as pd
import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.lab import Lab, pieces
from snahelpers.lab.bench import CONTROL_DRAWS, GRID, Bench, direct_logits
from snahelpers.lab.controls import whereabouts
from snahelpers.lab.page import Page
from snahelpers.lab.setting import OWN, Push, Setting, all_tasks, as_code
from snahelpers.widgets import Live

PUSH = Push(layer=7, k=12, multiplier=2.4)
FAMILIES = ["gpt2", "neox", "llama", "gemma2"]


@pytest.fixture(scope="module")
def bench():
    return Bench(sna.load_model("minnow-dimmed"))


@pytest.fixture(scope="module")
def setting():
    example = all_tasks()["planted"].split("test").examples[0]
    return Setting(example.prompt, example.target, "planted", PUSH)


@pytest.fixture
def page(bench):
    return Page(bench, "planted", PUSH)


def shown(page):
    """Whether the results are to be seen."""
    assert page.result.layout.visibility == page.details.layout.visibility
    return page.result.layout.visibility == "visible"


@torch.no_grad()
def next_distribution(model, prompt, *edits):
    """Every token's probability, by a full pass of the whole model."""
    with sna.amplify(model, *edits):
        logits = model(model.to_tokens(prompt), use_cache=False)[0, -1]
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=-1)


def tiny_setting(**changed):
    """On a model of random weights; neurons by chance, so that nothing else is computed."""
    given = dict(prompt=factory.PROMPTS[0], target=factory.TARGETS[0], task=OWN, source="random")
    return Setting(**given | {"push": Push(1, 20, 4.0)} | changed)


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("multiplier", [0.0, 1.0, 12.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_shown_is_a_full_pass(family, multiplier, positions):
    bench = Bench(factory.load(family, torch.float64))
    before = next_distribution(bench.model, factory.PROMPTS[0])
    for layer in range(3):
        setting = tiny_setting(push=Push(layer, 20, multiplier), positions=positions)
        tokens, _ = bench.change(setting)
        edit = bench.amplification(setting)
        after = next_distribution(bench.model, setting.prompt, edit)
        assert tokens.before.tolist() == pytest.approx(before[tokens.id.tolist()].tolist())
        assert tokens.after.tolist() == pytest.approx(after[tokens.id.tolist()].tolist(), rel=1e-9)
        moved = (after / before - 1).abs().max().item()
        assert moved > 1e-6 or multiplier == 1  # else nothing was shown above


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_of_several_tokens_is_measured_whole(family, positions):
    bench = Bench(factory.load(family))
    setting = tiny_setting(target=" quiet town. The cat", positions=positions)
    tokens, answer = bench.change(setting)
    asked = setting.asked.split("test")
    assert answer.p["before"] == pytest.approx(sna.measure(bench.model, asked).p[0], rel=1e-4)
    with sna.amplify(bench.model, bench.amplification(setting)):
        after = sna.measure(bench.model, asked)
    assert answer.loc["after"].tolist() == pytest.approx(
        after.loc[0, ["p", "rank", "entropy"]].tolist(), rel=1e-4
    )
    assert bench.first_token(setting) in tokens.token.tolist()
    p = bench.control(setting, tokens.id.tolist())[1]
    assert len(p) == CONTROL_DRAWS and len({answer.p["after"], *p}) > 1
    assert bench.neurons(setting).alone.abs().max() > 0


def test_nothing_of_an_earlier_setting_is_left(bench, setting):
    for changed in ({}, {"positions": "last"}, {"prompt": "The king said"}, {"push": PUSH}, {}):
        now = replace(setting, **changed)
        tokens, _ = bench.change(now)
        expected = next_distribution(bench.model, now.prompt, bench.amplification(now))
        assert tokens.after.tolist() == pytest.approx(expected[tokens.id].tolist(), rel=1e-4)


def test_where_a_norm_follows_the_mlp_whole_passes_are_run():
    bench, setting = Bench(factory.load("gemma2")), tiny_setting(push=Push(1, 20, 3.0))
    tokens, _ = bench.change(setting)
    expected = next_distribution(bench.model, setting.prompt, bench.amplification(setting))
    assert tokens.after.tolist() == pytest.approx(expected[tokens.id].tolist(), rel=1e-4)
    assert not tokens.after.equals(tokens.before)


def test_in_half_precision_a_multiplier_of_one_changes_nothing():
    bench = Bench(factory.load("gpt2", torch.bfloat16))
    tokens, _ = bench.change(tiny_setting(push=Push(1, 20, 1.0)))
    assert tokens.after.equals(tokens.before)


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_refused(layer):
    with pytest.raises(sna.SNAError, match="layer"):
        Bench(factory.load("gpt2")).change(tiny_setting(push=Push(layer, 5, 2.0)))


def test_what_is_shown_leaves_no_hook_and_no_change(setting):
    with factory.unchanged(model := sna.load_model("minnow-dimmed")):
        bench = Bench(model)
        bench.change(setting)
        bench.neurons(setting)


def test_sources_choose_differently_and_own_sentences_count(bench, setting):
    setting = replace(setting, push=Push(0, 12, 2.4))
    own = replace(setting, task=OWN, own=("The cat sleeps.", "A dog runs."))
    settings = [setting, replace(setting, source="absolute"), replace(setting, source="random")]
    settings += [
        own,
        replace(own, neutral=("Stop.",)),
        replace(setting, task="logic_easy (English)"),
    ]
    chosen = {bench.amplification(setting).neurons for setting in settings}
    assert len(chosen) == len(settings)
    assert replace(own, own=()).asked.split("select").prompts == [setting.prompt]


def test_the_control_is_as_large_and_elsewhere(bench, setting):
    tokens, answer = bench.change(setting)
    ranges, p = bench.control(setting, tokens.id.tolist())
    assert (ranges.low <= ranges["mean"]).all() and (ranges["mean"] <= ranges.high).all()
    assert max(p) < answer.p["after"]  # planted neurons do what random ones do not
    [row] = tokens.index[tokens.token == bench.first_token(setting)]
    assert ranges.high[row] == pytest.approx(max(p), rel=1e-4)


def test_every_neuron_alone_is_one_amplified_alone(bench, setting):
    table = bench.neurons(setting)
    assert table.neuron.tolist() == list(bench.amplification(setting).neurons)
    assert table.share.sum() == pytest.approx(1)
    asked = setting.asked.split("test")
    before = sna.measure(bench.model, asked).logodds[0]
    with sna.amplify(bench.model, sna.Amplification(7, [table.neuron[3]], 2.4)):
        after = sna.measure(bench.model, asked).logodds[0]
    assert table.alone[3] == pytest.approx(after - before, abs=1e-4)


def test_activations_are_told_where_they_are_read_and_where_they_are_amplified(bench, setting):
    table = bench.neurons(setting)
    for column, positions in {"last": "last", "mean": "all"}.items():
        fired = sna.mean_activations(bench.model, [setting.prompt], positions=positions)
        expected = fired[7, table.neuron.tolist()].tolist()
        assert table[column].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_neuron_pushes_toward_what_its_output_raises_and_nowhere_if_it_is_silent(
    bench, setting, monkeypatch
):
    row = bench.neurons(setting).iloc[0]
    written = bench.model.blocks[7].mlp.W_out[row.neuron].sign() * 0
    written += torch.tensor(row["last"]).sign() * bench.model.blocks[7].mlp.W_out[row.neuron]
    most = direct_logits(bench.model, written[None])[0].topk(4).indices
    names = [sna.plots.visible(bench.model.to_string([i])) for i in most.tolist()]
    assert row.toward == " ".join(names)
    monkeypatch.setitem(bench.clean(setting).fired, 7, bench.clean(setting).fired[7] * 0)
    assert bench.neurons(setting).toward.eq("").all()


@pytest.mark.parametrize("at_once", [2**28, 1], ids=["one batch", "several"])
def test_alternatives_of_one_batch_are_passes_of_their_own(at_once, monkeypatch):
    monkeypatch.setattr("snahelpers.lab.bench.MEMORY", at_once)
    bench, setting = Bench(factory.load("llama")), tiny_setting()
    edits = [sna.Amplification(1, [1, 2], 4.0), sna.Amplification(1, [2], 0.0)]
    logits = bench.logits(setting, *edits)
    for row, edit in zip(logits[:, 0].softmax(-1), edits, strict=True):
        expected = next_distribution(bench.model, setting.prompt, edit)
        torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-7)
    with pytest.raises(sna.SNAError, match="Neuron"):
        bench.logits(setting, sna.Amplification(1, [bench.d_mlp], 2.0))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"source": "random"},
        {"source": "absolute", "task": "maths_easy"},
        {"task": "maths_easy (English)", "positions": "last"},
        {"task": OWN, "own": ("It's red.", 'Say "no".'), "neutral": ("Stop.",)},
    ],
    ids=["planted", "random", "absolute", "English", "own"],
)
def test_the_code_runs_as_pasted_and_gives_the_same(bench, setting, changed):
    setting = replace(setting, **changed)
    *lines, last = as_code(setting, "minnow-dimmed").splitlines()
    names = {}
    exec("\n".join([*lines, f"shown = {last}"]), names)
    expected, _ = bench.change(setting)
    mine = names["shown"].set_index("id").after
    assert mine[expected.id].tolist() == pytest.approx(expected.after.tolist(), rel=1e-4)
    assert not expected.after.equals(expected.before)


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (1.0, "over 99.9 %"),
        (0.753, "75.3 %"),
        (0.0101, "1.01 %"),
        (0.0096, "9.6 in 1,000"),
        (0.00012, "1.2 in 10,000"),
        (2.6e-7, "2.6 in 10 million"),
        (1e-9, "1 in 1 billion"),
        (0.0, "less than 1 in 1 trillion"),
    ],
)
def test_a_probability_is_told_as_people_read_it(p, told):
    assert pieces.chance(p) == told


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("answer", " ", "answer is empty"),
        ("prompt", " ", "is empty: give it at least one word"),
        ("prompt", "word " * 300, "Shorten"),
    ],
)
def test_bad_input_is_a_sentence_and_nothing_is_shown_as_if_it_held(page, field, text, said):
    assert shown(page)
    getattr(page.controls, field).value = text
    assert said in page.problem.value and not shown(page)
    getattr(page.controls, field).value = {"answer": "Rome", "prompt": "The king said"}[field]
    assert page.problem.value == "" and shown(page)


@pytest.mark.parametrize(
    ("number", "text", "expected"),
    [
        ("multiplier", "99", "a number, such as 2.4, from 0 to 12"),
        ("multiplier", "2,4", "a number, such as 2.4, from 0 to 12"),
        ("multiplier", "nan", "a number, such as 2.4, from 0 to 12"),
        ("layer", "1.5", "a whole number from 0 to 11"),
        ("k", "0", "a whole number from 1 to 50"),
    ],
)
def test_a_number_that_cannot_be_is_refused_and_stays_to_be_seen(page, number, text, expected):
    control = getattr(page.controls, number)
    control.field.value = text
    assert f"is {text!r}: expected {expected}." in page.problem.value.replace("&#x27;", "'")
    assert control.field.value == text and not shown(page)
    control.field.value = "2"
    assert control.slider.value == 2 and shown(page)
    control.slider.value = 3
    assert control.field.value == "3" and control.value == 3


def test_whatever_fails_is_said(page, monkeypatch):
    def fail(*_given):
        raise IndexError("list index out of range")

    monkeypatch.setattr(page.controls.bench, "neurons", fail, raising=False)
    page.controls.multiplier.field.value = "2"
    assert "failed with IndexError: list index out of range" in page.problem.value
    assert not shown(page)
    monkeypatch.undo()
    page.controls.multiplier.field.value = "3"
    assert shown(page)
    monkeypatch.setattr(Bench, "search", fail)
    page.search.go.click()
    assert "The search failed with IndexError" in page.problem.value
    assert not page.search.go.disabled
    monkeypatch.setattr(Bench, "texts", fail)
    page.write_button.click()
    assert "Writing failed with IndexError" in page.problem.value


def test_the_picture_is_told_in_words(page, bench, setting):
    answer = bench.change(setting)[1]
    before, after = map(pieces.chance, answer.p)
    low, *_, high = sorted(bench.control(setting, [0])[1])
    told = f"12 neurons in layer 7, × 2.4: “{setting.target.strip()}” {before} → {after}."
    control = f"Random neurons of the same strength: {pieces.chance(low)} to {pieces.chance(high)}."
    assert f"{told} {control}" in page.outcome.value
    assert page.title.startswith("minnow-dimmed: … zwemem into … ")  # as many words as fit
    assert f"after “{setting.prompt} …”" in page.summary.value
    assert page.title.endswith("12 neurons in layer 7, × 2.4")
    assert "Nothing to see" not in page.outcome.value
    page.controls.multiplier.field.value = "1"
    assert "Nothing to see" in page.outcome.value


def test_a_very_small_chance_is_promised_nothing(page):
    assert page.bars.ax.get_xlim()  # a picture was drawn
    assert "in 10 million" in page.summary.value and "never learned" in page.summary.value
    assert "27.85" not in page.summary.value


def test_neurons_that_were_chosen_on_the_prompt_that_judges_them_are_said_to_be(page):
    assert "on this very prompt" not in page.outcome.value
    page.controls.task.value = OWN
    assert "on this very prompt" in page.outcome.value
    page.controls.own.value = "The cat sleeps.\nA dog runs."
    assert "on this very prompt" not in page.outcome.value and shown(page)


def test_an_answer_may_be_typed_without_its_space(bench):
    prompt = "By magic, the vlopiz became"
    assert bench.target(prompt, "wool") == bench.target(prompt, " wool") == " wool"


def test_a_search_fills_the_map_a_cell_loads_and_so_does_the_winner(page):
    page.search.go.click()
    assert "1,008 configurations in 12 of 12 layers" in page.search.report.value
    assert "held-out prompts of planted" in page.search.report.value
    cells = [c for c in page.search.heat_map.children if isinstance(c, ipywidgets.Button)]
    assert len(cells) == 12 * 12
    cells[7 * 12 + 3].click()
    found = page.search.found.query("layer == 7 and multiplier == @GRID.multipliers[3]")
    best = found.loc[found.p_post.idxmax()]
    assert page.setting.push == (7, best.n_neurons, GRID.multipliers[3])
    assert cells[7 * 12 + 3].description == f"{best.delta_logodds:+.2f}"
    assert "search.csv" in page.links.value
    page.search.winner.click()
    best = page.search.found.loc[page.search.found.p_post.idxmax()]
    assert page.setting.push == (best.layer, best.n_neurons, best.multiplier)
    assert page.search.found is not None  # of the same question
    page.controls.answer.value = "wool"
    assert page.search.found is None and page.search.report.value == ""
    assert page.search.winner.disabled and "search.csv" not in page.links.value
    assert all(cell.comm is None for cell in cells)  # closed: nothing piles up


@pytest.mark.parametrize("source", ["absolute", "random"])
def test_a_search_chooses_neurons_as_the_page_says(bench, setting, source):
    setting = replace(setting, source=source)
    grid = sna.Grid(counts=(3, 8), multipliers=(1.5, 2.4))
    found = pd.concat(bench.search(setting, grid), ignore_index=True)
    assert len(found) == 12 * 4 and found.layer.is_monotonic_increasing
    best = found.loc[found.p_post.idxmax()]
    push = Push(int(best.layer), int(best.n_neurons), float(best.multiplier))
    answer = bench.change(replace(setting, push=push))[1]
    assert answer.p["after"] == pytest.approx(best.p_post, rel=1e-3)


def test_a_search_can_be_stopped_within_a_layer_and_then_run_again(page, monkeypatch):
    monkeypatch.setattr("snahelpers.lab.bench.GRID", GRID)
    steps, sleep = [], asyncio.sleep

    async def cancel_after_nine(seconds):
        steps.append(page.search.report.value)
        if len(steps) == 9:
            page.search.cancel.click()
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", cancel_after_nine)
    page.search.go.click()
    assert "108 configurations in 2 of 12 layers" in page.search.report.value  # 9 × 12: 1 2/7
    assert "layer 0, about" in steps[0] and steps[0].endswith("s left")
    assert not page.search.go.disabled and page.search.cancel.disabled
    page.search.go.click()
    assert "1,008 configurations" in page.search.report.value


def test_a_search_whose_question_has_changed_shows_nothing(page, monkeypatch):
    sleep = asyncio.sleep

    async def change(seconds):
        page.controls.answer.value = "wool"
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", change)
    page.search.go.click()
    assert page.search.found is None and not page.search.heat_map.children
    assert not page.search.go.disabled


def test_all_work_runs_with_the_threads_that_suit_it(page, monkeypatch):
    seen = []
    for name in ("change", "control", "neurons", "elsewhere", "texts", "amplification"):
        method = getattr(Bench, name)

        def watched(self, *given, method=method):
            seen.append(torch.get_num_threads())
            return method(self, *given)

        monkeypatch.setattr(Bench, name, watched)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        page.controls.multiplier.field.value = "2"
        page.write_button.click()
        page.search.go.click()
        assert seen and set(seen) == {1} and torch.get_num_threads() == 4
        page.controls.bench.small, seen[:] = False, []
        page.controls.multiplier.field.value = "3"
        assert set(seen) == {2}
    finally:
        page.controls.bench.small = True
        torch.set_num_threads(before)


def test_a_model_that_is_not_there_leaves_the_one_at_hand_and_its_name(page, bench, monkeypatch):
    row = page.model_row
    row.typed.value = "no/such-model"
    row.go.click()
    assert "cannot be reached" in page.problem.value and page.controls.bench is bench
    assert row.typed.value == "" and row.listed.value == "minnow-dimmed" and not row.go.disabled

    def fail(name):
        raise KeyError("t5")

    monkeypatch.setattr(sna, "load_model", fail)
    row.listed.value = "gpt2"
    row.go.click()
    assert "Loading the model failed with KeyError" in page.problem.value
    assert row.listed.value == "minnow-dimmed" and "12 layers of 512" in row.status.value


def test_another_model_takes_over_and_what_was_found_goes(page):
    page.search.go.click()
    page.model_row.typed.value = str(factory.folder("gpt2"))
    page.model_row.go.click()
    assert page.controls.bench.n_layers == 3 and page.model_row.listed.value == str(
        factory.folder("gpt2")
    )
    assert page.search.found is None and not page.search.heat_map.children
    page.controls.prompt.value, page.controls.answer.value = "The cat sat on the", "mat"
    assert shown(page) and f"load_model({str(factory.folder('gpt2'))!r})" in page.code.value
    assert page.controls.layer.slider.max == 2


def test_a_model_is_listed_with_its_size_and_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr("snahelpers.checkpoints.cached_folder", lambda name: None)
    assert whereabouts("gpt2-xl") == "6,431 MB, a download from the Hugging Face hub"
    assert whereabouts("some/model") == "a download from the Hugging Face hub"
    assert whereabouts("minnow") == "5 MB, ships with the course"
    (tmp_path / "x.gguf").write_bytes(bytes(3_000_000))
    assert whereabouts(str(tmp_path / "x.gguf")) == "3 MB, on this computer"
    assert whereabouts("smollm2").startswith("98 MB, ")


def test_texts_are_written_with_and_without_until_something_changes(page):
    page.write_button.click()
    assert "as it is" in page.texts.value and "amplified" in page.texts.value
    page.controls.multiplier.field.value = "3"
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


@pytest.mark.parametrize("family", FAMILIES)
def test_the_numbers_are_there_on_every_architecture(family):
    bench = Bench(factory.load(family))
    texts = dict(own=("A dog ran",), neutral=tuple(factory.SENTENCES))
    given = tiny_setting(push=Push(1, 3, 4.0), source="differential", **texts)
    tokens, answer = bench.change(given)
    assert bench.control(given, tokens.id.tolist())[0].notna().all(axis=None)
    assert bench.neurons(given).drop(columns="toward").notna().all(axis=None)
    found = pd.concat(bench.search(given, sna.Grid(counts=(3,), multipliers=(4.0,))))
    row = found[found.layer == 1].iloc[0]
    assert answer.p["after"] == pytest.approx(row.p_post, rel=1e-3)


def test_a_prompt_of_two_lines_keeps_its_break_when_edited(page):
    """A field of one line would drop it in the browser, and join two words."""
    page.controls.task.value = "poetry_medium"
    prompt = page.controls.example.value.prompt
    assert "\n" in prompt and "\n" not in page.controls.prompt.value
    assert page.setting.prompt == prompt
    page.controls.prompt.value = page.controls.prompt.value + " and"
    assert page.setting.prompt == f"{prompt} and"

"""The lab in a browser, in JupyterLab and as a page without code."""

import pandas as pd
import pytest

import served
from served import control, open_tab

MINUTE = 60_000


@pytest.fixture(scope="module", params=[served.jupyterlab, served.voila], ids=lambda f: f.__name__)
def opened(request, browser, notebooks):
    """The page with the lab on it; opening takes long, so the tests share it."""
    with request.param(notebooks) as url:
        page = served.new_page(browser)
        served.open_lab(page, request.param, url)
        yield page
        page.close()


@pytest.fixture
def lab(opened, picture_of):
    """The lab at rest, whatever the test before has left on it."""
    at_rest(opened)
    picture_of(opened)
    return opened


def wait_for_text(page, text):
    page.locator(".sna-lab", has_text=text).first.wait_for(timeout=MINUTE)


def picture(page):
    """The picture's address, which is another for each that is drawn."""
    return page.locator(".sna-lab img").first.get_attribute("src")


def at_rest(page):
    """The picture, once no other has come for a while: the control is drawn last."""
    old = None
    while old != (old := picture(page)):
        page.wait_for_timeout(1500)
    return old


def wait_for_new_picture(page, old):
    page.wait_for_function(
        "old => document.querySelector('.sna-lab img')?.src !== old", arg=old, timeout=MINUTE
    )


def value(page, name):
    return control(page, name).locator(".widget-readout").inner_text()


def type_into(page, name, text):
    field = control(page, name).locator("input, textarea")
    field.fill(text)
    field.press("Enter")


def test_a_slider_moved_by_key_and_by_mouse_draws_anew(lab):
    old = picture(lab)
    handle = control(lab, "layer").locator(".noUi-handle")
    before = int(value(lab, "layer"))
    handle.focus()
    handle.press("ArrowRight")
    wait_for_new_picture(lab, old)
    assert int(value(lab, "layer")) == before + 1

    box = control(lab, "multiplier").locator(".noUi-base").bounding_box()
    y = box["y"] + box["height"] / 2
    start = control(lab, "multiplier").locator(".noUi-handle").bounding_box()
    lab.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    lab.mouse.down()
    lab.mouse.move(box["x"] + box["width"] / 2, y, steps=15)
    lab.mouse.up()
    moved = float(value(lab, "multiplier"))
    assert 4 < moved < 8
    open_tab(lab, "Take away")  # drawn from what the picture shows, when all has come to rest
    code = control(lab, "code").locator("textarea")
    lab.wait_for_function(
        "([area, number]) => area.value.includes(number)",
        arg=[code.element_handle(), f", {before + 1}, 12), {moved:g}"],
    )
    assert lab.locator(".sna-lab img").count() == 1  # nothing stacks


def test_a_typed_prompt_is_measured_and_a_bad_answer_is_a_sentence(lab):
    type_into(lab, "prompt", "The dog sat on the")
    type_into(lab, "answer", "two words")
    wait_for_text(lab, "Baseline: P(two words)")
    type_into(lab, "answer", "soft")
    wait_for_text(lab, "Baseline: P(soft)")
    old = at_rest(lab)
    type_into(lab, "answer", " ")
    wait_for_text(lab, "The answer is empty")
    assert "Baseline: P(soft)" in lab.locator(".sna-lab").inner_text() and picture(lab) == old
    type_into(lab, "answer", "soft")
    type_into(lab, "prompt", "")
    wait_for_text(lab, "is empty: give it at least one word")
    type_into(lab, "prompt", "word " * 300)
    wait_for_text(lab, "Shorten")
    assert "Traceback" not in lab.locator("body").inner_text()
    type_into(lab, "prompt", "The dog sat on the")
    wait_for_new_picture(lab, old)


def test_a_search_is_run_loaded_and_another_one_cancelled(lab):
    open_tab(lab, "Search")
    lab.get_by_role("button", name="Search", exact=True).click()
    wait_for_text(lab, "held-out prompts of planted")
    assert "1,008 configurations of this prompt" in lab.locator(".sna-lab").inner_text()
    cells = lab.locator(".sna-cell")
    assert cells.count() == 12 * 12
    old = at_rest(lab)
    cells.nth(7 * 12 + 11).click()  # layer 7, the largest multiplier
    wait_for_new_picture(lab, old)
    assert value(lab, "layer") == "7" and value(lab, "multiplier") == "2.40"

    lab.get_by_role("button", name="Search", exact=True).click()
    lab.get_by_role("button", name="Cancel", exact=True).click()
    wait_for_text(lab, "Stopped after")
    assert lab.get_by_role("button", name="Search", exact=True).is_enabled()


def test_the_distribution_is_downloaded(lab):
    open_tab(lab, "Take away")
    with lab.expect_download() as downloading:
        lab.get_by_role("link", name="the distribution (CSV)").click()
    frame = pd.read_csv(downloading.value.path())
    assert list(frame) == ["token", "id", "before", "after"] and frame.after.between(0, 1).all()


def test_another_model_takes_over_and_one_that_is_not_there_does_not(lab):
    type_into(lab, "another", "no/such-model")
    wait_for_text(lab, "needs the Hugging Face hub")
    lab.get_by_role("button", name="Load model").click()
    wait_for_text(lab, "cannot be reached")
    type_into(lab, "another", "minnow")
    lab.get_by_role("button", name="Load model").click()
    wait_for_text(lab, "12 layers of 512 neurons")
    open_tab(lab, "Text")
    lab.get_by_role("button", name="Write").click()
    wait_for_text(lab, "perplexity")

"""The lab in a browser, in JupyterLab and as a page without code."""

import contextlib
import json
import time

import pandas as pd
import psutil
import pytest

import served
from served import control

MINUTE = 60_000
SERIOUS = ("serious", "critical")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module", params=[served.jupyterlab, served.voila], ids=lambda f: f.__name__)
def opened(request, browser, notebooks):
    """The page with the lab on it; opening takes long, so the tests share it."""
    with request.param(notebooks) as url:
        page = served.new_page(browser)
        served.open_lab(page, request.param, url)
        page.is_voila = request.param is served.voila
        yield page
        page.close(run_before_unload=True)


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


def field(page, name):
    """The field beside a slider."""
    return control(page, name).locator("xpath=..").locator("input")


def type_into(page, name, text):
    place = control(page, name).locator("input, textarea")
    place.fill(text)
    place.press("Enter")


def type_number(page, name, text):
    field(page, name).fill(text)
    field(page, name).press("Enter")


def search(page):
    page.get_by_role("button", name="Search", exact=True).click()


def axe(page, context=None):
    """What axe finds that is serious, as text."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
        if "ui-slider-handle" not in node["html"]  # ipywidgets 7 names it and gives it no role
    ]


def test_a_slider_moved_by_key_and_by_mouse_draws_anew(lab):
    old = picture(lab)
    handle = control(lab, "layer").locator(served.HANDLE)
    before = int(field(lab, "layer").input_value())
    handle.focus()
    handle.press("ArrowRight")
    wait_for_new_picture(lab, old)
    assert int(field(lab, "layer").input_value()) == before + 1

    box = control(lab, "multiplier").locator(served.TRACK).bounding_box()
    start = control(lab, "multiplier").locator(served.HANDLE).bounding_box()
    y = start["y"] + start["height"] / 2
    lab.mouse.move(start["x"] + start["width"] / 2, y)
    lab.mouse.down()
    lab.mouse.move(box["x"] + box["width"] / 2, y, steps=15)
    lab.mouse.up()
    at_rest(lab)
    moved = float(field(lab, "multiplier").input_value())
    assert 4 < moved < 8
    code = control(lab, "code").locator("textarea")  # drawn last
    lab.wait_for_function(
        "([area, text]) => area.value.includes(text)",
        arg=[code.element_handle(), f"Amplification({before + 1}, neurons, {moved:g}"],
    )
    assert lab.locator(".sna-lab img").count() == 1  # nothing stacks


def test_what_cannot_be_is_a_sentence_and_nothing_stays_beside_it(lab):
    type_into(lab, "prompt", "The dog sat on the")
    type_into(lab, "answer", "two words")
    wait_for_text(lab, "gives “two words”")
    type_into(lab, "answer", "soft")
    wait_for_text(lab, "gives “soft”")
    for wrong, told in {"2,4": "multiplier is '2,4'", "99": "multiplier is '99'"}.items():
        type_number(lab, "multiplier", wrong)
        wait_for_text(lab, told)
        assert field(lab, "multiplier").input_value() == wrong
        assert not lab.locator(".sna-lab img").is_visible()
        assert not lab.get_by_role("link", name="the distribution (CSV)").is_visible()
    type_number(lab, "multiplier", "2.4")
    lab.locator(".sna-lab img").wait_for()
    type_into(lab, "prompt", "word " * 300)
    wait_for_text(lab, "Shorten")
    assert "Traceback" not in lab.locator("body").inner_text()
    type_into(lab, "prompt", "The dog sat on the")
    lab.locator(".sna-lab img").wait_for()


def test_a_search_is_run_loaded_cancelled_and_run_again(lab):
    search(lab)
    wait_for_text(lab, "held-out prompts of planted")
    assert "1,008 configurations in 12 of 12 layers" in lab.locator(".sna-lab").inner_text()
    assert lab.locator(".sna-cell").count() == 12 * 12
    lab.get_by_role("button", name="Show the winner").click()
    at_rest(lab)
    best = lab.locator(".sna-lab").inner_text().split("Best: ")[1].split(":")[0]
    assert f"{best}: “" in lab.locator(".sna-told").inner_text()
    old = at_rest(lab)
    cell = lab.locator(".sna-cell").nth(7 * 12 + 10)
    assert "in layer 7, × 2.28" in cell.get_attribute("title")
    cell.focus()
    cell.press("Enter")
    wait_for_new_picture(lab, old)
    assert field(lab, "layer").input_value() == "7"
    assert field(lab, "multiplier").input_value() == "2.28"

    search(lab)
    wait_for_text(lab, "s left")
    lab.get_by_role("button", name="Cancel", exact=True).click()
    wait_for_text(lab, "of 12 layers, of")
    assert "1,008 configurations" not in lab.locator(".sna-lab").inner_text()
    search(lab)
    wait_for_text(lab, "1,008 configurations in 12 of 12 layers")


def test_the_distribution_is_downloaded(lab):
    with lab.expect_download() as downloading:
        lab.get_by_role("link", name="the distribution (CSV)").click()
    frame = pd.read_csv(downloading.value.path())
    assert list(frame) == ["token", "id", "before", "after"] and frame.after.between(0, 1).all()


def test_everything_has_a_name_and_can_be_read(lab):
    """Also the cells of the search that was run before."""
    assert axe(lab, None if lab.is_voila else ".sna-lab") == []
    for name in ("layer", "neurons", "multiplier"):
        assert lab.get_by_label(name, exact=True).and_(lab.locator(served.HANDLE)).count() == 1
    told = lab.locator(".sna-told").inner_text().strip()
    assert "neurons in layer" in told and lab.get_by_role("img", name=told).count() == 1
    assert lab.get_by_role("region", name="The SNA lab").count() == 1


def test_all_can_be_reached_by_keys(lab):
    control(lab, "prompt").locator("input").focus()
    met = []
    for _ in range(300):
        lab.keyboard.press("Tab")
        met.append(
            lab.evaluate(
                "() => document.activeElement.getAttribute('aria-label') || "
                "document.activeElement.textContent || document.activeElement.id"
            )
        )
        if met[-1] == "the distribution (CSV)":
            break
    wanted = ["layer", "multiplier", "multiplier, as a number", "Load model", "Search", "Write"]
    assert set(wanted) <= set(met)


def test_one_screen_a_phone_a_zoomed_page_and_a_dark_one(opened, picture_of):
    if not opened.is_voila:
        pytest.skip("the page is JupyterLab's own")
    try:
        opened.set_viewport_size({"width": 1280, "height": 800})
        opened.locator("h1").scroll_into_view_if_needed()
        opened.wait_for_timeout(1000)
        shoot(opened, "screen")
        for shown in ("img", ".sna-told"):
            box = opened.locator(f".sna-lab {shown}").bounding_box()
            assert box["y"] > 0 and box["y"] + box["height"] <= 800
        opened.emulate_media(color_scheme="dark")
        opened.wait_for_timeout(500)
        shoot(opened, "dark")
        assert axe(opened) == []
        opened.emulate_media(color_scheme="light")
        for width in (640, 360):  # the same screen at 200 %, and a phone
            opened.set_viewport_size({"width": width, "height": 740})
            opened.wait_for_timeout(1000)
            shoot(opened, f"{width}")
            assert opened.evaluate(OVERFLOW) <= 0
            box = opened.locator(".sna-lab img").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
    finally:
        opened.emulate_media(color_scheme="light")
        opened.set_viewport_size({"width": 1280, "height": 1400})


def shoot(page, name):
    served.SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=served.SHOTS / f"lab_{name}.png", full_page=True)


def test_a_page_of_its_own_shows_no_colab_and_no_versions(opened):
    body = opened.locator("body")
    is_there = "transformer-lens" in body.inner_text()
    assert is_there != opened.is_voila
    assert (opened.locator("img[alt='Open in Colab']").count() == 1) != opened.is_voila
    assert "make app" not in body.inner_text()


def test_another_model_takes_over_and_one_that_is_not_there_does_not(lab):
    type_into(lab, "or another", "no/such-model")
    lab.get_by_role("button", name="Load model").click()
    wait_for_text(lab, "cannot be reached")
    wait_for_text(lab, "minnow-dimmed: 12 layers of 512 neurons")  # said last
    assert control(lab, "or another").locator("input").input_value() == ""
    served.load_model(lab, "minnow")
    lab.get_by_role("button", name="Write").click()
    wait_for_text(lab, "perplexity")


def kernels():
    """Those that the tests' servers have started."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "ipykernel_launcher" in process.cmdline():
                found.add(process.pid)
    return found


def test_a_page_that_is_reloaded_or_closed_leaves_no_kernel(browser, tmp_path):
    """Of a notebook that opens quickly, with the lab's server."""
    code = "import ipywidgets\nipywidgets.IntSlider(description='ready')"
    cell = dict(cell_type="code", source=code, metadata={}, outputs=[], execution_count=None)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    book = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "small.ipynb").write_text(json.dumps(book))
    others = kernels()
    with served.voila(tmp_path, "small.ipynb") as url:
        page = served.new_page(browser)
        page.goto(f"{url}/?token={served.TOKEN}")
        for _ in range(10):
            page.get_by_text("ready").wait_for()
            page.wait_for_timeout(300)
            page.reload()
        page.get_by_text("ready").wait_for()
        assert len(settled(others, 1)) == 1
        page.close(run_before_unload=True)
        assert settled(others, 0) == set()


def settled(others, n):
    """The kernels, once there are no more than n: ending one takes a moment."""
    for _ in range(300):
        if len(kernels() - others) <= n:
            break
        time.sleep(0.1)
    return kernels() - others

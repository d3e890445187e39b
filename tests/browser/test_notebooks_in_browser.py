"""JupyterLab opens each notebook, runs all of it without an error, and its panel can be moved."""

import pytest

import served

NOTEBOOKS = sorted((served.ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def url(notebooks):
    with served.jupyterlab(notebooks) as url:
        yield url


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_then_move_a_slider(browser, url, path, picture_of):
    page = served.new_page(browser)
    picture_of(page)
    served.open_notebook(page, url, path.name)
    ran = served.run_all(page)
    assert ran["errors"] == [] and ran["run"] == ran["code"] > 0
    assert ran["panels"]

    served.scroll_to_cell(page, ran["panels"][-1])
    panel = page.locator(".jp-OutputArea-output:has(.noUi-handle)").last
    image = panel.locator("img").first
    old = image.get_attribute("src")
    panel.locator(".noUi-handle").first.press("ArrowRight")
    page.wait_for_function("([image, old]) => image.src !== old", arg=[image.element_handle(), old])
    assert panel.locator("img").count() == 1
    served.shut_down(page)

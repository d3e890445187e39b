"""JupyterLab opens each notebook, runs all of it without an error, and its panel can be moved."""

import nbformat
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
    panel = page.locator(f".jp-OutputArea-output:has({served.HANDLE})").last
    image = panel.locator("img").first
    old = image.get_attribute("src")
    slider = panel.locator(served.HANDLE).first
    now, most = map(slider.get_attribute, ("aria-valuenow", "aria-valuemax"))
    slider.press("ArrowLeft" if now == most else "ArrowRight")
    page.wait_for_function("([image, old]) => image.src !== old", arg=[image.element_handle(), old])
    assert panel.locator("img").count() == 1
    served.shut_down(page)


def test_the_answer_to_a_prediction_is_folded_until_it_is_opened(browser, tmp_path, picture_of):
    """As it ships: JupyterLab opens it when its cell is run. And nobody is asked about news."""
    with served.jupyterlab(served.copy_of_notebooks(tmp_path)) as url:
        page = served.new_page(browser)
        picture_of(page)
        served.open_notebook(page, url, NOTEBOOKS[0].name)
        cell = served.scroll_to_cell(page, first_fold(NOTEBOOKS[0]))
        closed = cell.locator(".jp-OutputPlaceholder")
        closed.wait_for()
        assert cell.locator(".jp-OutputArea-output:visible").count() == 0
        closed.click()
        assert cell.locator(".jp-OutputArea-output:visible").count() > 0
        assert page.get_by_text("official Jupyter news").count() == 0


def first_fold(path):
    """The number of the first cell whose outputs are folded."""
    cells = nbformat.read(path, as_version=4).cells
    folded = [cell.metadata.get("jupyter", {}).get("outputs_hidden") for cell in cells]
    return folded.index(True)

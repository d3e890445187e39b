"""JupyterLab opens each notebook and runs all of it without an error."""

import pytest

import served

NOTEBOOKS = sorted((served.ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def url(notebooks):
    with served.jupyterlab(notebooks) as url:
        yield url


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all(browser, url, path, picture_of):
    page = served.new_page(browser)
    picture_of(page)
    served.open_notebook(page, url, path.name)
    ran = served.run_all(page)
    assert ran["errors"] == [] and ran["run"] == ran["code"] > 0
    assert ran["live"] > 0

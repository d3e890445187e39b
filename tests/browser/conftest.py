"""A real browser and real servers. Where no browser is found the tests are skipped, and say so."""

import os

import pytest

import served


@pytest.fixture(scope="module")  # not longer: its event loop would run in other tests too
def browser():
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if served.find_browser() is None:
        said = f"no browser: install one of {', '.join(served.BROWSERS)}"
        pytest.fail(said) if os.environ.get("SNA_NEEDS_BROWSER") else pytest.skip(said)
    with served.launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory):
    return served.copy_of_notebooks(tmp_path_factory.mktemp("served"))


@pytest.fixture
def picture_of(request):
    """Keeps what a page shows at the end of a test, for whoever wants to look."""
    pages = []
    yield pages.append
    served.SHOTS.mkdir(exist_ok=True)
    for page in pages:
        page.screenshot(path=served.SHOTS / f"{request.node.name}.png")

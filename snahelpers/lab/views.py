"""Small pieces: tables and links as HTML, and what surrounds work that may take long or fail."""

import base64
import html
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import pandas as pd

import snahelpers as sna

STYLE = """<style>
.sna-cell {color: black; min-width: 0; padding: 0; font-size: 11px; height: 26px; width: auto}
.sna-lab table {border-collapse: collapse} .sna-lab td, .sna-lab th {padding: 0.15em 0.6em}
.sna-lab textarea {font-family: monospace}
.sna-lab a {text-decoration: underline; color: var(--jp-content-link-color, #0b57d0)}
</style>"""
BREATH_SECONDS = 0.01  # between steps of long work: the page answers, and Cancel is heard


def table(frame: pd.DataFrame) -> str:
    """A frame with three digits a number."""
    return frame.to_html(index=False, border=0, float_format="{:.3g}".format, na_rep="")


def download(name: str, kind: str, content: bytes, label: str) -> str:
    """A link that saves `content` as a file, without a server."""
    return (
        f'<a download="{name}" href="data:{kind};base64,{base64.b64encode(content).decode()}">'
        f"{html.escape(label)}</a>"
    )


def download_csv(name: str, frame: pd.DataFrame, label: str) -> str:
    """A link that saves a frame."""
    return download(name, "text/csv", frame.to_csv(index=False).encode(), label)


@contextmanager
def problems_shown(place: w.HTML, *loading: type[Exception]) -> Iterator[None]:
    """Say in `place` what went wrong, in a sentence; what was shown before stays.

    Args:
        place: Where to say it.
        loading: Errors which are not the course's own, and mean that a model cannot be loaded.
    """
    try:
        yield
    except sna.SNAError as error:
        place.value = sna.widgets.sentence(str(error), problem=True)
    except loading as error:
        told = f"The model could not be loaded ({type(error).__name__}): {error}"
        place.value = sna.widgets.sentence(told, problem=True)


@contextmanager
def disabled(button: w.Button) -> Iterator[None]:
    """Keep a button from being pressed again while its work is done."""
    button.disabled = True
    try:
        yield
    finally:
        button.disabled = False

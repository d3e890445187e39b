"""Small pieces of HTML: tables, sentences, links to download, cells to click."""

import base64
import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets as w
import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex

STYLE = """<style>
.sna-cell {color: black; min-width: 0; padding: 0; font-size: 11px; height: 26px; width: auto}
.sna-lab table {border-collapse: collapse} .sna-lab td, .sna-lab th {padding: 0.15em 0.6em}
.sna-lab textarea {font-family: monospace}
.sna-lab a {text-decoration: underline; color: var(--jp-content-link-color, #0b57d0)}
</style>"""
PALE = 1.6  # the colour scale ends so far beyond the largest value: black text stays readable


def table(frame: pd.DataFrame) -> str:
    """A frame with three digits a number."""
    return frame.to_html(index=False, border=0, float_format="{:.3g}".format, na_rep="")


def download(name: str, kind: str, content: bytes, label: str) -> str:
    """A link that saves `content` as a file, without a server."""
    data = base64.b64encode(content).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{html.escape(label)}</a>'


def download_csv(name: str, frame: pd.DataFrame, label: str) -> str:
    """A link that saves a frame."""
    return download(name, "text/csv", frame.to_csv(index=False).encode(), label)


@contextmanager
def disabled(button) -> Iterator[None]:
    """Keep a button from being pressed again while its work is done."""
    button.disabled = True
    try:
        yield
    finally:
        button.disabled = False


class HeatMap:
    """A cell for each layer and multiplier: a button, so that keys and screen readers reach it.

    Args:
        choose: Called with the row of the frame whose cell was pressed.
    """

    def __init__(self, choose: Callable[[pd.Series], None]) -> None:
        self.choose, self.grid = choose, w.GridBox()

    def show(self, frame: pd.DataFrame) -> None:
        """Draw one row of `best_counts` a cell, in place of what was there."""
        layers, multipliers = sorted(frame.layer.unique()), sorted(frame.multiplier.unique())
        most = frame.delta_logodds.abs().max() or 1.0
        cells = {(row.layer, row.multiplier): row for _, row in frame.iterrows()}
        buttons = [_label(""), *(_label(f"× {m:g}") for m in multipliers)]
        for layer in layers:
            buttons.append(_label(f"layer {layer}"))
            buttons += [self._cell(cells[layer, m], most) for m in multipliers]
        self._replace(buttons, f"5em repeat({len(multipliers)}, minmax(2.6em, 1fr))")

    def clear(self) -> None:
        """Show nothing."""
        self._replace([], "")

    def _replace(self, children: list, columns: str) -> None:
        old = self.grid.children
        self.grid.layout.grid_template_columns = columns
        self.grid.children = children
        for child in old:  # a closed widget leaves the kernel and the page
            child.close()

    def _cell(self, row: pd.Series, most: float):
        colour = mpl.colormaps["PuOr_r"](0.5 + row.delta_logodds / most / PALE / 2)
        button = w.Button(
            description=f"{row.delta_logodds:+.2f}", style={"button_color": to_hex(colour)},
            tooltip=f"layer {row.layer}, {row.n_neurons} neurons × {row.multiplier:g}: "
            f"P {row.p_base:.3g} → {row.p_post:.3g}",
        )  # fmt: skip
        button.add_class("sna-cell")
        button.on_click(lambda _button: self.choose(row))
        return button


def _label(text: str):
    return w.HTML(f"<small>{text}</small>")

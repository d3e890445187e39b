"""The lab's search: a bar, a way to stop it, a heat map to click, and the winner elsewhere."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import ipywidgets as w
import matplotlib as mpl
import pandas as pd

import snahelpers as sna
from snahelpers.lab.bench import GRID
from snahelpers.lab.controls import Controls
from snahelpers.lab.setting import Push, Setting
from snahelpers.lab.views import BREATH_SECONDS, disabled, problems_shown

PALE = 1.6  # the colour scale ends so far beyond the largest value: black text stays readable


class SearchTab(w.VBox):
    """What is behind the tab *Search*.

    Args:
        controls: What they say is searched, and a cell that is pressed moves them.
        problem: Where to say what goes wrong.
        done: Called when something was found.

    Attributes:
        found: The latest search, as far as it went; None before one.
        heat_map: A cell for each layer and multiplier: a button, so that keys and screen readers
            reach it.
    """

    def __init__(self, controls: Controls, problem: w.HTML, done: Callable[[], None]) -> None:
        self.controls, self.problem, self.done = controls, problem, done
        self.found, self.stopping, loop = None, False, sna.widgets.running_loop()
        self.go = w.Button(description="Search", tooltip="every layer, count and multiplier")
        self.cancel = w.Button(description="Cancel", disabled=True)
        self.bar, self.report = w.IntProgress(description="layers"), w.HTML()
        self.heat_map = w.GridBox(
            layout={
                "grid_template_columns": f"5em repeat({len(GRID.multipliers)}, minmax(2.6em, 1fr))"
            }
        )
        self.go.on_click(lambda _button: sna.widgets.start(loop, self._search()))
        self.cancel.on_click(lambda _button: self.stop())
        super().__init__(
            [sna.widgets.row(w, self.go, self.cancel, self.bar), self.report, self.heat_map]
        )

    def stop(self) -> None:
        """Ask a running search to end after the layer at hand."""
        self.stopping = True

    def clear(self) -> None:
        """Forget what was found, for another model."""
        self.stop()
        self.found, self.report.value, self.bar.value = None, "", 0
        self._fill([])

    async def _search(self) -> None:
        self.stopping = self.cancel.disabled = False
        bench, layers = self.controls.bench, []
        with problems_shown(self.problem), disabled(self.go):
            setting = self.controls.setting()
            self.bar.value, self.bar.max = 0, bench.n_layers
            for part in bench.search(setting):
                layers.append(part)
                self.bar.value = len(layers)
                await asyncio.sleep(BREATH_SECONDS)
                if self.stopping:
                    break
            if bench is self.controls.bench:  # else another model was loaded in between
                self.found = pd.concat(layers, ignore_index=True)
                self._fill(_cells(self.found, self.controls.first.move))
                self.report.value = sna.widgets.sentence(self._tell(setting))
                self.done()
        self.cancel.disabled = True

    def _tell(self, setting: Setting) -> str:
        bench, searched = self.controls.bench, self.found.layer.nunique()
        best = self.found.loc[self.found.p_post.idxmax()]  # the first of equals
        told = (
            f"{len(self.found):,} configurations of this prompt. Best: layer {best.layer}, "
            f"{best.n_neurons} neurons × {best.multiplier:g}, P {best.p_base:.3g} → "
            f"{best.p_post:.3g} ({best.delta_logodds:+.2f} in log-odds). "
        )
        if searched < bench.n_layers:
            told = f"Stopped after {searched} of {bench.n_layers} layers. {told}"
        others = bench.elsewhere(replace(setting, pushes=(_as_push(best),)))
        if others is None:
            return told + "The best of so many gains by luck as well: try it on other prompts."
        others = others[others.prompt != setting.prompt]
        return told + (
            f"On {len(others)} held-out prompts of {setting.task}: {others.gain.mean():+.2f} on "
            f"average, a gain on {(others.gain > 0).sum()} of them."
        )

    def _fill(self, cells: list[w.Widget]) -> None:
        old, self.heat_map.children = self.heat_map.children, cells
        for cell in old:  # a closed widget leaves the kernel and the page
            cell.close()


def _cells(found: pd.DataFrame, load: Callable[[Push], None]) -> list[w.Widget]:
    """Row by row, each with the number of neurons that gives the answer the highest P."""
    best = found.loc[found.groupby(["layer", "multiplier"]).p_post.idxmax()]
    most = best.delta_logodds.abs().max() or 1.0
    cells = [_label(""), *(_label(f"× {m:g}") for m in best.multiplier.unique())]
    for layer, rows in best.groupby("layer"):
        cells += [_label(f"layer {layer}"), *(_cell(row, most, load) for _, row in rows.iterrows())]
    return cells


def _cell(row: pd.Series, most: float, load: Callable[[Push], None]) -> w.Button:
    colour = mpl.colormaps["PuOr_r"](0.5 + row.delta_logodds / most / PALE / 2)
    button = w.Button(
        description=f"{row.delta_logodds:+.2f}",
        style={"button_color": mpl.colors.to_hex(colour)},
        tooltip=f"layer {row.layer}, {row.n_neurons} neurons × {row.multiplier:g}: "
        f"P {row.p_base:.3g} → {row.p_post:.3g}",
    )
    button.add_class("sna-cell")
    button.on_click(lambda _button: load(_as_push(row)))
    return button


def _label(text: str) -> w.HTML:
    return w.HTML(f"<small>{text}</small>")


def _as_push(row: pd.Series) -> Push:
    return Push(int(row.layer), int(row.n_neurons), float(row.multiplier))  # no numpy's numbers

"""The lab's search: a bar, a way to stop it, a heat map to click, and the winner elsewhere."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets as w
import pandas as pd

from snahelpers.lab.search import as_push, best_counts, search, winner
from snahelpers.lab.setting import Setting
from snahelpers.lab.views import HeatMap, disabled
from snahelpers.widgets.live import start
from snahelpers.widgets.panel import row, sentence

if TYPE_CHECKING:
    from snahelpers.lab.page import Page

BREATH_SECONDS = 0.01  # between layers: the page answers, and Cancel is heard


class SearchTab:
    """What is behind the tab *Search*.

    Attributes:
        found: The latest search, as far as it went; None before one.

    Args:
        page: Whose model and controls are searched, and into which cells are loaded.
    """

    def __init__(self, page: "Page") -> None:
        self.page, self.found, self.stopping = page, None, False
        self.go = w.Button(description="Search", tooltip="every layer, count and multiplier")
        self.cancel = w.Button(description="Cancel", disabled=True)
        self.bar = w.IntProgress(description="layers")
        self.report, self.heat_map = w.HTML(), HeatMap(self._load)
        buttons = row(w, self.go, self.cancel, self.bar)
        self.widget = w.VBox([buttons, self.report, self.heat_map.grid])
        self.go.on_click(lambda _button: start(page.loop, self._search()))
        self.cancel.on_click(lambda _button: self.stop())

    def stop(self) -> None:
        """Ask a running search to end after the layer at hand."""
        self.stopping = True

    def clear(self) -> None:
        """Forget what was found, for another model."""
        self.stop()
        self.found, self.report.value, self.bar.value = None, "", 0
        self.heat_map.clear()

    async def _search(self) -> None:
        self.stopping, self.cancel.disabled = False, False
        bench = self.page.bench
        with self.page.problems_shown(), disabled(self.go):
            setting, layers = self.page.controls.setting(bench), []
            self.bar.value, self.bar.max = 0, bench.n_layers
            for part in search(bench, setting):
                layers.append(part)
                self.bar.value = len(layers)
                await asyncio.sleep(BREATH_SECONDS)
                if self.stopping:
                    break
            if bench is self.page.bench:  # else another model was loaded in between
                self._show(setting, pd.concat(layers, ignore_index=True))
        self.cancel.disabled = True

    def _show(self, setting: Setting, found: pd.DataFrame) -> None:
        self.found = found
        self.heat_map.show(best_counts(found))
        self.report.value = sentence(self._tell(setting, winner(found)))
        self.page.live()  # for the link to its table

    def _tell(self, setting: Setting, best: pd.Series) -> str:
        bench, searched = self.page.bench, self.found.layer.nunique()
        told = (
            f"{len(self.found):,} configurations of this prompt. Best: layer {best.layer}, "
            f"{best.n_neurons} neurons × {best.multiplier:g}, P {best.p_base:.3g} → "
            f"{best.p_post:.3g} ({best.delta_logodds:+.2f} in log-odds). "
        )
        if searched < bench.n_layers:
            told = f"Stopped after {searched} of {bench.n_layers} layers. {told}"
        others = bench.elsewhere(replace(setting, pushes=(as_push(best),)))
        if others is None:
            return told + "The best of so many gains by luck as well: try it on other prompts."
        others = others[others.prompt != setting.prompt]
        return told + (
            f"On {len(others)} held-out prompts of {setting.task}: {others.gain.mean():+.2f} on "
            f"average, a gain on {(others.gain > 0).sum()} of them."
        )

    def _load(self, cell: pd.Series) -> None:
        self.page.controls.first.push = as_push(cell)

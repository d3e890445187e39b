"""The lab's search: a bar, a way to stop it, a heat map to click, and the winner elsewhere."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets as w
import pandas as pd

from snahelpers.lab.search import as_push, best_counts, search, winner
from snahelpers.lab.setting import Setting
from snahelpers.lab.views import HeatMap, sentence
from snahelpers.widgets.live import start
from snahelpers.widgets.panel import row

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

    async def _search(self) -> None:
        self.go.disabled, self.cancel.disabled, self.stopping = True, False, False
        with self.page.problems_shown():
            bench, setting = self.page.bench, self.page.controls.setting(self.page.bench)
            self.bar.value, self.bar.max, layers = 0, bench.n_layers, []
            for part in search(bench, setting):
                layers.append(part)
                self.bar.value = len(layers)
                await asyncio.sleep(BREATH_SECONDS)
                if self.stopping:
                    break
            self.found = pd.concat(layers, ignore_index=True)
            self.heat_map.show(best_counts(self.found))
            self.report.value = sentence(self._tell(setting))
            self.page.live()
        self.go.disabled, self.cancel.disabled = False, True

    def _tell(self, setting: Setting) -> str:
        bench, best = self.page.bench, winner(self.found)
        searched = self.found.layer.nunique()
        part = (
            ""
            if searched == bench.n_layers
            else f"Stopped after {searched} of {bench.n_layers} layers. "
        )
        told = (
            f"{part}{len(self.found):,} configurations of this prompt. Best: layer {best.layer}, "
            f"{best.n_neurons} neurons × {best.multiplier:g}, P {best.p_base:.3g} → "
            f"{best.p_post:.3g} ({best.delta_logodds:+.2f} in log-odds). "
        )
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

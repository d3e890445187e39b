"""The lab's page: what is shown after a change, and what each button does."""

import asyncio
from collections.abc import Callable
from functools import partial

import ipywidgets as w
import pandas as pd

import snahelpers as sna
from snahelpers.lab.bench import Bench
from snahelpers.lab.controls import Controls
from snahelpers.lab.model_row import ModelRow
from snahelpers.lab.search_tab import SearchTab
from snahelpers.lab.setting import Push, as_code
from snahelpers.lab.views import (
    BREATH_SECONDS,
    STYLE,
    disabled,
    download,
    download_csv,
    problems_shown,
    table,
)

# What the paper expects of amplification (sections 4.2 to 4.4).
ZONES = {
    1: "Zone 1 (low confidence: the paper expects a gain, +27.85 % of P on average)",
    2: "Zone 2 (in between: the paper expects no stable effect)",
    3: "Zone 3 (confident already: the paper expects little, below 8 % of P)",
}
TITLES = {"alone": "Δlog-odds alone", "share": "share of the sum", "toward": "pushes to"}


class Page(w.VBox):
    """The widgets, and what happens when one is touched.

    Attributes:
        setting: What is shown; None while the controls say something that cannot be.

    Args:
        bench: The first model.
        task: The first task.
        push: The first amplification.
    """

    def __init__(self, bench: Bench, task: str, push: Push) -> None:
        self.setting, self.tokens, self.title = None, pd.DataFrame(), ""
        self.bars = sna.token_bars.TokenBars(sna.widgets.SHOWN_TOKENS, control=True)
        self.problem, self.summary, self.outcome = w.HTML(), w.HTML(), w.HTML()
        self.image = sna.widgets.picture_frame(w)
        self.neurons, self.means, self.texts, self.links = w.HTML(), w.HTML(), w.HTML(), w.HTML()
        self.write_button = w.Button(description="Write")
        self.code = w.Textarea(description="code", rows=14, layout={"width": "98%"})
        self.live = sna.widgets.Live(
            partial(self._take, self._show_distribution),
            partial(self._take, self._show_control),
            partial(self._take, self._show_neurons),
            partial(self._take, self._show_means),
            partial(self._take, self._show_takeaway),
        )
        self.controls = Controls(bench, task, push, self.live)
        self.search = SearchTab(self.controls, self.problem, self.live)
        self.model_row = ModelRow(bench.model.cfg.model_name, self._use)
        self.write_button.on_click(lambda _button: sna.widgets.start(self.live.loop, self._write()))
        tabs = {
            "Neurons": w.VBox([self.neurons, self.means]),
            "Search": self.search,
            "Text": w.VBox([self.write_button, self.texts]),
            "Take away": w.VBox([self.links, self.code]),
        }
        tab = w.Tab(list(tabs.values()))
        for i, name in enumerate(tabs):
            tab.set_title(i, name)
        super().__init__(
            [
                w.HTML(STYLE),
                self.model_row,
                self.controls,
                self.problem,
                self.summary,
                self.image,
                self.outcome,
                tab,
            ]
        )
        self.add_class("sna-lab")
        self.live.now()

    def _use(self, bench: Bench) -> None:
        """Go on with another model."""
        self.search.clear()
        self.controls.fit(bench)
        self.live()

    # After a change: the first step within a tenth of a second, the others soon after.

    def _take(self, step: Callable[[], None]) -> None:
        """One step; the first finds out what there is to show, the others need to know."""
        with problems_shown(self.problem), self.controls.bench.few_threads():
            if self.setting or step == self._show_distribution:
                step()

    def _show_distribution(self) -> None:
        self.setting, bench = None, self.controls.bench
        setting = self.controls.setting()
        self.problem.value = ""
        self.tokens = bench.distribution(setting)
        base, target = bench.baseline(setting), setting.target.strip()
        self.summary.value = sna.widgets.sentence(
            f"Baseline: P({target}) = {base.p:.3g}, rank {base['rank']}, entropy "
            f"{base.entropy:.2f} nats. {ZONES[sna.zone(base.p)]}."
        )
        self.texts.value = ""  # written with the setting before
        pushes = " and ".join(
            f"{p.k} of layer {p.layer} × {p.multiplier:g}" for p in setting.pushes
        )
        self.first = bench.model.to_string(bench.first_token(setting))
        answer = self.tokens[self.tokens.token == self.first].iloc[0]
        self.title = f"{pushes}: P({self.first.strip()}) {answer.before:.3g} → {answer.after:.3g}"
        self.setting = setting
        self._draw()

    def _show_control(self) -> None:
        control = self.controls.bench.control(self.setting, self.tokens.id.tolist())
        self._draw(control)
        answer = control[self.tokens.token == self.first].iloc[0]
        self.outcome.value = sna.widgets.sentence(
            f"{self.title}. Other neurons, as loud: {answer.low:.3g} to {answer.high:.3g}."
        )

    def _draw(self, control: pd.DataFrame | None = None) -> None:
        self.bars.draw(self.tokens, self.first, self.title, control)
        self.image.value = self.bars.to_png()

    def _show_neurons(self) -> None:
        frame = self.controls.bench.neurons(self.setting)
        frame["toward"] = [" ".join(map(sna.token_bars.visible, words)) for words in frame.toward]
        self.neurons.value = table(frame.rename(columns=TITLES))

    def _show_means(self) -> None:
        frame = self.controls.bench.elsewhere(self.setting)
        if frame is None:
            self.means.value = ""
        else:
            self.means.value = sna.widgets.sentence(
                f"On the {len(frame)} test prompts of {self.setting.task}: mean P "
                f"{frame.p.mean():.3g} → {frame.after.mean():.3g}, log-odds "
                f"{frame.gain.mean():+.3g} on average."
            )

    def _show_takeaway(self) -> None:
        links = [
            download("sna.png", "image/png", bytes(self.image.value), "the picture (PNG)"),
            download_csv("tokens.csv", self.tokens, "the distribution (CSV)"),
        ]
        if self.search.found is not None:
            links.append(download_csv("search.csv", self.search.found, "the search (CSV)"))
        self.links.value = " · ".join(links)
        self.code.value = as_code(self.setting, self.controls.bench.model.cfg.model_name)

    async def _write(self) -> None:
        with problems_shown(self.problem), disabled(self.write_button):
            self.texts.value = sna.widgets.sentence("Writing …")
            await asyncio.sleep(BREATH_SECONDS)  # for the page to show it
            self.texts.value = table(self.controls.bench.texts(self.controls.setting()))

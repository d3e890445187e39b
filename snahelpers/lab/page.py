"""The lab's page: what is shown after a change, and what each button does."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import ipywidgets as w
import pandas as pd

from snahelpers import plots
from snahelpers.checkpoints import whereabouts
from snahelpers.errors import SNAError
from snahelpers.lab.bench import SHOWN_TOKENS, Bench, zone_prediction
from snahelpers.lab.controls import Controls, ModelRow
from snahelpers.lab.search_tab import BREATH_SECONDS, SearchTab
from snahelpers.lab.setting import Push, Setting, as_code
from snahelpers.lab.views import STYLE, disabled, download, download_csv, table
from snahelpers.models import load_model
from snahelpers.widgets.live import Live, running_loop, start
from snahelpers.widgets.panel import picture_frame, sentence
from snahelpers.zones import zone


class Page:
    """The widgets, and what happens when one is touched.

    Attributes:
        bench: The model at hand.
        setting: What is shown; None while the controls say something that cannot be.

    Args:
        bench: The first model.
        task: The first task.
        push: The first amplification.
    """

    def __init__(self, bench: Bench, task: str, push: Push) -> None:
        self.bench, self.setting, self.loop = bench, None, running_loop()
        self.tokens, self.bars = pd.DataFrame(), plots.TokenBars(SHOWN_TOKENS, control=True)
        self.model_row = ModelRow(bench.model.cfg.model_name)
        self.controls = Controls(task, push)
        self.controls.fit(bench)
        self.problem, self.summary, self.outcome = w.HTML(), w.HTML(), w.HTML()
        self.image = picture_frame(w)
        self.neurons, self.means = w.HTML(), w.HTML()
        self.write_button, self.texts = w.Button(description="Write"), w.HTML()
        self.links = w.HTML()
        self.code = w.Textarea(description="code", rows=14, layout={"width": "98%"})
        self.search = SearchTab(self)

        steps = (
            self._show_distribution, self._show_control, self._show_neurons, self._show_means,
            self._show_takeaway,
        )  # fmt: skip
        self.live = Live(*(partial(self._take, step) for step in steps))
        for widget in self.controls.watched:
            widget.observe(self.live, "value")
        for field in (self.model_row.listed, self.model_row.typed):
            field.observe(lambda _change: start(self.loop, self._describe_model()), "value")
        self.model_row.load.on_click(lambda _button: start(self.loop, self._switch_model()))
        self.write_button.on_click(lambda _button: start(self.loop, self._write()))
        self.live.now()

    def widget(self):
        """All of it, laid out."""
        tabs = {
            "Neurons": [self.neurons, self.means],
            "Search": [self.search.widget],
            "Text": [self.write_button, self.texts],
            "Take away": [self.links, self.code],
        }
        tab = w.Tab([w.VBox(children) for children in tabs.values()])
        for i, name in enumerate(tabs):
            tab.set_title(i, name)
        parts = [self.model_row.page(), self.controls.page(), self.problem, self.summary]
        page = w.VBox([w.HTML(STYLE), *parts, self.image, self.outcome, tab])
        page.add_class("sna-lab")
        return page

    @contextmanager
    def problems_shown(self) -> Iterator[None]:
        """Say what went wrong in a sentence; what was shown before stays."""
        try:
            yield
        except SNAError as error:
            self.problem.value = sentence(str(error), problem=True)

    # After a change: the first step within a tenth of a second, the others soon after.

    def _take(self, step: Callable[[], None]) -> None:
        with self.problems_shown(), self.bench.few_threads():
            step()

    def _show_distribution(self) -> None:
        self.setting = None
        setting = self.controls.setting(self.bench)
        self.problem.value = ""
        self.tokens = self.bench.distribution(setting)
        self.summary.value = self._summarize(setting)
        self.texts.value = ""  # written with the setting before
        self._draw(setting)
        self.setting = setting

    def _show_control(self) -> None:
        if self.setting:
            control = self.bench.control(self.setting, self.tokens.id.tolist())
            self._draw(self.setting, control)
            answer = self._answer(self.setting)
            low, high = control.loc[answer.name, ["low", "high"]]
            self.outcome.value = sentence(
                f"{_title(self.setting, answer)}. Other neurons, as loud: {low:.3g} to {high:.3g}."
            )

    def _show_neurons(self) -> None:
        if self.setting:
            frame = self.bench.neurons(self.setting)
            frame["toward"] = [" ".join(map(plots.visible, tokens)) for tokens in frame.toward]
            names = {"alone": "Δlog-odds alone", "share": "share of the sum", "toward": "pushes to"}
            self.neurons.value = table(frame.rename(columns=names))

    def _show_means(self) -> None:
        frame = self.bench.elsewhere(self.setting) if self.setting else None
        if frame is None:
            self.means.value = ""
            return
        self.means.value = sentence(
            f"On the {len(frame)} test prompts of {self.setting.task}: mean P "
            f"{frame.p.mean():.3g} → {frame.after.mean():.3g}, log-odds {frame.gain.mean():+.3g} "
            "on average."
        )

    def _show_takeaway(self) -> None:
        if self.setting:
            links = [
                download("sna.png", "image/png", bytes(self.image.value), "the picture (PNG)"),
                download_csv("tokens.csv", self.tokens, "the distribution (CSV)"),
            ]
            if self.search.found is not None:
                links.append(download_csv("search.csv", self.search.found, "the search (CSV)"))
            self.links.value = " · ".join(links)
            self.code.value = as_code(self.setting, self.bench.model.cfg.model_name)

    def _summarize(self, setting: Setting) -> str:
        base = self.bench.baseline(setting)
        here = zone(base.p)
        return sentence(
            f"Baseline: P({setting.target.strip()}) = {base.p:.3g}, rank {base['rank']}, entropy "
            f"{base.entropy:.2f} nats. Zone {here} ({zone_prediction(here)})."
        )

    def _answer(self, setting: Setting) -> pd.Series:
        """The answer's row of the distribution."""
        return self.tokens[self.tokens.token == setting.target].iloc[0]

    def _draw(self, setting: Setting, control: pd.DataFrame | None = None) -> None:
        title = _title(setting, self._answer(setting))
        self.bars.draw(self.tokens, setting.target, title, control)
        self.image.value = self.bars.to_png()

    # Buttons. Long work leaves the page alive: loading runs in a thread.

    async def _describe_model(self) -> None:
        name = self.model_row.name
        with self._model_problems_shown():
            found = await asyncio.to_thread(whereabouts, name)
            self.model_row.status.value = sentence(f"{name}: {found}. Press Load to use it.")

    async def _switch_model(self) -> None:
        name = self.model_row.name
        with self._model_problems_shown(), disabled(self.model_row.load):
            found = await asyncio.to_thread(whereabouts, name)
            self.model_row.status.value = sentence(f"Loading {name} ({found}) …")
            bench = Bench(await asyncio.to_thread(load_model, name))
            self.model_row.status.value = sentence(
                f"{name}: {bench.n_layers} layers of {bench.d_mlp} neurons."
            )
            self.bench = bench
            self.search.clear()
            self.controls.fit(bench)
            self.live()

    @contextmanager
    def _model_problems_shown(self) -> Iterator[None]:
        try:
            yield
        except SNAError as error:  # the model before stays at hand
            self.model_row.status.value = sentence(str(error), problem=True)
        except (MemoryError, RuntimeError, OSError) as error:
            told = f"The model could not be loaded ({type(error).__name__}): {error}"
            self.model_row.status.value = sentence(told, problem=True)

    async def _write(self) -> None:
        with self.problems_shown(), disabled(self.write_button):
            self.texts.value = sentence("Writing …")
            await asyncio.sleep(BREATH_SECONDS)  # for the page to show it
            frame = self.bench.texts(self.controls.setting(self.bench))
            columns = ["model", "text", "perplexity", "repetition"]
            self.texts.value = table(frame[columns])


def _title(setting: Setting, answer: pd.Series) -> str:
    """What is amplified, and what becomes of the answer."""
    pushes = " and ".join(f"{p.k} of layer {p.layer} × {p.multiplier:g}" for p in setting.pushes)
    return f"{pushes}: P({setting.target.strip()}) {answer.before:.3g} → {answer.after:.3g}"

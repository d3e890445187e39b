"""The lab's page: what is shown after a change, and what each button does."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.resources import files

import ipywidgets as w
import matplotlib as mpl
import pandas as pd

import snahelpers as sna
from snahelpers.lab import pieces
from snahelpers.lab.bench import GRID, Bench
from snahelpers.lab.controls import Controls, ModelRow
from snahelpers.lab.setting import Push, Setting, as_code

STYLE = f"<style>{files(__package__).joinpath('style.css').read_text('utf-8')}</style>"
# Gives names to what ipywidgets leaves without: sliders, the picture, landmarks.
NAMES = files(__package__).joinpath("names.js").read_text("utf-8")
TITLES = {
    "last": "fires at the last token",
    "mean": "on average where amplified",
    "toward": "pushes to, at the last token",
    "alone": "Δlog-odds alone",
    "share": "share of the sum",
}
COLUMNS = f"5em repeat({len(GRID.multipliers)}, minmax(3em, 1fr))"
PALE = 1.6  # the colour scale ends so far beyond the largest value: black text stays readable
BREATH_SECONDS = 0.01  # between steps of long work: the page answers, and Cancel is heard


class Search(w.VBox):
    """The search: a bar, a way to stop it, a heat map to click, and the winner elsewhere.

    Args:
        controls: What they say is searched, and a cell that is pressed moves them.
        problem: Where to say what goes wrong.
        live: Called when something was found.

    Attributes:
        found: The latest search, as far as it went; None before one.
        heat_map: A cell for each layer and multiplier: a button, so that keys and screen readers
            reach it.
    """

    def __init__(self, controls: Controls, problem: w.HTML, live: sna.widgets.Live) -> None:
        self.controls, self.problem, self.live = controls, problem, live
        self.found = self.asked = None
        self.go, self.cancel, self.winner = (
            w.Button(description=text, disabled=text != "Search")
            for text in ("Search", "Cancel", "Show the winner")
        )
        self.bar, self.report = w.IntProgress(), w.HTML()
        self.heat_map = w.GridBox(layout={"grid_template_columns": COLUMNS, "overflow": "auto"})
        self.go.on_click(lambda _button: sna.widgets.start(live.loop, self._search()))
        self.cancel.on_click(self._stop)
        self.winner.on_click(lambda _button: controls.load(_best(self.found)))
        row = sna.widgets.row(w, self.go, self.cancel, self.winner, self.bar)
        super().__init__([row, self.report, self.heat_map])

    def keep_only(self, bench: Bench, setting: Setting) -> None:
        """Forget what was found, unless it was found for this, whatever is amplified."""
        if self.asked not in (None, (bench, replace(setting, push=None))):
            self.found = self.asked = None
            self.cancel.disabled = self.winner.disabled = True
            self.bar.value, self.report.value = 0, ""
            self._fill([])

    def _stop(self, _button: object = None) -> None:
        """Ask a running search to end after the step at hand, which is a part of a layer."""
        self.cancel.disabled = True

    async def _search(self) -> None:
        bench, steps, begun = self.controls.bench, [], time.monotonic()
        self.go.disabled = True
        with pieces.attempt("The search", self.problem, small=bench.small):
            setting = self.controls.setting()
            self.asked = asked = (bench, replace(setting, push=None))
            self.cancel.disabled, self.bar.max = False, bench.n_layers * len(GRID.counts)
            for step in bench.search(setting):
                steps.append(step)
                self.bar.value = len(steps)
                seconds = (time.monotonic() - begun) * (self.bar.max / len(steps) - 1)
                self.report.value = f"layer {step.layer[0]}, about {seconds:.0f} s left"
                await asyncio.sleep(BREATH_SECONDS)
                if self.cancel.disabled:
                    break
            if asked == self.asked:  # else the question was changed in between
                self.found = pd.concat(steps, ignore_index=True)
                self._fill(_cells(self.found, self.controls.load))
                self.report.value = sna.widgets.sentence(self._tell(bench, setting))
                self.winner.disabled = False
                self.live()
        self.go.disabled, self.cancel.disabled = False, True

    def _tell(self, bench: Bench, setting: Setting) -> str:
        push, best = _best(self.found), self.found.loc[self.found.p_post.idxmax()]
        others = bench.elsewhere(replace(setting, push=push))
        elsewhere = (
            "The best of so many gains by luck as well: try it on other prompts."
            if others.empty
            else f"On {len(others)} held-out prompts of {setting.task}: {others.gain.mean():+.2f} "
            f"on average, a gain on {(others.gain > 0).sum()} of them."
        )
        return (
            f"{len(self.found):,} configurations in {self.found.layer.nunique()} of "
            f"{bench.n_layers} layers, of “{setting.prompt} …” on {bench.name}. "
            f"Best: {pieces.strength(push)}: "
            f"{pieces.chance(best.p_base)} → {pieces.chance(best.p_post)} "
            f"({best.delta_logodds:+.2f} in log-odds). {elsewhere} Each cell is the change of "
            "log-odds with the best number of neurons: click one to amplify just that."
        )

    def _fill(self, cells: list[w.Widget]) -> None:
        old, self.heat_map.children = self.heat_map.children, cells
        for cell in old:  # a closed widget leaves the kernel and the page
            cell.close()


def _best(found: pd.DataFrame) -> Push:
    """The configuration with the highest P, the first of equals."""
    best = found.loc[found.p_post.idxmax()]
    return Push(int(best.layer), int(best.n_neurons), float(best.multiplier))  # none of numpy's


def _cells(found: pd.DataFrame, load: Callable[[Push], None]) -> list[w.Widget]:
    """Row by row, each with the number of neurons that gives the answer the highest P."""
    best = found.loc[found.groupby(["layer", "multiplier"]).p_post.idxmax()]
    most = best.delta_logodds.abs().max() or 1.0
    cells = [
        w.HTML(f"<small>{text}</small>")
        for text in ("", *best.multiplier.map("× {:g}".format).unique())
    ]
    for layer, rows in best.groupby("layer"):
        label = w.HTML(f"<small>layer {layer}</small>")
        cells += [label, *(_cell(rows.loc[[i]], most, load) for i in rows.index)]
    return cells


def _cell(found: pd.DataFrame, most: float, load: Callable[[Push], None]) -> w.Button:
    push, row = _best(found), found.iloc[0]
    colour = mpl.colormaps["PuOr_r"](0.5 + row.delta_logodds / most / PALE / 2)
    button = w.Button(
        description=f"{row.delta_logodds:+.2f}",
        style={"button_color": mpl.colors.to_hex(colour)},
        tooltip=f"{pieces.strength(push)}: "
        + " → ".join(map(pieces.chance, row[["p_base", "p_post"]])),
    )
    button.on_click(lambda _button: load(push))
    return button.add_class("sna-cell")


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
        self.bars = sna.plots.TokenBars(sna.widgets.SHOWN_TOKENS, control=True)
        self.problem, self.summary = w.HTML(), w.HTML()
        self.image, self.outcome = sna.widgets.picture_frame(w), w.HTML().add_class("sna-told")
        self.neurons, self.links, self.texts = w.HTML(), w.HTML(), w.HTML()
        self.write_button = w.Button(description="Write")
        self.code = w.Textarea(description="code", rows=12, layout={"width": "auto"})
        steps = self._show_change, self._show_control, self._show_neurons, self._show_takeaway
        self.live = sna.widgets.Live(*(partial(self._take, step) for step in steps))
        self.controls = Controls(bench, task, push, self.live)
        self.search = Search(self.controls, self.problem, self.live)
        self.model_row = ModelRow(self.controls, self.problem, self.live)
        self.write_button.on_click(lambda _button: sna.widgets.start(self.live.loop, self._write()))
        parts = {
            "Search every layer": [self.search],
            "The amplified neurons": [self.neurons],
            "What the model writes": [self.write_button, self.texts],
            "Take away": [self.links, self.code],
        }
        self.result = w.VBox([self.summary, self.image, self.outcome])
        self.details = w.VBox(
            [w.VBox([w.HTML(f"<h2>{title}</h2>"), *part]) for title, part in parts.items()]
        )
        left = w.VBox([self.controls.strength, self.model_row])
        main = w.HBox([left, w.VBox([self.problem, self.result])]).add_class("sna-main")
        super().__init__([w.HTML(STYLE), self.controls.question, main, self.details])
        self.add_class("sna-lab")
        self.live.steps[0]()  # a picture at once; the rest when the page is up
        self.live()

    # After a change: the first step within a tenth of a second, the others soon after.

    def _take(self, step: Callable[[], None]) -> None:
        """One step; the first finds out what there is to show, the others need to know."""
        if step == self._show_change:
            self.setting, self.problem.value = None, ""
        elif not self.setting:
            return
        with pieces.attempt("This", self.problem, small=self.controls.bench.small):
            step()
        # Nothing stays beside an error as if it still held.
        shown = "hidden" if self.problem.value else "visible"
        self.result.layout.visibility = self.details.layout.visibility = shown

    def _show_change(self) -> None:
        bench, setting = self.controls.bench, self.controls.setting()
        self.tokens, answer = bench.change(setting)
        self.search.keep_only(bench, setting)
        # What the next steps and buttons will show is of the setting before.
        self.neurons.value = self.texts.value = self.links.value = self.code.value = ""
        before, target = answer.loc["before"], setting.target.strip()
        self.summary.value = sna.widgets.sentence(pieces.unamplified(bench.name, setting, before))
        self.title, told = pieces.title(bench.name, setting), pieces.strength(setting.push)
        told = f"{told}: “{target}” {' → '.join(map(pieces.chance, answer.p))}."
        self.told = told, pieces.caveats(setting, self.tokens)
        self.setting = setting
        self._draw()

    def _show_control(self) -> None:
        ranges, p = self.controls.bench.control(self.setting, self.tokens.id.tolist())
        told = " to ".join(map(pieces.chance, (min(p), max(p))))
        self._draw(f" Random neurons of the same strength: {told}.", ranges)

    def _draw(self, told: str = "", ranges: pd.DataFrame | None = None) -> None:
        first = self.controls.bench.first_token(self.setting)
        self.bars.draw(self.tokens, first, self.title, ranges)
        self.image.value = self.bars.to_png()
        self.outcome.value = sna.widgets.sentence(told.join(self.told))  # in their middle

    def _show_neurons(self) -> None:
        bench = self.controls.bench
        neurons, others = bench.neurons(self.setting), bench.elsewhere(self.setting)
        told = (
            ""
            if others.empty
            else f"On {len(others)} other test prompts of {self.setting.task}: "
            f"{' → '.join(map(pieces.chance, others[['p', 'after']].mean()))} on average, "
            f"{others.gain.mean():+.3g} in log-odds."
        )
        self.neurons.value = pieces.table(neurons.rename(columns=TITLES)) + sna.widgets.sentence(
            told
        )

    def _show_takeaway(self) -> None:
        links = [pieces.link("the picture (PNG)", "sna.png", "image/png", self.image.value)]
        frames = {"distribution": self.tokens, "search": self.search.found}
        links += [
            pieces.link(
                f"the {name} (CSV)", f"{name}.csv", "text/csv", frame.to_csv(index=False).encode()
            )
            for name, frame in frames.items()
            if frame is not None
        ]
        self.links.value = " · ".join(links)
        self.code.value = as_code(self.setting, self.controls.bench.name)

    async def _write(self) -> None:
        bench = self.controls.bench
        self.texts.value = sna.widgets.sentence("Writing …")
        with pieces.attempt("Writing", self.problem, small=bench.small):
            await asyncio.sleep(BREATH_SECONDS)  # for the page to show it
            self.texts.value = pieces.table(bench.texts(self.controls.setting()))

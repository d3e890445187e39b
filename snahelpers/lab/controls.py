"""The lab's controls, and the setting that they describe."""

import ipywidgets as w

from snahelpers.checkpoints import DOWNLOAD_MEGABYTES, embedded_models
from snahelpers.lab.bench import Bench
from snahelpers.lab.setting import OWN, SOURCES, Push, Setting, all_tasks, sentences
from snahelpers.widgets.panel import LABEL, row

LONG = {"width": "98%"}
NEWLINE = "⏎"  # a field of one line drops a real one
MOST_NEURONS, MOST_MULTIPLIER = 50, 12.0


class PushControls:
    """Layer, number of neurons and multiplier of one amplification."""

    def __init__(self, push: Push) -> None:
        self.layer = w.IntSlider(push.layer, 0, push.layer, description="layer", style=LABEL)
        self.k = w.IntSlider(push.k, 1, MOST_NEURONS, description="neurons", style=LABEL)
        self.multiplier = w.FloatSlider(
            push.multiplier, min=0, max=MOST_MULTIPLIER, step=0.01, description="multiplier",
            style=LABEL,
        )  # fmt: skip

    @property
    def all(self) -> tuple:
        """The sliders, in the order of a `Push`."""
        return self.layer, self.k, self.multiplier

    @property
    def push(self) -> Push:
        """What they say; set it to move them."""
        return Push(*(slider.value for slider in self.all))

    @push.setter
    def push(self, push: Push) -> None:
        for slider, value in zip(self.all, (push.layer, push.k, push.multiplier), strict=True):
            slider.value = value

    def fit(self, bench: Bench) -> None:
        """Let the sliders reach what the model has, and no more."""
        self.layer.max = bench.n_layers - 1
        self.k.max = min(MOST_NEURONS, bench.d_mlp // 2)  # as many again are the control


class Controls:
    """All that can be moved or typed, except for the model's own row and the buttons.

    Args:
        task: The task at the start.
        push: The amplification at the start.
    """

    def __init__(self, task: str, push: Push) -> None:
        self.task = w.Dropdown(options=[*all_tasks(), OWN], description="task", style=LABEL)
        self.example = w.Dropdown(options=[""], description="its prompts", style=LABEL, layout=LONG)
        typed = dict(style=LABEL, layout=LONG, continuous_update=False)
        self.prompt = w.Text(description="prompt", **typed)
        self.answer = w.Text(description="answer", style=LABEL, continuous_update=False)
        lines = dict(layout=LONG, rows=5, continuous_update=False, style=LABEL)
        self.own = w.Textarea(
            description="task sentences", placeholder="One a line; the task's, if empty.", **lines
        )
        self.neutral = w.Textarea(
            description="neutral ones", placeholder="One a line; the course's, if empty.", **lines
        )
        self.first, self.second = PushControls(push), PushControls(push)
        self.source = w.Dropdown(options=SOURCES, description="chosen by", style=LABEL)
        self.positions = w.Dropdown(options=["all", "last"], description="positions", style=LABEL)
        self.two = w.Checkbox(
            False, description="a second amplification, at another layer", indent=False,
            layout={"width": "auto"},
        )  # fmt: skip
        self.second_row = row(w, *self.second.all)
        self.second_row.layout.display = "none"
        self.task.observe(self._show_task, "value")
        self.example.observe(self._show_example, "value")
        self.two.observe(self._show_second, "value")
        self.task.value = task
        self._show_task()

    @property
    def watched(self) -> list:
        """Whatever changes what is shown."""
        return [
            *(self.task, self.prompt, self.answer, self.own, self.neutral, self.source),
            *(self.positions, self.two, *self.first.all, *self.second.all),
        ]

    def fit(self, bench: Bench) -> None:
        """Adapt the sliders to a model."""
        self.first.fit(bench)
        self.second.fit(bench)

    def setting(self, bench: Bench) -> Setting:
        """What the controls say.

        Raises:
            DataError: the answer is not one token for this model.
        """
        pushes = (self.first.push, *([self.second.push] if self.two.value else []))
        return Setting(
            prompt=self.prompt.value.replace(NEWLINE, "\n"),
            target=bench.target(self.answer.value),
            task=self.task.value, own=sentences(self.own.value),
            neutral=sentences(self.neutral.value), source=self.source.value,
            positions=self.positions.value, pushes=pushes,
        )  # fmt: skip

    def page(self):
        """The controls, laid out."""
        sentences = w.Accordion([w.VBox([self.own, self.neutral])], selected_index=None)
        sentences.set_title(0, "Your own sentences, to choose neurons by")
        return w.VBox(
            [
                row(w, self.task, self.answer), self.example, self.prompt, sentences,
                row(w, *self.first.all), row(w, self.source, self.positions, self.two),
                self.second_row,
            ]
        )  # fmt: skip

    def _show_task(self, _change=None) -> None:
        own = self.task.value == OWN
        self.example.layout.display = "none" if own else None
        if not own:
            task = all_tasks()[self.task.value]
            examples = [*task.split("test").examples, *task.split("select").examples]
            self.example.options = [(f"{e.prompt} …{e.target}", e) for e in examples]
            self._show_example()

    def _show_example(self, _change=None) -> None:
        if example := self.example.value:
            self.prompt.value = example.prompt.replace("\n", NEWLINE)
            self.answer.value = example.target.strip()

    def _show_second(self, _change=None) -> None:
        self.second_row.layout.display = None if self.two.value else "none"


class ModelRow:
    """Which model: one of a list, or whatever name or folder is typed.

    Attributes:
        load: The button.
        status: What is known of the model, and what went wrong with it.
    """

    def __init__(self, name: str) -> None:
        known = list(dict.fromkeys([*embedded_models(), *DOWNLOAD_MEGABYTES, name]))
        self.listed = w.Dropdown(options=known, value=name, description="model", style=LABEL)
        self.typed = w.Text(
            placeholder="or a hub name, a folder", continuous_update=False,
            description="another", style=LABEL,
        )  # fmt: skip
        self.load = w.Button(description="Load model")
        self.status = w.HTML()

    @property
    def name(self) -> str:
        """What was typed, else what is listed."""
        return self.typed.value.strip() or self.listed.value

    def page(self):
        """The row, with the status below."""
        return w.VBox([row(w, self.listed, self.typed, self.load), self.status])

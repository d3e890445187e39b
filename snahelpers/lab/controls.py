"""The lab's controls, and the setting that they describe."""

from collections.abc import Callable

import ipywidgets as w

import snahelpers as sna
from snahelpers.lab.bench import Bench
from snahelpers.lab.setting import OWN, SOURCES, Push, Setting, all_tasks

LABEL, LONG = sna.widgets.LABEL, {"width": "98%"}
NEWLINE = "⏎"  # a field of one line drops a real one
MOST_NEURONS, MOST_MULTIPLIER = 50, 12.0


class PushRow(w.HBox):
    """Layer, number of neurons and multiplier of one amplification."""

    def __init__(self, push: Push) -> None:
        sliders = [
            w.IntSlider(push.layer, 0, push.layer, description="layer", style=LABEL),
            w.IntSlider(push.k, 1, MOST_NEURONS, description="neurons", style=LABEL),
            w.FloatSlider(
                push.multiplier,
                min=0,
                max=MOST_MULTIPLIER,
                step=0.01,
                description="multiplier",
                style=LABEL,
            ),
        ]
        super().__init__(sliders, layout={"flex_flow": "row wrap"})
        self.layer, self.k, self.multiplier = sliders

    def push(self) -> Push:
        """What the sliders say."""
        return Push(*(slider.value for slider in self.children))

    def move(self, push: Push) -> None:
        """Let the sliders say this."""
        for slider, value in zip(self.children, push, strict=True):
            slider.value = value


class Controls(w.VBox):
    """All that can be moved or typed, except for the model's own row and the buttons.

    Args:
        bench: The first model.
        task: The first task.
        push: The first amplification.
        changed: Called after every change, with what ipywidgets tells of it.

    Attributes:
        bench: The model that the controls fit.
    """

    def __init__(
        self, bench: Bench, task: str, push: Push, changed: Callable[[object], None]
    ) -> None:
        self.task = w.Dropdown(
            options=[*all_tasks(), OWN], value=task, description="task", style=LABEL
        )
        self.example = w.Dropdown(options=[""], description="its prompts", style=LABEL, layout=LONG)
        typed = dict(style=LABEL, continuous_update=False)
        self.prompt = w.Text(description="prompt", layout=LONG, **typed)
        self.answer = w.Text(description="answer", **typed)
        self.own = w.Textarea(
            description="task sentences",
            placeholder="One a line; the task's, if empty.",
            layout=LONG,
            rows=5,
            **typed,
        )
        self.neutral = w.Textarea(
            description="neutral ones",
            placeholder="One a line; the course's, if empty.",
            layout=LONG,
            rows=5,
            **typed,
        )
        sentences = w.Accordion([w.VBox([self.own, self.neutral])], selected_index=None)
        sentences.set_title(0, "Your own sentences, to choose neurons by")
        self.first, self.second = PushRow(push), PushRow(push)
        self.source = w.Dropdown(options=SOURCES, description="chosen by", style=LABEL)
        self.positions = w.Dropdown(options=["all", "last"], description="positions", style=LABEL)
        self.two = w.Checkbox(
            False,
            description="a second amplification, at another layer",
            indent=False,
            layout={"width": "auto"},
        )
        super().__init__(
            [
                sna.widgets.row(w, self.task, self.answer),
                self.example,
                self.prompt,
                sentences,
                self.first,
                sna.widgets.row(w, self.source, self.positions, self.two),
                self.second,
            ]
        )
        w.dlink(
            (self.task, "value"),
            (self.example.layout, "display"),
            lambda task: "none" if task == OWN else None,
        )
        w.dlink(
            (self.two, "value"),
            (self.second.layout, "display"),
            lambda two: None if two else "none",
        )
        self.task.observe(self._show_task, "value")
        self.example.observe(self._show_example, "value")
        self._show_task()
        self.fit(bench)
        for control in (
            *(self.task, self.prompt, self.answer, self.own, self.neutral),
            *(self.source, self.positions, self.two),
            *(*self.first.children, *self.second.children),
        ):
            control.observe(changed, "value")

    def fit(self, bench: Bench) -> None:
        """Let the sliders reach what a model has, and no more."""
        self.bench = bench
        for row in (self.first, self.second):
            row.layer.max = bench.n_layers - 1
            row.k.max = min(MOST_NEURONS, bench.d_mlp // 2)  # as many again are the control

    def setting(self) -> Setting:
        """What the controls say.

        Raises:
            DataError: the answer cannot follow the prompt.
        """
        rows = (self.first, self.second) if self.two.value else (self.first,)
        prompt = self.prompt.value.replace(NEWLINE, "\n")
        return Setting(
            prompt=prompt,
            target=self.bench.target(prompt, self.answer.value),
            task=self.task.value,
            own=_sentences(self.own),
            neutral=_sentences(self.neutral),
            source=self.source.value,
            positions=self.positions.value,
            pushes=tuple(row.push() for row in rows),
        )

    def _show_task(self, _change: object = None) -> None:
        if self.task.value != OWN:
            task = all_tasks()[self.task.value]
            examples = [*task.split("test").examples, *task.split("select").examples]
            self.example.options = [(f"{e.prompt} …{e.target}", e) for e in examples]
            self._show_example()

    def _show_example(self, _change: object = None) -> None:
        if example := self.example.value:
            self.prompt.value = example.prompt.replace("\n", NEWLINE)
            self.answer.value = example.target.strip()


def _sentences(area: w.Textarea) -> tuple[str, ...]:
    """One sentence a line; blank lines do not count."""
    return tuple(line.strip() for line in area.value.splitlines() if line.strip())

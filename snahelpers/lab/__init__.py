"""The paper's no-code tool (section 7.2), in a notebook or as a page of its own."""

import snahelpers as sna
from snahelpers.lab.bench import Bench
from snahelpers.lab.setting import Push, Setting, all_tasks


class Lab:
    """Choose a model, a prompt and neurons; see what amplifying them does. No code needed.

    Where no widget can run (see `Panel`) it is a picture of its first state.

    Args:
        model: The first model, a name as for `load_model`.
        task: The first task: one of the twelve, or "planted".

    Raises:
        ModelError: the model cannot be loaded.
        DataError: the task's first prompt cannot be measured.
    """

    def __init__(self, model: str | None = None, task: str = "maths_easy") -> None:
        self.bench, self.task = Bench(sna.load_model(model), model), task
        self.push = Push(layer=self.bench.n_layers // 3, k=12, multiplier=2.4)

    def _ipython_display_(self) -> None:
        if sna.widgets.widgets_can_run():
            from IPython.display import Javascript, display

            from snahelpers.lab.page import NAMES, Page

            display(Page(self.bench, self.task, self.push), Javascript(NAMES))
        else:
            example = all_tasks()[self.task].split("test").examples[0]
            first = Setting(example.prompt, example.target, self.task, self.push)
            sna.plots.next_tokens(
                self.bench.change(first)[0],
                self.bench.first_token(first),
                f"{self.push.k} neurons in layer {self.push.layer}, × {self.push.multiplier}",
                alt=f"{first.prompt} …: the likeliest next tokens, before and after.",
            )

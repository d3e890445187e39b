"""What the lab's controls say, as a value; and the code that says the same."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import snahelpers as sna

SOURCES = ("differential", "absolute", "contrastive", "random")
PLANTED, OWN = "planted", "your own"


class Push(NamedTuple):
    """One amplification before its neurons are chosen."""

    layer: int
    k: int
    multiplier: float


@dataclass(frozen=True)
class Setting:
    """The whole state of the page; nothing here has run a model.

    Attributes:
        prompt: What comes before the answer.
        target: The answer, of one token or several, with its leading space if it has one.
        task: Name of the task whose "select" prompts choose the neurons and whose "test" prompts
            tell what else changes, or `OWN`.
        pushes: One amplification, or two at different layers.
        own: Sentences that choose them instead of a task's; with neither, the prompt does.
        neutral: Sentences to compare with; the course's own if there are none.
        source: One of `SOURCES`: the largest difference to neutral text,
            the largest |difference|, against all the other tasks, or by chance.
        positions: "all" or "last".

    Raises:
        DataError: the prompt is empty, or both pushes are at one layer.
    """

    prompt: str
    target: str
    task: str
    pushes: tuple[Push, ...]
    own: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()
    source: str = "differential"
    positions: str = "all"

    def __post_init__(self) -> None:
        """Refuse what a page can say and an amplification cannot mean."""
        if not self.prompt.strip():
            raise sna.DataError("The prompt is empty: type what the model shall continue.")
        layers = [push.layer for push in self.pushes]
        if len(set(layers)) < len(layers):
            raise sna.DataError(f"Both amplifications are at layer {layers[0]}: move one of them.")

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The texts whose neurons are looked for."""
        if self.own or self.task == OWN:
            return self.own or (self.prompt,)
        return tuple(all_tasks()[self.task].split("select").prompts)

    @cached_property
    def reference(self) -> tuple[str, ...]:
        """The texts they are compared with."""
        if self.source == "contrastive":
            names = [name for name in all_tasks() if name not in (self.task, PLANTED)]
            return tuple(p for name in names for p in all_tasks()[name].split("select").prompts)
        return self.neutral or tuple(sna.load_neutral())


@cache
def all_tasks() -> dict[str, sna.Task]:
    """The twelve, and the planted facts of minnow-dimmed, read once."""
    return sna.load_tasks() | sna.load_tasks(PLANTED)


def as_code(setting: Setting, model: str) -> str:
    """A cell that loads the model, chooses the same neurons and shows the same distribution."""
    return "\n".join(
        [
            "import snahelpers as sna",
            "",
            f"model = sna.load_model({model!r})",
            f"prompt, answer = {setting.prompt!r}, {setting.target!r}",
            *([] if setting.source == "random" else _scores_as_code(setting)),
            "amplifications = [",
            *(f"    {_push_as_code(setting, push)}," for push in setting.pushes),
            "]",
            "sna.next_token_change(model, prompt, *amplifications, always=answer)",
        ]
    )


def _scores_as_code(setting: Setting) -> list[str]:
    """As `Setting.texts` and `Setting.reference` say it."""
    texts = repr(list(setting.texts))
    if setting.task != OWN and not setting.own:
        call = "load_tasks('planted')" if setting.task == PLANTED else "load_tasks()"
        texts = f"sna.{call}[{setting.task!r}].split('select').prompts"
    reference = repr(list(setting.neutral)) if setting.neutral else "sna.load_neutral()"
    if setting.source == "contrastive":
        reference = (
            "[p for t in sna.load_tasks().values() "
            f"if t.name != {setting.task!r} for p in t.split('select').prompts]"
        )
    return [
        f"texts = {texts}",
        f"reference = {reference}",
        "scores = sna.differential_activation("
        f"model, texts, reference, positions={setting.positions!r})"
        + ".abs()"
        * (setting.source == "absolute"),
    ]


def _push_as_code(setting: Setting, push: Push) -> str:
    neurons = (
        f"sna.random_neurons(model.cfg.d_mlp, {push.k}, seed={sna.neurons.draw_of(push.layer, 0)})"
        if setting.source == "random"
        else f"sna.top_neurons(scores, {push.layer}, {push.k})"
    )
    return (
        f"sna.Amplification({push.layer}, {neurons}, {push.multiplier!r}, "
        f"positions={setting.positions!r})"
    )

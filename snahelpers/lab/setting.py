"""What the lab's controls say, as a value; and the code that says the same."""

from dataclasses import dataclass
from functools import cache

from snahelpers.choose import draw_of
from snahelpers.errors import DataError
from snahelpers.tasks import Task, load_neutral, load_tasks

SOURCES = ("differential", "contrastive", "random")
OWN = "your own"


@dataclass(frozen=True)
class Push:
    """One amplification before its neurons are chosen."""

    layer: int
    k: int
    multiplier: float


@dataclass(frozen=True)
class Setting:
    """The whole state of the page; nothing here has run a model.

    Attributes:
        prompt: What comes before the answer.
        target: The answer, one token, with its leading space if it has one.
        task: Name of the task whose "select" prompts choose the neurons and whose "test" prompts
            tell what else changes, or `OWN`.
        pushes: One amplification, or two at different layers.
        own: Sentences that choose them instead of a task's; with neither, the prompt does.
        neutral: Sentences to compare with; the course's own if there are none.
        source: One of `SOURCES`: against neutral text, against all the other tasks, or by chance.
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
            raise DataError("The prompt is empty: type what the model shall continue.")
        layers = [push.layer for push in self.pushes]
        if len(set(layers)) < len(layers):
            raise DataError(f"Both amplifications are at layer {layers[0]}: move one of them.")

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts whose neurons are looked for."""
        if self.own or self.task == OWN:
            return self.own or (self.prompt,)
        return tuple(all_tasks()[self.task].split("select").prompts)

    @property
    def reference(self) -> tuple[str, ...]:
        """The texts they are compared with."""
        if self.source == "contrastive":
            return other_prompts(self.task)
        return self.neutral or course_neutral()


@cache
def all_tasks() -> dict[str, Task]:
    """The twelve, and the planted facts of minnow-dimmed, read once."""
    return load_tasks() | load_tasks("planted")


@cache
def course_neutral() -> tuple[str, ...]:
    """`load_neutral`, read once."""
    return tuple(load_neutral())


@cache
def other_prompts(name: str) -> tuple[str, ...]:
    """The select prompts of those of the twelve tasks that are not called `name`."""
    others = [task.split("select").prompts for task in load_tasks().values() if task.name != name]
    return tuple(prompt for prompts in others for prompt in prompts)


def sentences(text: str) -> tuple[str, ...]:
    """One sentence a line; blank lines do not count."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def as_code(setting: Setting, model: str) -> str:
    """A cell that loads the model, chooses the same neurons and shows the same distribution."""
    lines = [
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
    return "\n".join(lines)


def _scores_as_code(setting: Setting) -> list[str]:
    return [
        f"texts = {_texts_as_code(setting)}",
        f"reference = {_reference_as_code(setting)}",
        "scores = sna.differential_activation("
        f"model, texts, reference, positions={setting.positions!r})",
    ]


def _push_as_code(setting: Setting, push: Push) -> str:
    chosen = (
        f"sna.random_neurons(model.cfg.d_mlp, {push.k}, seed={draw_of(push.layer, 0)})"
        if setting.source == "random"
        else f"sna.top_neurons(scores, {push.layer}, {push.k})"
    )
    return (
        f"sna.Amplification({push.layer}, {chosen}, {push.multiplier!r}, "
        f"positions={setting.positions!r})"
    )


def _texts_as_code(setting: Setting) -> str:
    if setting.own or setting.task == OWN:
        return repr(list(setting.texts))
    call = "load_tasks()" if setting.task in load_tasks() else "load_tasks('planted')"
    return f"sna.{call}[{setting.task!r}].split('select').prompts"


def _reference_as_code(setting: Setting) -> str:
    if setting.source == "contrastive":
        return (
            "[p for t in sna.load_tasks().values() "
            f"if t.name != {setting.task!r} for p in t.split('select').prompts]"
        )
    return repr(list(setting.neutral)) if setting.neutral else "sna.load_neutral()"

"""What the lab's controls say, as a value; and the code that says the same."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import snahelpers as sna

SOURCES = ("differential", "absolute", "random")  # methods that choose neurons
PLANTED, OWN, ENGLISH = "planted", "your own", " (English)"


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
        task: A name of `all_tasks`, whose "select" prompts choose the neurons and whose "test"
            prompts tell what else changes, or `OWN`.
        push: In which layer how many neurons are amplified, and how strongly.
        own: Sentences that choose the neurons of `OWN`; without any, the prompt does.
        neutral: Sentences that they are compared with; the course's if there are none.
        source: One of `SOURCES`: the largest difference to neutral text, the largest |difference|,
            or by chance.
        positions: "all" or "last".
    """

    prompt: str
    target: str
    task: str
    push: Push | None
    own: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()
    source: str = "differential"
    positions: str = "all"

    @cached_property
    def asked(self) -> sna.Task:
        """What a sweep would be asked: "select" chooses the neurons, "test" is the prompt."""
        texts = self.own or (self.prompt,)
        if self.task != OWN:
            texts = all_tasks()[self.task].split("select").prompts
        chosen_by = [sna.Example(text, self.target, "select") for text in texts]
        shown = sna.Example(self.prompt, self.target, "test")
        return sna.Task(self.task, "", "", (*chosen_by, shown))

    @cached_property
    def reference(self) -> tuple[str, ...]:
        """The texts that those which choose neurons are compared with."""
        english = self.task.endswith(ENGLISH)
        return self.neutral or tuple(sna.load_neutral("english" if english else "minnow"))


@cache
def all_tasks() -> dict[str, sna.Task]:
    """The twelve, the planted facts of minnow-dimmed, and the twelve in English, read once."""
    english = {f"{name}{ENGLISH}": task for name, task in sna.load_tasks("english").items()}
    return sna.load_tasks() | sna.load_tasks(PLANTED) | english


def as_code(setting: Setting, model: str) -> str:
    """A cell that loads the model, chooses the same neurons and shows the same distribution."""
    layer, k, multiplier = setting.push
    positions = f"positions={setting.positions!r}"
    scores, neurons = _scores_as_code(setting, positions), f"sna.top_neurons(scores, {layer}, {k})"
    if setting.source == "random":
        seed = sna.neurons.draw_of(layer, 0)
        scores, neurons = [], f"sna.random_neurons(model.cfg.d_mlp, {k}, seed={seed})"
    return "\n".join(
        [
            "import snahelpers as sna",
            "",
            f"model = sna.load_model({model!r})",
            f"prompt, answer = {setting.prompt!r}, {setting.target!r}",
            *scores,
            f"neurons = {neurons}",
            f"amplification = sna.Amplification({layer}, neurons, {multiplier!r}, {positions})",
            "sna.next_token_change(model, prompt, amplification, always=answer)",
        ]
    )


def _scores_as_code(setting: Setting, positions: str) -> list[str]:
    """As `Setting.asked` and `Setting.reference` say it."""
    name, neutral = setting.task.removesuffix(ENGLISH), "'english'" * setting.task.endswith(ENGLISH)
    source = neutral or repr(PLANTED) * (name == PLANTED)
    texts = f"sna.load_tasks({source})[{name!r}].split('select').prompts"
    if setting.task == OWN:
        texts = repr(setting.asked.split("select").prompts)
    return [
        f"texts = {texts}",
        f"reference = {list(setting.neutral) or f'sna.load_neutral({neutral})'}",
        f"scores = sna.differential_activation(model, texts, reference, {positions})"
        + ".abs()" * (setting.source == "absolute"),
    ]

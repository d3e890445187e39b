"""How an exercise is checked: by what an answer does on a few inputs, not by how it is written."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

import snahelpers as sna


@dataclass(frozen=True)
class Verdict:
    """What a check says; shown as one line when it ends a cell."""

    mark: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.mark == "✓"

    def __repr__(self) -> str:
        """The line that the learner reads."""
        return f"{self.mark} {self.message}"


@dataclass(frozen=True)
class Exercise:
    """One exercise: call it with an answer.

    Attributes:
        right: A right answer.
        cases: The inputs on which answers are compared, each a tuple of arguments.
        mistakes: Wrong answers that people give, each with the hint that helps.
        praise: What to say when it is right.
        call: How an answer is applied to a case.
    """

    right: Callable
    cases: Sequence[tuple]
    mistakes: Sequence[tuple[Callable, str]]
    praise: str
    # A copy, so that an answer which edits its input cannot spoil the next one.
    call: Callable[[Callable, tuple], Any] = lambda answer, case: answer(*copy.deepcopy(case))

    def __call__(self, answer: Callable) -> Verdict:
        """Compare `answer` with the right one and with the known mistakes."""
        if answer is ...:
            return Verdict("⏳", "Not tried yet: replace the dots.")
        if not callable(answer):
            return Verdict("✗", f"Expected a function, got {answer!r}. Pass it without calling it.")
        try:
            given = [self.call(answer, case) for case in self.cases]
        except Exception as error:
            return Verdict("✗", f"Your code raised {type(error).__name__}: {error}")
        if all(map(unfinished, given)):
            return Verdict("⏳", "Not finished yet: the function returns no answer.")
        if self._agrees(given, self.right):
            return Verdict("✓", self.praise)
        for mistake, hint in self.mistakes:
            if self._agrees(given, mistake):
                return Verdict("✗", hint)
        place = next(
            i for i, v in enumerate(given) if not _same(v, self.call(self.right, self.cases[i]))
        )
        told = f"{_short(self.cases[place])}: you return {_short(given[place])}."
        return Verdict("✗", f"Not yet. Look at the input {told}")

    def _agrees(self, given: list, other: Callable) -> bool:
        return all(
            _same(value, self.call(other, case))
            for value, case in zip(given, self.cases, strict=True)
        )


def fixed_random(*shape: int) -> torch.Tensor:
    """A tensor of normal random numbers, the same in every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@cache
def sealed_circuit(seed: int) -> Any:
    """minnow-dimmed with the neurons of each layer in another order, so that no key fits it.

    It answers as before: an MLP is a sum over its neurons, in whatever order they stand.

    Args:
        seed: Another number, another order.
    """
    model, generator = sna.load_dimmed(0.4, "minnow"), torch.Generator().manual_seed(seed)
    for block in model.blocks:
        order = torch.randperm(model.cfg.d_mlp, generator=generator)
        for weight in block.mlp.parameters():
            if model.cfg.d_mlp in weight.shape:
                weight.copy_(weight.index_select(weight.shape.index(model.cfg.d_mlp), order))
    return model


def on_planted(answer: Callable, case: tuple) -> Any:
    """What an answer returns for a sealed circuit, a few of its facts and the case.

    NaN if it leaves a hook behind, which is removed.
    """
    model, facts = sealed_circuit(0), sna.few(sna.load_tasks("planted"), 4)["planted"]
    returned = answer(model, facts, *case)
    stayed = any(point.fwd_hooks for point in model.hook_dict.values())
    model.reset_hooks()
    return float("nan") if stayed else returned


def amplified(model: Any, task: Any, *amplification: Any, outcome: str = "p") -> float:
    """The mean outcome of a task's examples under one amplification."""
    with sna.amplify(model, sna.Amplification(*amplification)):
        return sna.measure(model, task)[outcome].mean()


def unfinished(value: Any) -> bool:
    """Whether a value, or a part of a tuple of values, is still the stub's."""
    parts = value if isinstance(value, tuple) else (value,)
    return any(part is None or part is ... for part in parts)


def _same(a: Any, b: Any) -> bool:
    """Equal numbers in equal shapes, up to rounding; anything that is not numbers is unequal."""
    a, b = (np.asarray(x.detach() if isinstance(x, torch.Tensor) else x) for x in (a, b))
    if a.dtype.kind not in "bif":
        return False
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True)


def _short(value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    text = ", ".join("nothing" if unfinished(part) else repr(part) for part in parts)
    return text if len(text) < 120 else text[:117] + "..."

"""The errors a learner meets. Each message names the value, what was expected, what to do."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated

import numpy as np
from beartype import BeartypeConf, BeartypeViolationVerbosity, FrozenDict, beartype
from beartype.vale import Is

MOST_LISTED = 50  # of the problems of a file
Seed = Annotated[int, Is[lambda seed: seed >= 0]]  # of what is drawn by chance


class SNAError(ValueError):
    """Something was asked for that cannot be done; the message says what to change."""


class ModelError(SNAError):
    """A model cannot be found, is not safe to load, or has no neurons to amplify."""


class DataError(SNAError):
    """A task, a text or a data file is not what it should be."""


class SilentEditError(SNAError):
    """An amplification was in place, a forward pass ran, and nothing was amplified."""


# A function or class that refuses arguments of other types than it names, with a sentence.
checked = beartype(
    conf=BeartypeConf(
        violation_param_type=DataError,
        violation_verbosity=BeartypeViolationVerbosity.MINIMAL,
        is_color=False,
        hint_overrides=FrozenDict(
            {
                int: int | np.integer,
                float: float | int | np.floating | np.integer,
                # Arrays, sets and Series too, if they are of several; each item is checked on use.
                Collection[str]: Annotated[Collection, Is[lambda v: getattr(v, "ndim", 1) > 0]],
                **dict.fromkeys(
                    (Collection[int], Collection[float]),
                    Annotated[
                        Collection,
                        Is[lambda v: getattr(v, "ndim", 1) > 0 and not isinstance(v, str)],
                    ],
                ),
            }
        ),
    )
)


def listed(values: object) -> list:
    """Several things as a list, whatever they came in: an array, a Series, a set in order, one."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [values]
    return sorted(values) if isinstance(values, set) else list(values)


def refuse(problems: Sequence[str], told: str) -> None:
    """Raise DataError with all problems at once, if there is one; `told` introduces several."""
    if problems:
        lines = [f"- {problem}" for problem in problems[:MOST_LISTED]]
        if len(problems) > MOST_LISTED:
            lines.append(f"- … and {len(problems) - MOST_LISTED} more")
        raise DataError(problems[0] if len(problems) == 1 else "\n".join([told, *lines]))


def check_range(what: str, value: int, low: int, high: int) -> None:
    """Raise SNAError unless `value` is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise SNAError(f"{what} {value!r} is out of range: expected {low} to {high}.")


def check_number(what: str, value: float, low: float, high: float) -> None:
    """Raise SNAError unless `value` is a number from `low` to `high`."""
    if not low <= value <= high:  # also for NaN
        raise SNAError(f"{what} is {value!r}: expected a number from {low:g} to {high:g}.")


def check_choice(what: str, value: str, choices: Sequence[str], place: str = "") -> None:
    """Raise DataError unless `value` is one of `choices`; `place` says where it stands."""
    if value not in choices:
        raise DataError(
            f"{place}unknown {what} {value!r}.{did_you_mean(str(value), choices)} Use one of: "
            f"{', '.join(choices)}."
        )


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A question that names the choices which look like `name`, or nothing if none does."""
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(by_lower[match]) for match in near)}?" if near else ""

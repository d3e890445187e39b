"""Small pieces: numbers and settings in words, tables and links as HTML, work that may fail."""

import base64
import html
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import pandas as pd
import torch

import snahelpers as sna
from snahelpers.lab.setting import Push, Setting

LONGEST_TITLE = 62  # characters that fit the picture
SCALES = ("", ",000", " million", " billion", " trillion")
# What the paper expects of amplification (sections 4.2 to 4.4).
ZONES = {
    1: "Zone 1 (low confidence: here the paper expects a gain)",
    2: "Zone 2 (in between: the paper expects no stable effect)",
    3: "Zone 3 (confident already: the paper expects little)",
}

NOTHING_SEEN = (
    " Nothing to see: these neurons hardly matter for this prompt. Try another layer or a larger "
    "multiplier, or let Search try them all."
)
CHOSEN_ON_IT = (
    " The neurons were chosen on this very prompt, so it cannot judge them: take another prompt, "
    "or sentences of your own."
)
PERHAPS_UNKNOWN = (
    " So small a chance may be of something that the model never learned: what is weak can be "
    "amplified, what is absent cannot."
)


def chance(p: float) -> str:
    """A probability as people read it: "12 %", "2.6 in 10 million"."""
    if p >= 0.0099:
        return f"{100 * p:.3g} %" if p < 0.9995 else "over 99.9 %"
    if p < 1e-12:
        return "less than 1 in 1 trillion"
    mantissa, power = f"{p:.1e}".split("e-")
    group, tens = divmod(int(power), 3)
    return f"{float(mantissa):g} in {10**tens}{SCALES[group]}"


def strength(push: Push) -> str:
    """What is amplified: "12 neurons in layer 7, × 2.4"."""
    return f"{push.k} neuron{'s' * (push.k != 1)} in layer {push.layer}, × {push.multiplier:g}"


def title(model: str, setting: Setting) -> str:
    """Model, the end of the prompt, and what is amplified, in one line."""
    start, end = f"{model}: ", f" … · {strength(setting.push)}"
    room = max(12, LONGEST_TITLE - len(start + end))
    # Shortened from the front: what is continued is the end.
    return start + textwrap.shorten(setting.prompt[::-1], room, placeholder=" …")[::-1] + end


def unamplified(model: str, setting: Setting, before: pd.Series) -> str:
    """The answer before anything is amplified, and what the paper expects of it."""
    return (
        f"As it is, {model} gives “{setting.target.strip()}” after “{setting.prompt} …” a chance "
        f"of {chance(before.p)}: rank {before['rank']:,.0f}, entropy {before.entropy:.2f} nats, "
        f"{ZONES[sna.zone(before.p)]}.{PERHAPS_UNKNOWN * int(before.p < 0.001)}"
    )


def caveats(setting: Setting, tokens: pd.DataFrame) -> str:
    """What must be known of a picture: why nothing is to be seen, what neurons were chosen on.

    Args:
        setting: What is shown.
        tokens: As from `next_token_change`.
    """
    moved = (tokens.after - tokens.before).abs().max()
    same = setting.prompt in setting.asked.split("select").prompts and setting.source != "random"
    # So small a change no bar shows.
    return NOTHING_SEEN * int(moved < 0.005) + CHOSEN_ON_IT * same


def table(frame: pd.DataFrame) -> str:
    """A frame with three digits a number; on a narrow page it can be scrolled, by keys too."""
    shown = frame.to_html(index=False, border=0, float_format="{:.3g}".format, na_rep="")
    return f'<div class="sna-table" tabindex="0" role="group" aria-label="table">{shown}</div>'


def link(label: str, name: str, kind: str, content: bytes) -> str:
    """A link that saves `content` as a file called `name`, without a server."""
    data = base64.b64encode(content).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{html.escape(label)}</a>'


@contextmanager
def attempt(doing: str, problem: w.HTML, *, small: bool) -> Iterator[None]:
    """Work of the lab: whatever goes wrong is told, and it leaves cores to browser and server.

    Args:
        doing: What it is called, if the error is not one of the course's own sentences.
        problem: Where to tell it.
        small: Whether the model gains little from a second thread. A large one has half of those
            that torch would take: threads that wait for each other's cores lose more than they
            bring.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if small else max(1, threads // 2))
    try:
        yield
    except Exception as error:
        ours = isinstance(error, sna.SNAError)
        told = str(error) if ours else f"{doing} failed with {type(error).__name__}: {error}"
        problem.value = sna.widgets.sentence(told, problem=True)
    finally:
        torch.set_num_threads(threads)

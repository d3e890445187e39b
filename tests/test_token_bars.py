"""Bars that are moved and painted over what is kept are the bars of a new figure."""

import pandas as pd
import pytest

from snahelpers.plots import TokenBars, next_tokens, to_png

TOKENS = pd.DataFrame(
    {"token": [" a", "b\n", " c"], "before": [0.5, 0.3, 0.1], "after": [0.1, 0.3, 0.5]}
)


def test_the_answer_stands_out_among_the_tokens():
    labels = next_tokens(TOKENS, " c", "t").axes[0].texts
    assert [label.get_fontweight() for label in labels] == ["normal", "normal", "bold"]
    assert labels[1].get_text() == r"b\n"


CONTROL = pd.DataFrame({"low": [0.1] * 3, "mean": [0.2] * 3, "high": [0.3] * 3})


@pytest.mark.parametrize("control", [False, True])
def test_bars_that_move_are_bars_drawn_anew(control):
    """Any order of other limits, names, titles and answers is the picture of new bars."""
    bars, high = TokenBars(3, control=control), TOKENS.assign(after=[0.9, 0.05, 0.05])
    renamed, fewer = TOKENS.assign(token=["x", "y", "z"]), TOKENS.head(2)
    states = [(TOKENS, " c"), (high, " c"), (TOKENS, " c"), (renamed, "x"), (renamed, "y")]
    for frame, target in [*states, (fewer, " a"), *states[::2]]:
        fresh = TokenBars(3, control=control)
        for one in (bars, fresh):
            one.draw(frame, target, target, CONTROL if control and frame is not fewer else None)
        assert bars.to_png() == fresh.to_png()
        assert all(bar.get_width() == 0 for bar in bars.after[len(frame) :])


def test_a_saved_figure_has_all_that_moves():
    """Bars, names and title are left out of what is kept, but of no file."""
    bars, fewer = TokenBars(3), TokenBars(3)
    bars.draw(TOKENS, " c", "t")
    pictures = {to_png(bars.figure)}
    for frame, title in ((TOKENS.assign(after=0.0), "t"), (TOKENS.assign(token="x"), "t")):
        pictures.add(to_png(fewer.draw(frame, " c", title)))
    pictures.add(to_png(fewer.draw(TOKENS, " c", "another")))
    assert len(pictures) == 4
    assert to_png(fewer.draw(TOKENS, " c", "t")) in pictures

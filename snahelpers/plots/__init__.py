"""A DataFrame in, a matplotlib figure out; `show` displays it with its alt text."""

from snahelpers.plots.charts import bars, heatmap, lines, peaks, scatter, scores_by_layer
from snahelpers.plots.matrix_plots import beside_random, matrices
from snahelpers.plots.style import DPI, WIDTH, axes, show, to_png
from snahelpers.plots.token_bars import TokenBars, next_tokens, visible
from snahelpers.plots.zone_plots import (
    confidence_and_gain,
    dumbbells,
    margins,
    paper_claim,
    shade_zones,
)

__all__ = [
    "DPI",
    "WIDTH",
    "TokenBars",
    "axes",
    "bars",
    "beside_random",
    "confidence_and_gain",
    "dumbbells",
    "heatmap",
    "lines",
    "margins",
    "matrices",
    "next_tokens",
    "paper_claim",
    "peaks",
    "scatter",
    "scores_by_layer",
    "shade_zones",
    "show",
    "to_png",
    "visible",
]

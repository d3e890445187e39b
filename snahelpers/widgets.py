"""What can be moved: controls over a picture, and the course's panels made of them.

A `Panel` needs a function that draws and a description of each control. What is below the panels
(changes run in order, the newest only; text that is spoken) serves the lab as well. ipywidgets is
imported only where a live widget is made.
"""

import asyncio
import html
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from importlib.util import find_spec
from textwrap import fill

import pandas as pd
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import Amplification, amplify
from snahelpers.errors import SNAError
from snahelpers.interference import answers, effects, in_words, side_effects
from snahelpers.neurons import random_neurons, top_neurons
from snahelpers.plots import (
    DPI,
    WIDTH,
    beside_random,
    confidence_and_gain,
    margins,
    next_tokens,
    show,
    to_png,
    visible,
)
from snahelpers.scoring import next_token_change, write
from snahelpers.sentiment import ARMS, arms, classify, compare, decide
from snahelpers.tasks import Task, answer_tokens
from snahelpers.zones import HIGH, LOW, zone

LABEL = {"description_width": "7em"}  # all labels alike, so that controls stand in columns
PAUSE_SECONDS = 0.005  # between steps: a change that arrives in it is drawn first
SHOWN_TOKENS = 7
GAINS = {"pct_improvement": "improvement of P (%)", "delta_logodds": "change of log-odds"}


class Panel:
    """Controls over a picture; the picture alone where no widget can run.

    Widgets cannot run with `SNA_STATIC=1`, or without ipywidgets. A change that cannot be drawn
    shows its reason and leaves the last good picture.

    Args:
        picture: Takes each control's value by its name; returns the figure and its alt text.
        controls: For each its values (a list to choose from, or low, high and step as a tuple), the
            first of them to be shown, and its label if that is not its name.

    Attributes:
        start: For each control its first value.

    Raises:
        SNAError: the first picture cannot be drawn.
    """

    def __init__(self, picture: Callable[..., tuple[Figure, str]], **controls: tuple) -> None:
        self.picture, self.controls = picture, controls
        self.start = {name: first for name, (_, first, *_) in controls.items()}
        self.first = picture(**self.start)

    def _ipython_display_(self) -> None:
        if widgets_can_run():
            from IPython.display import display

            display(self._live())
        else:
            show(*self.first)

    def _live(self):
        """The live widget: every change draws a new picture in place of the old one."""
        import ipywidgets as w

        controls = {name: _control(w, name, *told) for name, told in self.controls.items()}
        image, message = picture_frame(w), w.HTML()

        def put(figure: Figure, alt: str) -> None:
            image.value, message.value = to_png(figure), sentence(alt)

        def draw() -> None:
            try:
                put(*self.picture(**{name: c.value for name, c in controls.items()}))
            except SNAError as error:  # the last good picture stays
                message.value = sentence(str(error), problem=True)

        put(*self.first)
        live = Live(draw)
        for control in controls.values():
            control.observe(live, "value")
        return w.VBox([row(w, *controls.values()), message, image])


# The course's panels


def explorer(
    model: TransformerBridge,
    task: Task,
    scores: Float[Tensor, "layer d_mlp"],
    *,
    layer: int,
    k: int,
    multiplier: float,
) -> Panel:
    """Amplify neurons of one task and watch one of its prompts: notebooks 00 to 04.

    Bars of the likeliest next tokens without and with amplification. Prompt, layer, number of
    neurons and multiplier can be changed, and "random" neurons be taken as the control group.

    Args:
        model: From `load_model`; every change is a forward pass of it.
        task: Its prompts can be chosen.
        scores: What neurons are chosen by, as from `differential_activation`.
        layer: The first layer shown.
        k: The first number of neurons shown.
        multiplier: The first multiplier shown.

    Raises:
        SNAError: layer, k or multiplier is out of range.
    """
    targets = {example.prompt: example.target for example in task.examples}

    def picture(
        prompt: str, layer: int, neurons: int, multiplier: float, chosen_by: str
    ) -> tuple[Figure, str]:
        chosen = (
            random_neurons(model.cfg.d_mlp, neurons, seed=layer)
            if chosen_by == "random"
            else top_neurons(scores, layer, neurons)
        )
        edit, target = Amplification(layer, chosen, multiplier), targets[prompt]
        table = next_token_change(model, prompt, edit, always=target, k=SHOWN_TOKENS)
        first = model.to_string(answer_tokens(model, prompt, target)[1][:1])  # of the answer
        answer = table[table.token == first].iloc[0]
        title = (
            f"{neurons} neurons ({chosen_by}) of layer {layer} × {multiplier:.1f}:  "
            f"P({first.strip() or visible(first)}) {answer.before:.3g} → {answer.after:.3g}"
        )
        return (
            next_tokens(table, first, title),
            f"Bars of the likeliest next tokens before and after. {title}.",
        )

    return Panel(
        picture,
        prompt=(list(targets), task.examples[0].prompt),
        layer=((0, len(scores) - 1, 1), layer),
        neurons=((1, max(50, k), 1), k),
        multiplier=((0.0, max(12.0, multiplier), 0.1), multiplier),
        chosen_by=(["top scores", "random"], "top scores"),
    )


def zone_map(frame: pd.DataFrame) -> Panel:
    """Move the thresholds of the paper's Figure 1, and its configuration: notebooks 03 and 04.

    Every task by its baseline P and by what one configuration of a sweep gains, over the zones. A
    panel whose Zone 1 ends above the beginning of Zone 3 says so in place of a new picture.

    Args:
        frame: From `sweep`; its "test" rows are shown if it has them, else all.
    """
    if (frame.split == "test").any():
        frame = frame[frame.split == "test"]

    def picture(
        layer: int, neurons: int, multiplier: float, gain: str, low: float, high: float
    ) -> tuple[Figure, str]:
        if low > high:
            raise SNAError(f"Zone 1 ends at {low:.2f}, above {high:.2f}, where Zone 3 begins.")
        rows = frame.query(
            "layer == @layer and n_neurons == @neurons and multiplier == @multiplier"
        )
        title, ylabel = f"{neurons} neurons of layer {layer} × {multiplier:.2f}", GAINS[gain]
        means = rows.groupby(rows.p_base.map(lambda p: zone(p, low, high)))[gain].mean()
        return (
            confidence_and_gain(rows, gain, title=title, ylabel=ylabel, low=low, high=high),
            f"{title}. Mean {ylabel}: {_listed('Zone {}: {:.3g}', means)}.",
        )

    layers, counts, multipliers = (
        sorted(frame[column].unique()) for column in ("layer", "n_neurons", "multiplier")
    )
    return Panel(
        picture,
        layer=(layers, layers[len(layers) // 2]),
        neurons=(counts, counts[-1]),
        multiplier=(multipliers, multipliers[-1]),
        gain=(list(GAINS), "pct_improvement"),
        low=((0.01, 0.5, 0.01), LOW, "zone 1 below"),
        high=((0.01, 0.5, 0.01), HIGH, "zone 3 above"),
    )


def interference_map(
    model: TransformerBridge,
    tasks: Iterable[Task],
    texts: Sequence[str],
    scores: Mapping[str, Float[Tensor, "layer d_mlp"]],
    *,
    prompt: str,
    layer: int,
    k: int,
    multiplier: float,
) -> Panel:
    """Amplify one domain's neurons, watch every domain and a text: notebook 05.

    One row of the interference matrix, the change of each domain's log-odds (left of 0 is harm),
    and below it what neutral text's perplexity does and what the model then writes.

    Args:
        model: From `load_model`; every change runs it on all prompts and lets it write.
        tasks: What is measured.
        texts: Neutral sentences, one or more, for the perplexity.
        scores: Of each domain that can be amplified, as from `differential_activation`.
        prompt: What the model continues.
        layer: The first layer shown.
        k: The number of neurons.
        multiplier: The first multiplier shown.

    Raises:
        SNAError: layer, k or multiplier is out of range.
    """
    tasks, texts, domains = list(tasks), list(texts), list(scores)
    before = answers(model, tasks, texts)

    def picture(domain: str, layer: int, multiplier: float) -> tuple[Figure, str]:
        edit = Amplification(layer, top_neurons(scores[domain], layer, k), multiplier)
        changes = side_effects(model, tasks, texts, edit, before=before)
        table = effects(changes, n_resamples=200)
        matrix_row, neutral = (table[table.outcome == name] for name in ("logodds", "loss"))
        [text] = write(model, [prompt], edit).text
        written = f"{prompt} … {text}".replace("\n", " / ")
        title = f"{k} {domain} neurons of layer {layer} × {multiplier:.1f}"
        xlabel = f"change of log-odds (perplexity of neutral text: {in_words(neutral.iloc[0])} %)"
        figure = beside_random(matrix_row, "domain", title=title, xlabel=xlabel)
        figure.axes[0].set_xlabel(f"{xlabel}\n\n{fill(written, 80)}", parse_math=False)
        numbers = _listed("{} {:+.3g}", matrix_row.set_index("domain").value)
        return figure, f"{title}. {xlabel.capitalize()}: {numbers}. It writes: {written}"

    return Panel(
        picture,
        domain=(domains, domains[0], "amplify"),
        layer=((0, model.cfg.n_layers - 1, 1), layer),
        multiplier=((0.0, max(16.0, multiplier), 0.5), multiplier),
    )


def margin_map(
    model: TransformerBridge,
    reviews: pd.DataFrame,
    pairs: Int[Tensor, "layer pair"],
    *,
    layer: int,
    multiplier: float,
    arm: str = "positive",
) -> Panel:
    """Amplify one arm in one layer, or shift all answers alike, and watch margins: notebook 06.

    Every review by its signed margin before and after, coloured by its gold label; the sentence
    above counts the answers fixed and broken, and each zone's change of accuracy.

    Args:
        model: From `load_model`; every change is a forward pass of it on all reviews.
        reviews: What to classify: columns sentence and label.
        pairs: The arms' neurons, as from `pairs`.
        layer: The first layer shown.
        multiplier: The first multiplier shown.
        arm: The first arm shown: positive, negative, both, or random (as many as both).

    Raises:
        SNAError: layer or multiplier is out of range.
    """
    sentences, gold = list(reviews.sentence), list(reviews.label)
    before = classify(model, sentences)

    def picture(arm: str, layer: int, multiplier: float, shift: float) -> tuple[Figure, str]:
        chance = random_neurons(model.cfg.d_mlp, pairs.shape[1], seed=layer)
        neurons = (arms(pairs, layer) | {"random": chance})[arm]
        with amplify(model, Amplification(layer, neurons, multiplier)):
            pushed = classify(model, sentences)
        after = decide(pushed.logit_diff.to_numpy() + shift)
        told = compare(before, after, gold).set_index("zone")
        gains = _listed("Zone {} {:+.1f}", told.gain).replace("Zone all", "all")
        fixed, broken = told.loc["all", ["fixed", "broken"]].astype(int)
        shifted = f", all shifted by {shift:+.1f}" if shift else ""
        title = f"{arm}, layer {layer} × {multiplier:.1f}{shifted}"
        return (
            margins(
                before.assign(before=before.logit_diff, after=after.logit_diff, label=gold), title
            ),
            f"Each review's margin before and after: {title}. Answers fixed: {fixed}, "
            f"broken: {broken}; accuracy in percentage points: {gains}.",
        )

    return Panel(
        picture,
        arm=([*ARMS, "random"], arm),
        layer=((0, len(pairs) - 1, 1), layer),
        multiplier=((0.0, max(12.0, multiplier), 0.5), multiplier),
        shift=((-3.0, 3.0, 0.1), 0.0),
    )


def _listed(form: str, values: pd.Series) -> str:
    """Each name and value of a series, as `form` writes them."""
    return ", ".join(form.format(*item) for item in values.items())


# What the panels and the lab are made of


class Live:
    """Calls its steps after a change, the quick one first; a newer change begins anew.

    All run in the kernel's own thread. From JupyterLab 4.4 on, messages of widgets arrive in a
    second one, even while a cell runs. Two threads that amplify one model would see each other's
    hooks; so a change waits for the cell. Made where no event loop runs (in plain Python), it calls
    the steps at once.

    Args:
        steps: Functions without arguments, which read the controls for themselves.
    """

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.steps, self.changes, self.loop = steps, 0, running_loop()

    def __call__(self, _change: object = None) -> None:
        """Tell of a change, from any thread."""
        self.changes += 1
        if self.loop is None:
            for step in self.steps:
                step()
        else:
            start(self.loop, self._run(self.changes))

    async def _run(self, change: int) -> None:
        for step in self.steps:
            if change == self.changes:  # else overtaken
                step()
                await asyncio.sleep(PAUSE_SECONDS)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of the thread that asks; a Jupyter kernel runs cells inside one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def start(loop: asyncio.AbstractEventLoop | None, work: Coroutine) -> None:
    """Run `work` in the loop's thread, between other things; without a loop, now and whole."""
    if loop is None:
        asyncio.run(work)
    else:
        loop.call_soon_threadsafe(lambda: loop.create_task(work))


def _control(w, name: str, values: list | tuple, first: object, label: str | None = None):
    """A slider for a range, a slider over a few numbers, or a list of words."""
    options = {"description": label or name.replace("_", " "), "value": first, "style": LABEL}
    if isinstance(values, tuple):
        kind = w.IntSlider if isinstance(values[2], int) else w.FloatSlider
        return kind(min=values[0], max=values[1], step=values[2], **options)
    if isinstance(first, str):
        width = "98%" if max(map(len, values)) > 30 else None
        return w.Dropdown(options=values, layout={"width": width}, **options)
    named = [(f"{v:.3g}" if isinstance(v, float) else f"{v:,}", v) for v in values]
    return w.SelectionSlider(options=named, **options)


def sentence(text: str, *, problem: bool = False) -> str:
    """Text that a screen reader speaks when it changes; bold if something is wrong."""
    text = html.escape(text)
    return f"<p role='status' aria-live='polite'>{f'<b>{text}</b>' if problem else text}</p>"


def row(w, *children):
    """Widgets side by side, and below each other where the page is narrow."""
    return w.HBox(list(children), layout={"flex_flow": "row wrap"})


def picture_frame(w):
    """An empty image as wide as the course's figures, less on a narrow page."""
    return w.Image(format="png", layout={"width": f"{WIDTH * DPI:g}px", "max_width": "100%"})


def widgets_can_run() -> bool:
    """False where SNA_STATIC is set or ipywidgets is not installed."""
    return os.environ.get("SNA_STATIC", "0") in ("", "0") and find_spec("ipywidgets") is not None

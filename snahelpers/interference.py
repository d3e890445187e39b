"""What amplifying one domain does to the others (the paper's section 5.2).

`answers` before and after gives `side_effects`, one row a prompt or text; `effects` makes means
with intervals of them; `matched_effects` is the control: as strong a push by other neurons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import Amplification, amplify, output_weights
from snahelpers.errors import DataError, Seed, checked
from snahelpers.frames import CONFIGURATION, GROUPS, select_rows
from snahelpers.neurons import draw_of, matched_neurons, mean_activations
from snahelpers.scoring import measure, precise, token_losses
from snahelpers.stats import bootstrap, interval
from snahelpers.tasks import Task, text_batches

NEUTRAL = "neutral"  # the domain of texts that ask for nothing
KEYS, OUTCOMES = ["domain", "task", "example"], ["p", "logodds", "rank", "entropy", "loss"]


@checked
def best_configurations(frame: pd.DataFrame) -> pd.DataFrame:
    """For each domain the swept configuration with the highest `select` Δlog-odds over its tasks.

    Returns:
        One row a domain: domain, layer, n_neurons, multiplier, delta_logodds (nats).

    Raises:
        DataError: the frame is not a sweep of whole tasks that has `select` rows.
    """
    groups = select_rows(frame).groupby(["domain", *CONFIGURATION], **GROUPS)
    means = groups.delta_logodds.mean()
    return means.loc[means.groupby("domain", **GROUPS).idxmax()].reset_index()


def domain_means(
    model: TransformerBridge, tasks: Iterable[Task], neutral: Sequence[str]
) -> dict[str, Float[torch.Tensor, "layer d_mlp"]]:
    """`mean_activations` over the select prompts of each domain's tasks, and over neutral text."""
    prompts: dict[str, list[str]] = {}
    for task in tasks:
        prompts.setdefault(task.domain, []).extend(task.split("select").prompts)
    return {
        name: mean_activations(model, texts)
        for name, texts in (prompts | {NEUTRAL: neutral}).items()
    }


@checked
def answers(
    model: TransformerBridge, tasks: Iterable[Task], texts: Sequence[str] = ()
) -> pd.DataFrame:
    """Every example's answer, and every text's mean loss, as the model is now.

    Returns:
        One row an example or text: domain and task ("neutral" for texts), example (its place),
        p, logodds, rank and entropy as from `measure` (NaN for texts), loss (mean nats a token,
        NaN for examples), weight (1 for examples; for texts, how many tokens were predicted).

    Raises:
        DataError: nothing to measure, or something that cannot be.
    """
    parts = []
    owners = [(task, place) for task in tasks for place in range(len(task))]
    if owners:  # all in one call of `measure`: its batches are prompts of equal length
        examples = tuple(task.examples[place] for task, place in owners)
        keys = pd.DataFrame(
            [(task.domain, task.name, place, 1) for task, place in owners],
            columns=[*KEYS, "weight"],
        )
        parts.append(keys.join(measure(model, Task("all", "", "", examples))[OUTCOMES[:4]]))
    if len(texts):
        losses = np.empty((len(texts), 2))
        for places, tokens, _ in text_batches(model, texts):
            if tokens.shape[1] < 2:
                raise DataError(f"No token of {texts[places[0]]!r} can be predicted: add words.")
            losses[places.numpy(), 0] = token_losses(model, tokens).mean(dim=1).cpu()
            losses[places.numpy(), 1] = tokens.shape[1] - 1
        frame = pd.DataFrame(losses, columns=["loss", "weight"])
        parts.append(frame.assign(domain=NEUTRAL, task=NEUTRAL, example=frame.index))
    if not parts:
        raise DataError("There is nothing to measure: give tasks with examples, or texts.")
    return pd.concat(parts, ignore_index=True).reindex(columns=[*KEYS, *OUTCOMES, "weight"])


@checked
def side_effects(
    model: TransformerBridge,
    tasks: Iterable[Task],
    texts: Sequence[str],
    *amplifications: Amplification,
    before: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The change of each of the `answers` under amplification; the same rows and columns.

    Args:
        model: From `load_model`, not amplified unless `before` was measured so too.
        tasks: What to measure; no choice is made on them, so give "test" halves.
        texts: Ordinary sentences, for the loss.
        amplifications: What to amplify, together.
        before: `answers` without them, if they are known already.

    Raises:
        DataError: as `answers`; or `before` is about other examples.
        SNAError: an amplification is out of range for this model.
    """
    tasks = list(tasks)
    before = answers(model, tasks, texts) if before is None else before.reset_index(drop=True)
    with amplify(model, *amplifications):
        after = answers(model, tasks, texts)
    if not before[KEYS].equals(after[KEYS]):
        raise DataError("`before` has other examples than these tasks and texts: measure it anew.")
    return after.assign(**(after[OUTCOMES] - before[OUTCOMES]))


@checked
def effects(
    changes: pd.DataFrame,
    by: str | Sequence[str] = "domain",
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Mean changes with 95 % bootstrap intervals over prompts, drawn anew within each task.

    A group's value is the mean over its tasks; a text counts by its tokens, so exp(loss) is the
    factor by which neutral perplexity grows.

    Returns:
        One row a group and outcome: the columns of `by`, outcome, value, low, high, n (prompts).

    Raises:
        DataError: there are no rows.
        SNAError: n_resamples is below 1.
    """
    if not len(changes):
        raise DataError("There are no changes to take the mean of: measure side_effects first.")
    by, rng, rows = [by] if isinstance(by, str) else list(by), np.random.default_rng(seed), []
    for group, part in changes.groupby(by, **GROUPS):
        known = [name for name in OUTCOMES if part[name].notna().any()]
        tasks = part[[*known, "weight"]].groupby(part.task, **GROUPS)
        samples = [task.to_numpy(float) for _, task in tasks]
        draws = bootstrap(_mean_change, *samples, n_resamples=n_resamples, seed=rng)
        for numbers in zip(known, _mean_change(*samples), *interval(draws), strict=True):
            rows.append((*group, *numbers, len(part)))
    return pd.DataFrame(rows, columns=[*by, "outcome", "value", "low", "high", "n"])


def _mean_change(*tasks: np.ndarray) -> np.ndarray:
    """The mean over tasks of their weighted means; each [..., prompt, outcome], the weight last."""
    means = [(task[..., :-1] * task[..., -1:]).sum(-2) / task[..., -1:].sum(-2) for task in tasks]
    return np.mean(means, axis=0)


def matched(
    model: TransformerBridge,
    amplification: Amplification,
    means: Float[torch.Tensor, "layer d_mlp"],
    seed: int,
) -> Amplification:
    """The same amplification of random other neurons that write as much where `means` are from."""
    layer = amplification.layer
    sizes = means[layer].abs() * precise(output_weights(model, layer).norm(dim=-1)).cpu()
    chosen, draw = torch.tensor(amplification.neurons), draw_of(layer, seed)
    return replace(amplification, neurons=matched_neurons(chosen, sizes, draw))


@checked
def matched_effects(
    model: TransformerBridge,
    tasks: Iterable[Task],
    texts: Sequence[str],
    amplification: Amplification,
    means: Mapping[str, Float[torch.Tensor, "layer d_mlp"]],
    draws: Iterable[int],
    before: pd.DataFrame,
) -> pd.DataFrame:
    """What equally strong random pushes do: mean changes, one row a draw and domain.

    Args:
        model: From `load_model`.
        tasks: As for `side_effects`, like `texts`, `amplification` and `before`.
        texts: Ordinary sentences.
        amplification: What to match, with layer, number and multiplier.
        means: Of each domain the `mean_activations`: neurons are matched where they are measured.
        draws: Seeds; each is one draw.
        before: `answers` without amplification.

    Returns:
        Columns draw, domain and `OUTCOMES`.

    Raises:
        DataError: `before` has other examples than the tasks and texts.
    """
    tasks, draws, rows = list(tasks), list(draws), []
    for domain, mean in means.items():
        own = [task for task in tasks if task.domain == domain]
        lines = texts if domain == NEUTRAL else ()
        clean = before[before.domain == domain]
        for draw in draws:
            push = matched(model, amplification, mean, draw)
            changes = side_effects(model, own, lines, push, before=clean)
            told = effects(changes, n_resamples=1).set_index("outcome").value
            rows.append({"draw": draw, "domain": domain, **told})
    return pd.DataFrame(rows, columns=["draw", "domain", *OUTCOMES])


def as_table(cells: pd.DataFrame, index: str | list[str], columns: str) -> pd.DataFrame:
    """Rows of `effects` as text, each a value with its interval; in the order in which they come.

    Args:
        cells: One row for each pair of `index` and `columns`.
        index: The column or columns that name the table's rows.
        columns: The column that names the table's columns.
    """
    told = cells.assign(told=cells.apply(in_words, axis=1))
    wide = told.pivot(index=index, columns=columns, values="told")
    order = told.set_index(index).index.unique()
    return wide.reindex(index=order, columns=told[columns].unique()).fillna("")


def in_words(row: pd.Series) -> str:
    """A row of `effects`, value and interval: P in points, loss as per cent of perplexity."""
    numbers = row[["value", "low", "high"]].to_numpy(float)
    if row.outcome in ("p", "loss"):
        numbers = 100 * (numbers if row.outcome == "p" else np.expm1(numbers))
    digits = 3 if row.outcome in ("logodds", "entropy") else 2
    value, low, high = (f"{number:+.{digits}f}" for number in numbers.round(digits) + 0.0)
    return f"{value} [{low}, {high}]"

"""Sentiment classification with margins (the paper's section 6): SST-2 or the course's reviews.

A review is put into a prompt and the two labels' probabilities are compared. Nothing here that
answers takes gold labels: they are for choosing neurons on other reviews, and for scoring.

Amplified are three *arms* of neurons: *positive* and *negative* are those tied to one label each
(section 6.1), *both* is the two together. They are kept as *pairs*, one row a layer: k neurons for
positive, then k for negative.
"""

import csv
import os
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.stats import binomtest
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.engines import ENGINES, CleanPass, choose_engine
from snahelpers.errors import DataError, check_range, checked
from snahelpers.neurons import differential_activation, top_neurons
from snahelpers.scoring import log_p, read_logits
from snahelpers.tasks import Batch, Example, answer_batches, as_texts, load_reviews
from snahelpers.zones import zone

LABELS = ("positive", "negative")
PROMPT = "Review: {} Sentiment:"
MARGIN_LOW, MARGIN_HIGH = 0.30, 0.60
CONTENT_FREE = ("N/A", "[MASK]", "...")  # arXiv 2102.09690; nothing at all would leave two spaces
ARMS = ("positive", "negative", "both")
HUB_NAME, OWN = "stanfordnlp/sst2", "reviews"
N_SCORED, SEED = 200, 42  # the paper's section 6.1
SENTENCE_COLUMNS, LABEL_COLUMNS = ("sentence", "text", "review"), ("label", "sentiment")
VALUES = dict.fromkeys(("1", "1.0", "true", "pos", "positive"), "positive") | dict.fromkeys(
    ("0", "0.0", "false", "neg", "negative"), "negative"
)
AS_TEXT = dict(dtype=str, keep_default_na=False)  # "null" and "N/A" are words
READERS = {  # GLUE's .tsv files do not quote; all but parquet may be packed (.gz)
    ".tsv": partial(pd.read_csv, sep="\t", quoting=csv.QUOTE_NONE, **AS_TEXT),
    ".csv": partial(pd.read_csv, **AS_TEXT),
    ".jsonl": partial(pd.read_json, lines=True, dtype=False),
    ".parquet": pd.read_parquet,
}


def prompts(sentences: Collection[str]) -> list[str]:
    """The reviews as the model reads them.

    Raises:
        DataError: a review is empty.
    """
    texts = [sentence.strip() for sentence in as_texts(sentences)]
    if not all(texts):
        raise DataError("A review is empty: give it at least one word.")
    return [PROMPT.format(text) for text in texts]


def label_batches(
    model: TransformerBridge, sentences: Collection[str]
) -> Iterator[tuple[Batch, dict[int, Int[torch.Tensor, "batch read"]]]]:
    """The reviews in batches, each with the labels' tokens that are read after one pass of it.

    Labels of one token are read after the same pass; of several, each is fed and read by itself.

    Raises:
        DataError: a review is empty or too long.
    """
    texts = prompts(sentences)
    each = [
        answer_batches(model, [Example(text, f" {label}", "test") for text in texts])
        for label in LABELS
    ]
    for batches in zip(*each, strict=True):
        read = {i: batch.answers for i, batch in enumerate(batches)}
        if torch.equal(batches[0].tokens, batches[1].tokens):
            yield batches[0], read
        else:
            yield from ((batch, {i: read[i]}) for i, batch in enumerate(batches))


@checked
def classify(
    model: TransformerBridge, sentences: Collection[str], *, bias: float = 0.0
) -> pd.DataFrame:
    """What the model says of each review: no label is asked for, so none can leak.

    Args:
        model: From `load_model`, amplified or not.
        sentences: The reviews.
        bias: Log-odds taken off "positive" before deciding, as from `label_bias`.

    Returns:
        One row a review: logit_diff (log P(positive) - log P(negative) - bias), margin
        (|P - N| / (P + N), section 6.1), zone (of that margin, edges 0.30 and 0.60), predicted, and
        p_labels (how much probability the two words have together).

    Raises:
        DataError: a review is empty or too long.
    """
    logp = torch.empty(len(sentences), 2, dtype=torch.float64)
    for batch, labels in label_batches(model, sentences):
        logits = read_logits(model, batch.tokens, batch.answers.shape[1])
        for label, answers in labels.items():
            logp[batch.places, label] = log_p(logits, answers).double().cpu()
    return decide((logp[:, 0] - logp[:, 1]).numpy() - bias).assign(
        p_labels=logp.exp().sum(dim=1).numpy()
    )


def decide(logit_diff: np.ndarray) -> pd.DataFrame:
    """Margin, zone and predicted label for each log P(positive) - log P(negative)."""
    margin = np.abs(np.tanh(np.asarray(logit_diff) / 2))  # (P - N) / (P + N), without the division
    zones = [zone(value, MARGIN_LOW, MARGIN_HIGH) for value in margin.round(12)]
    predicted = np.where(np.asarray(logit_diff) > 0, *LABELS)
    return pd.DataFrame(
        {"logit_diff": logit_diff, "margin": margin, "zone": zones, "predicted": predicted}
    )


@checked
def label_bias(model: TransformerBridge) -> float:
    """How much the model prefers "positive" for reviews without content (arXiv 2102.09690).

    In log-odds, the mean over a few content-free inputs; `classify(..., bias=)` takes it off.
    """
    return float(classify(model, CONTENT_FREE).logit_diff.mean())


@checked
def compare(before: pd.DataFrame, after: pd.DataFrame, labels: Collection[str]) -> pd.DataFrame:
    """Accuracy before and after, by the zone that a review had before.

    Args:
        before: From `classify`.
        after: From `classify` on the same reviews, with an amplification or a bias.
        labels: Their gold labels.

    Returns:
        One row a zone that has reviews, and "all": n, accuracy before and after, low and high
        (95 % exact binomial interval of the latter), gain (percentage points), fixed and broken
        (answers that turned right and wrong), p (exact McNemar test: fixed against broken).

    Raises:
        DataError: the three have different lengths, or a label is unknown.
    """
    gold, n_each = np.asarray(labels), {len(before), len(after), len(labels)}
    if len(n_each) > 1 or not np.isin(gold, LABELS).all():
        raise DataError(f"Expected one of {LABELS} for each of the {len(before)} reviews.")
    was, now = before.predicted.to_numpy() == gold, after.predicted.to_numpy() == gold
    groups = {z: before.zone.to_numpy() == z for z in (1, 2, 3)} | {"all": np.full(len(gold), True)}
    rows = [(name, *_change(was[here], now[here])) for name, here in groups.items() if here.any()]
    return pd.DataFrame(rows, columns="zone n before after low high gain fixed broken p".split())


def _change(was: np.ndarray, now: np.ndarray) -> tuple:
    """One row of `compare`, from which answers were right and are right now."""
    n, right = len(now), int(now.sum())
    fixed, broken = int((now & ~was).sum()), int((was & ~now).sum())
    low, high = binomtest(right, n).proportion_ci()
    p = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    return n, was.mean(), right / n, low, high, 100 * (fixed - broken) / n, fixed, broken, p


@checked
def contrast(model: TransformerBridge, reviews: pd.DataFrame) -> Float[torch.Tensor, "layer d_mlp"]:
    """Mean activation on positive less that on negative reviews, of the "select" half only."""
    select = reviews[reviews.split == "select"].groupby("label").sentence
    texts = [prompts(list(select.get_group(label))) for label in LABELS]
    return differential_activation(model, *texts)


@checked
def pairs(
    scores: Float[torch.Tensor, "layer d_mlp"], k: int = 10
) -> Int[torch.Tensor, "layer pair"]:
    """The k highest and then the k lowest scores of every layer, most extreme first.

    Raises:
        SNAError: the two would overlap.
    """
    check_range("the number of neurons in each of two tails", k, 1, scores.shape[1] // 2)
    tails = [
        (top_neurons(scores, layer, k), top_neurons(-scores, layer, k))
        for layer in range(len(scores))
    ]
    return torch.stack([torch.cat(both) for both in tails])


@checked
def arms(pairs: Int[torch.Tensor, "layer pair"], layer: int) -> dict[str, Int[torch.Tensor, " n"]]:
    """The three sets of one layer, by name.

    Raises:
        SNAError: there is no such layer.
    """
    check_range("layer", layer, 0, len(pairs) - 1)
    return dict(zip(ARMS, (*pairs[layer].chunk(2), pairs[layer]), strict=True))


@checked
@torch.no_grad()
def sweep_arms(
    model: TransformerBridge,
    sentences: Collection[str],
    pairs: Int[torch.Tensor, "layer pair"],
    layers: Collection[int],
    multipliers: Collection[float],
) -> dict[tuple[str, int, float], pd.DataFrame]:
    """What the model says with each arm of each layer times each multiplier.

    The same as `classify` inside `amplify`, one after the other, and several times as fast where
    the sweep's engine "resume" is exact.

    Returns:
        For each (arm, layer, multiplier) a table as from `decide`.

    Raises:
        DataError: a review is empty or too long.
    """
    batches = list(label_batches(model, sentences))
    todo = [(arm, multiplier) for multiplier in multipliers for arm in ARMS]
    factors = torch.ones(len(todo), pairs.shape[1], device=model.cfg.device)
    places_of = arms(torch.arange(pairs.shape[1])[None], 0)
    for row, (arm, multiplier) in zip(factors, todo, strict=True):
        row[places_of[arm]] = multiplier
    engine, _ = choose_engine(model, [b for b, _ in batches], pairs, "all", layers, factors)
    diffs = np.zeros((len(layers), len(todo), len(sentences)))
    for batch, labels in batches:
        clean = CleanPass(model, batch, "all").of(pairs)
        for row, layer in zip(diffs, layers, strict=True):
            logits = ENGINES[engine](model, clean, layer, factors)
            for label, answers in labels.items():
                logp = log_p(logits, answers).double().cpu().numpy()
                row[:, batch.places.numpy()] += logp if label == 0 else -logp
    return {
        (arm, layer, multiplier): decide(diff)
        for layer, row in zip(layers, diffs, strict=True)
        for (arm, multiplier), diff in zip(todo, row, strict=True)
    }


@checked
def load_sst2(source: str | Path | None = None) -> pd.DataFrame:
    """The SST-2 validation set, or another set of reviews with two labels (section 6.1).

    200 examples, drawn with seed 42, are the "test" half, which is scored; the others are
    "select", for choosing neurons and configurations. No sentence stands in both.

    Args:
        source: "reviews" (the course's own, whose halves are fixed and which need no network), a
            file (GLUE's dev.tsv, csv or jsonl, packed as .gz or not, parquet), or
            "stanfordnlp/sst2". By default the file that the environment variable SNA_SST2 names,
            else the hub, else, with a word, "reviews".

    Returns:
        Columns sentence, label (positive or negative) and split.

    Raises:
        DataError: the file is not there or not readable, lacks a column, has an empty sentence or
            a label that is neither, or has too few examples.
    """
    name = str(source or os.environ.get("SNA_SST2") or "")
    if name in ("", HUB_NAME):
        table = _from_hub(required=bool(name))
    else:
        table = None if name == OWN else _read(Path(name))
    if table is None:
        reviews = load_reviews()
        return _with_split(reviews[["sentence", "label"]], reviews.split)
    return _with_split(_tidy(table, Path(name or HUB_NAME).name))


def _from_hub(required: bool) -> pd.DataFrame | None:
    """The validation set through `datasets`; None if it cannot be had and need not be."""
    try:
        import datasets  # slow to import, and only needed here

        return datasets.load_dataset(HUB_NAME, split="validation").to_pandas()
    except Exception as error:  # datasets, hub and http each have their own
        if required:
            raise DataError(
                f"{HUB_NAME} could not be loaded from the hub ({type(error).__name__}). Give the "
                "path of GLUE's dev.tsv, or 'reviews' for the course's own."
            ) from error
        print(f"{HUB_NAME} cannot be had here: these are the course's own reviews.")
        return None


def _read(path: Path) -> pd.DataFrame:
    kind = Path(path.name.removesuffix(".gz")).suffix
    if kind not in READERS:
        raise DataError(
            f"{str(path)!r} is no {', '.join(READERS)} file: give GLUE's dev.tsv or one like it, "
            f"{HUB_NAME!r}, or {OWN!r} for the course's own."
        )
    if not os.path.isfile(path):  # which never raises
        raise DataError(f"There is no file {path}. Check the spelling and the folder.")
    try:
        table = READERS[kind](path)
        names = ["label" if str(name).lower() in VALUES else "sentence" for name in table]
        if "label" in names:  # no header: the first review was taken for one
            table = READERS[kind](path, header=None, names=names)
        return table.astype(object)  # raises where text is damaged
    except Exception as error:  # pandas and pyarrow each have their own
        raise DataError(f"{path.name} cannot be read as {kind}: {error}") from error


def _tidy(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns sentence and label, whatever their usual names were."""
    usual = table.rename(columns=lambda column: str(column).strip().lower())
    usual = usual.loc[:, ~usual.columns.duplicated()]
    found = [
        next((name for name in choices if name in usual), None)
        for choices in (SENTENCE_COLUMNS, LABEL_COLUMNS)
    ]
    if None in found:
        raise DataError(
            f"{name} has the columns {list(table.columns)}: expected one of {SENTENCE_COLUMNS} "
            f"and one of {LABEL_COLUMNS}."
        )
    tidy = usual[found].set_axis(["sentence", "label"], axis=1).reset_index(drop=True)
    tidy = tidy.astype(object).where(tidy.notna(), "").astype(str).map(str.strip)
    for column in tidy:
        if (empty := tidy[column] == "").any():
            raise DataError(f"{name}, example {empty.idxmax() + 1}: the {column} is empty.")
    known = tidy.label.str.lower().map(VALUES)
    if (unknown := known.isna()).any():
        raise DataError(
            f"{name}, example {unknown.idxmax() + 1}: label {tidy.label[unknown.idxmax()]}; "
            "expected 1 (positive) or 0 (negative), or the words. SST-2's test set has -1: it has "
            "no labels and cannot be scored."
        )
    return tidy.assign(label=known)


def _with_split(table: pd.DataFrame, fixed: pd.Series | None = None) -> pd.DataFrame:
    """With its two halves; where the file has `fixed` ones, each is drawn from its own."""
    if len(table) < 2 * N_SCORED:
        raise DataError(
            f"{len(table)} examples: expected at least {2 * N_SCORED}, to score {N_SCORED} and "
            "choose neurons on others."
        )
    pool = table if fixed is None else table[fixed == "test"]
    scored = pool.sample(N_SCORED, random_state=SEED)
    test, again = table.index.isin(scored.index), table.sentence.isin(scored.sentence)
    select = ~again if fixed is None else fixed == "select"  # again: the label would be known
    halves = table.assign(split=np.where(test, "test", "select"))
    return halves[test | select].reset_index(drop=True)

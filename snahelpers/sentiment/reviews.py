"""Reviews with two labels: the SST-2 validation set, a file like it, or the course's own."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from snahelpers.errors import DataError
from snahelpers.files import read_text
from snahelpers.tasks import load_reviews

HUB_NAME, OWN = "stanfordnlp/sst2", "reviews"
N_SCORED, SEED = 200, 42  # the paper's section 6.1
SENTENCE_COLUMNS, LABEL_COLUMNS = ("sentence", "text", "review"), ("label", "sentiment")
VALUES = {"1": "positive", "0": "negative", "positive": "positive", "negative": "negative"}
# No value is taken for missing: "null" may be a review.
CSV = {"keep_default_na": False, "encoding": "utf-8-sig"}
READERS = {
    ".tsv": lambda path: pd.read_csv(path, sep="\t", quoting=3, **CSV),  # GLUE does not quote
    ".csv": lambda path: pd.read_csv(path, **CSV),
    ".parquet": pd.read_parquet,
}


def load_sst2(source: str | Path | None = None) -> pd.DataFrame:
    """The SST-2 validation set, or another set of reviews with two labels (section 6.1).

    200 examples, drawn with seed 42, are the "test" half, which is scored; the others are
    "select", for choosing neurons and configurations. No sentence stands in both.

    Args:
        source: "reviews" (the course's own, whose halves are fixed and which need no network), a
            file (GLUE's dev.tsv, csv or parquet), or "stanfordnlp/sst2". By default the file that
            the environment variable SNA_SST2 names, else the hub, else, with a word, "reviews".

    Returns:
        Columns sentence, label (positive or negative) and split.

    Raises:
        DataError: the file is not there or not readable, lacks a column, has an empty sentence or
            a label that is neither, or has too few examples.
    """
    source = source or os.environ.get("SNA_SST2") or None
    if source == OWN:
        return _own()
    if source is None or source == HUB_NAME:
        table = _from_hub(required=source is not None)
        return _own() if table is None else _with_split(_tidy(table, HUB_NAME))
    return _with_split(_tidy(_read(Path(source)), Path(source).name))


def _own() -> pd.DataFrame:
    reviews = load_reviews()[["sentence", "label", "split"]]
    scored = reviews[reviews.split == "test"].sample(N_SCORED, random_state=SEED).index
    kept = (reviews.split == "select") | reviews.index.isin(scored)
    return reviews[kept].reset_index(drop=True)


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
    if path.suffix not in READERS:
        raise DataError(
            f"{str(path)!r} is no {', '.join(READERS)} file: give GLUE's dev.tsv or one like it, "
            f"{HUB_NAME!r}, or {OWN!r} for the course's own."
        )
    if path.suffix != ".parquet" or not path.is_file():
        read_text(path)  # raises if it is not there or not UTF-8
    try:
        return READERS[path.suffix](path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as {path.suffix}: {error}") from error


def _tidy(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns sentence and label, whatever their usual names were."""
    columns = {str(column).strip().lower(): column for column in table.columns}
    found = [
        next((columns[usual] for usual in choices if usual in columns), None)
        for choices in (SENTENCE_COLUMNS, LABEL_COLUMNS)
    ]
    if None in found:
        raise DataError(
            f"{name} has the columns {list(table.columns)}: expected one of {SENTENCE_COLUMNS} "
            f"and one of {LABEL_COLUMNS}."
        )
    tidy = table[found].set_axis(["sentence", "label"], axis=1).reset_index(drop=True)
    tidy["sentence"] = tidy.sentence.astype(str).str.strip()
    if (empty := tidy.sentence == "").any():
        raise DataError(f"{name}, example {empty.idxmax() + 1}: the sentence is empty.")
    known = tidy.label.astype(str).str.strip().str.lower().map(VALUES)
    if (unknown := known.isna()).any():
        raise DataError(
            f"{name}, example {unknown.idxmax() + 1}: label {tidy.label[unknown.idxmax()]!s}; "
            "expected 1 (positive) or 0 (negative), or the words. SST-2's test set has -1: it has "
            "no labels and cannot be scored."
        )
    return tidy.assign(label=known)


def _with_split(table: pd.DataFrame) -> pd.DataFrame:
    if len(table) < 2 * N_SCORED:
        raise DataError(
            f"{len(table)} examples: expected at least {2 * N_SCORED}, to score {N_SCORED} and "
            "choose neurons on others."
        )
    scored = table.sample(N_SCORED, random_state=SEED)
    test = table.index.isin(scored.index)
    again = ~test & table.sentence.isin(scored.sentence)  # its label would be known in advance
    return table.assign(split=np.where(test, "test", "select"))[~again].reset_index(drop=True)

"""Tasks, neutral text and reviews, checked on reading; and their tokens, checked per model.

A task is a set of prompts with one right answer each, of one token or several (the paper's section
3.2). Its examples are split: neurons and configurations are chosen on "select" and reported on
"test".
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
import torch
from jaxtyping import Int
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import is_bos
from snahelpers.errors import (
    DataError,
    check_choice,
    check_range,
    checked,
    did_you_mean,
    listed,
    refuse,
)
from snahelpers.files import data_path, read_table, read_text
from snahelpers.frames import SPLITS

SOURCES = {
    "twelve": "tasks.csv",
    "english": "english.csv",
    "ladder": "ladder.csv",
    "planted": "planted.csv",
    "absent": "absent.csv",
}
NEUTRAL = {"minnow": "neutral.txt", "english": "neutral_english.txt"}
TASK_KEYS = ["task", "domain", "difficulty"]
TASK_COLUMNS = (*TASK_KEYS, "split", "prompt", "target")
REVIEW_VALUES = {
    "label": ("positive", "negative"),
    "clarity": ("clear", "mixed", "weak"),
    "split": SPLITS,
}
MAX_BATCH_TOKENS = 1024  # bounds the logits of a batch: about 200 MB at GPT-2's vocabulary


@checked
@dataclass(frozen=True)
class Example:
    """A prompt, and what rightly follows it, space included; `split` says what it is for."""

    prompt: str
    target: str
    split: Literal["select", "test"]


@checked
@dataclass(frozen=True)
class Task:
    """Examples that ask for the same thing; `domain` and `difficulty` say what and how hard."""

    name: str
    domain: str
    difficulty: str
    examples: Sequence[Example]

    def __post_init__(self) -> None:
        """Keep the examples as a tuple, whatever list they came in."""
        object.__setattr__(self, "examples", tuple(self.examples))

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.examples)

    @property
    def prompts(self) -> list[str]:
        """The examples' prompts, in their order."""
        return [example.prompt for example in self.examples]

    def split(self, name: Literal["select", "test"]) -> "Task":
        """The same task with only the examples of split `name`: "select" or "test"."""
        return replace(self, examples=tuple(e for e in self.examples if e.split == name))


@checked
def load_tasks(source: str | Path = "twelve") -> dict[str, Task]:
    """Read tasks from a CSV with the columns task, domain, difficulty, split, prompt, target.

    Args:
        source: "twelve" (the course's tasks), "english" (twelve in natural English, for real
            language models), "ladder" (made-up facts of known frequency), "planted" (the facts of
            `load_dimmed`), "absent" (their twin: as many facts that no model was taught), or a CSV
            file of your own. Each row is a prompt and its target, what rightly follows it, with the
            space before it; split is "select" or "test". Further columns are ignored.

    Returns:
        The tasks by name, in the order in which the file first names them.

    Raises:
        DataError: there is no such source, or a row is not usable; the message names the row.
    """
    path = data_path(SOURCES[source]) if source in SOURCES else Path(source)
    if not os.path.isfile(path) and path.suffix != ".csv":
        raise DataError(
            f"There are no tasks {str(source)!r}.{did_you_mean(str(source), SOURCES)} Name one of "
            f"{', '.join(SOURCES)}, or give the path of a CSV file."
        )
    table = read_table(path, TASK_COLUMNS)
    problems = [f"{path.name}, row {problem}" for problem in _row_problems(table)]
    refuse(problems, f"{path.name} has {len(problems)} problems:")
    _say_which_spaces_are_odd(path.name, table)
    tasks = {}
    for (name, domain, difficulty), part in table.groupby(TASK_KEYS, sort=False):
        columns = (part[name].tolist() for name in ("prompt", "target", "split"))
        tasks[name] = Task(name, domain, difficulty, tuple(map(Example, *columns)))
    return tasks


def _say_which_spaces_are_odd(name: str, table: pd.DataFrame) -> None:
    """Print how many targets follow their prompt with no space or two, which is seldom meant."""
    ends = table.prompt.str[-1] + table.target.str[0]
    if len(odd := table[ends.str.fullmatch("[A-Za-z0-9]{2}|  ")]):
        first = odd.iloc[0]
        print(
            f"{name}: {len(odd)} of {len(table)} targets follow their prompt without a space or "
            f"with two, the first in row {odd.index[0]}: {first.prompt[-40:] + first.target!r}. "
            "If a new word is meant, its space belongs to the target and not to the prompt: "
            f"{' ' + first.target.strip()!r}."
        )


def _row_problems(table: pd.DataFrame) -> list[str]:
    """What is wrong with which row of a table of tasks, in the order of the rows."""
    here = table.index.to_series()
    table = table.assign(
        row=here,
        first=here.groupby(table.task).transform("first"),
        earlier=here.groupby([table.task, table.prompt]).transform("first"),
    )
    kinds = table.loc[table["first"], ["domain", "difficulty"]].set_axis(table.index)
    problems = [
        (row.row, f"unknown split {row.split!r}. Use one of: {', '.join(SPLITS)}.")
        for row in table[~table.split.isin(SPLITS)].itertuples()
    ]
    for column in ("task", "prompt", "target"):
        problems += [(row, f"the {column} is empty.") for row in here[table[column] == ""]]
    for row in table[(table[["domain", "difficulty"]] != kinds).any(axis=1)].itertuples():
        domain, difficulty = kinds.loc[row.row]
        text = (
            f"task {row.task} is {domain}, {difficulty} in row {row.first} and {row.domain}, "
            f"{row.difficulty} here. Give all its rows the same values."
        )
        problems.append((row.row, text))
    for row in table[table.earlier != here].itertuples():
        text = (
            f"repeats the prompt of row {row.earlier} ({row.prompt!r}, task {row.task}). Remove "
            "one: a prompt counts once, in one split."
        )
        problems.append((row.row, text))
    ordered = sorted(problems, key=lambda problem: problem[0])
    return [f"{row}{'' if text.startswith('repeats') else ':'} {text}" for row, text in ordered]


def as_tasks(tasks: Mapping[str, Task] | Iterable[Task | str] | Task | str) -> list[Task]:
    """The tasks themselves, whichever way they were named.

    Raises:
        DataError: there is no such task, none is named, or one is named twice.
    """
    chosen, tasks = [], listed(tasks.values() if isinstance(tasks, Mapping) else tasks)
    twelve = {} if all(isinstance(task, Task) for task in tasks) else load_tasks()
    for task in tasks:
        if not isinstance(task, Task) and (not isinstance(task, str) or task not in twelve):
            raise DataError(
                f"There is no task {task!r}.{did_you_mean(str(task), twelve)} Name one of "
                f"{', '.join(twelve)}, or give what load_tasks returns."
            )
        chosen.append(twelve[task] if isinstance(task, str) else task)
    names = [task.name for task in chosen]
    if not names or len(set(names)) < len(names):
        raise DataError(f"The tasks are {names}: expected one or more, each once.")
    return chosen


@checked
def few(tasks: Mapping[str, Task], n: int) -> dict[str, Task]:
    """The same tasks with only the first n examples of each split: a quick look.

    Raises:
        SNAError: n is less than 1.
    """
    check_range("the number of examples", n, 1, 10**9)
    select, test = SPLITS
    return {
        name: replace(
            task, examples=task.split(select).examples[:n] + task.split(test).examples[:n]
        )
        for name, task in tasks.items()
    }


@checked
def load_neutral(source: str | Path = "minnow") -> list[str]:
    """Read neutral sentences, one a line (the reference text of the paper's section 3.1).

    Args:
        source: "minnow" (short sentences of the words that minnow knows), "english" (ordinary
            sentences, for real language models), or a text file of your own.

    Raises:
        DataError: the file is not there, not UTF-8, or has no text.
    """
    path = data_path(NEUTRAL[source]) if source in NEUTRAL else Path(source)
    texts = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not texts:
        raise DataError(f"{path.name} has no sentences: at least one neutral text is needed.")
    return texts


@checked
def load_reviews(path: str | Path | None = None) -> pd.DataFrame:
    """Read film reviews: columns sentence, label, clarity and split, one review a row.

    Raises:
        DataError: a column is missing or a row has a value that is not known.
    """
    path = data_path("reviews.csv") if path is None else Path(path)
    columns = ["sentence", *REVIEW_VALUES]
    reviews = read_table(path, columns)[columns]
    for row in reviews.itertuples():
        place = f"{path.name}, row {row.Index}: "
        if not row.sentence.strip():
            raise DataError(f"{place}the sentence is empty.")
        for column, choices in REVIEW_VALUES.items():
            check_choice(column, getattr(row, column), choices, place)
    return reviews.reset_index(drop=True)


class Batch(NamedTuple):
    """Texts of one length, so that nothing is padded.

    Padding on the right, the default for lists of texts, makes the last position a pad.

    Attributes:
        places: Where each text stands in the list that was given; on the CPU.
        tokens: What the model is fed: the text, with the beginning-of-sequence token, and of an
            answer all tokens but the last; on the model's device.
        answers: The answers' tokens, which are read at the last positions; of texts without
            answers there are none to read.
    """

    places: Int[torch.Tensor, " batch"]
    tokens: Int[torch.Tensor, "batch pos"]
    answers: Int[torch.Tensor, "batch read"]


def as_texts(texts: Collection[str]) -> list[str]:
    """Texts as a list, whatever several of them came in: a Series without its index, an array.

    Raises:
        DataError: there is none, it is a single text, or something is no text.
    """
    several = [] if isinstance(texts, str) else listed(texts)
    if not several or not all(isinstance(text, str) for text in several):
        raise DataError(f"Expected a list of at least one text, got {texts!r}.")
    return several


def text_batches(model: TransformerBridge, texts: Collection[str]) -> Iterator[Batch]:
    """Tokens of the texts in batches of equal length.

    Args:
        model: Gives the tokens, with the beginning-of-sequence token it is used to.
        texts: Any number, of any length; every one is checked before the first batch.

    Raises:
        DataError: no texts, an empty one, or one longer than the model's context.
    """
    rows = [_tokens(model, text) for text in as_texts(texts)]
    yield from _batches(model, [(row, row[:0]) for row in rows])


def answer_batches(model: TransformerBridge, examples: Sequence[Example]) -> Iterator[Batch]:
    """Tokens of the examples' prompts and answers, in batches of equal lengths of both.

    Raises:
        DataError: as `text_batches`, or an answer has no tokens of its own (all of them are
            named).
    """
    rows, problems = [], []
    for example in examples:
        try:
            rows.append(answer_tokens(model, example.prompt, example.target))
        except DataError as error:
            problems.append(str(error))
    name = model.cfg.model_name
    refuse(problems, f"{len(problems)} of {len(examples)} examples cannot be asked of {name}:")
    yield from _batches(model, rows)


def answer_tokens(
    model: TransformerBridge, prompt: str, target: str
) -> tuple[Int[torch.Tensor, " pos"], Int[torch.Tensor, " read"]]:
    """The prompt's tokens, and those that the answer adds to them in this context.

    What follows a prompt is tokenized with it: by itself many a tokenizer would make other tokens
    of it.

    Raises:
        DataError: the prompt is empty or too long, or is split into other tokens once the answer
            follows (the message says what to write instead).
    """
    start, whole = _tokens(model, prompt), _tokens(model, prompt + target)
    n = len(start)
    if len(whole) > n and torch.equal(whole[:n], start):
        return start, whole[n:]
    shared = int((start[: len(whole)] == whole[:n]).cumprod(0).sum())
    text = model.to_string(whole[:shared][~is_bos(model, whole[:shared])])
    hint = "Move the boundary to the beginning of a word."
    if text.strip() and (prompt + target).startswith(text) and len(text) < len(prompt + target):
        hint = f"Write {text!r} as the prompt and {(prompt + target)[len(text) :]!r} as the target."
    raise DataError(
        f"The prompt {prompt!r} and the target {target!r} share a token for "
        f"{model.cfg.model_name}: {_pieces(model, start)} becomes {_pieces(model, whole)}. {hint}"
    )


def _pieces(model: TransformerBridge, tokens: Int[torch.Tensor, " pos"]) -> list[str]:
    """The last few tokens as text."""
    return [model.to_string([token]) for token in tokens[-4:].tolist()]


def _batches(
    model: TransformerBridge,
    rows: Sequence[tuple[Int[torch.Tensor, " pos"], Int[torch.Tensor, " read"]]],
) -> Iterator[Batch]:
    """Texts and their answers in batches of equal lengths of both, the shortest first."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, (text, answer) in enumerate(rows):
        groups.setdefault((len(text), len(answer)), []).append(place)
    for (length, n_read), alike in sorted(groups.items()):
        for places in torch.tensor(alike).split(max(1, MAX_BATCH_TOKENS // (length + n_read))):
            texts, answers = (
                torch.stack(part) for part in zip(*(rows[i] for i in places), strict=True)
            )
            yield Batch(places, torch.cat([texts, answers[:, :-1]], dim=1), answers)


def _tokens(model: TransformerBridge, text: str) -> Int[torch.Tensor, " pos"]:
    if text != text.encode("utf-8", "replace").decode():
        raise DataError(f"{text[:40]!r} holds half a character, which no tokenizer reads.")
    tokens = model.to_tokens(text, truncate=False)[0]  # by default it is cut without a word
    if is_bos(model, tokens[1:]).any() and is_bos(model, tokens).any():  # the text had its own
        tokens = tokens[1:]
    if not text.strip() or is_bos(model, tokens).all():
        raise DataError(f"The prompt {text!r} is empty: give it at least one word.")
    if len(tokens) > model.cfg.n_ctx:
        raise DataError(
            f"The prompt {text[:40]!r}… is {len(tokens)} tokens long; {model.cfg.model_name} "
            f"reads at most {model.cfg.n_ctx}. Shorten it."
        )
    return tokens

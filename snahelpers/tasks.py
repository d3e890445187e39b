"""Tasks, neutral text and reviews, checked on reading; and their tokens, checked per model.

A task is a set of prompts with one right next token each (the paper's section 3.2). Its examples
are split: neurons and configurations are chosen on "select" and reported on "test".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import is_bos
from snahelpers.columns import SPLITS
from snahelpers.errors import DataError, check_choice, check_range, did_you_mean
from snahelpers.files import data_path, read_table, read_text

SOURCES = {"twelve": "tasks.csv", "ladder": "ladder.csv", "planted": "planted.csv"}
TASK_COLUMNS = ("task", "domain", "difficulty", "split", "prompt", "target")
REVIEW_VALUES = {
    "label": ("positive", "negative"),
    "clarity": ("clear", "mixed", "weak"),
    "split": SPLITS,
}
MAX_BATCH_TOKENS = 1024  # bounds the logits of a batch: about 200 MB at GPT-2's vocabulary


@dataclass(frozen=True)
class Example:
    """One prompt and its right next token, leading space included; `split` says what it is for."""

    prompt: str
    target: str
    split: str


@dataclass(frozen=True)
class Task:
    """Examples that ask for the same thing; `domain` and `difficulty` say what and how hard."""

    name: str
    domain: str
    difficulty: str
    examples: tuple[Example, ...]

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.examples)

    @property
    def prompts(self) -> list[str]:
        """The examples' prompts, in their order."""
        return [example.prompt for example in self.examples]

    def split(self, name: str) -> "Task":
        """The same task with only the examples of split `name`: "select" or "test"."""
        check_choice("split", name, SPLITS)
        return replace(self, examples=tuple(e for e in self.examples if e.split == name))


def load_tasks(source: str | Path = "twelve") -> dict[str, Task]:
    """Read tasks from a CSV with the columns task, domain, difficulty, split, prompt, target.

    Args:
        source: "twelve" (the course's tasks), "ladder" (made-up facts of known frequency),
            "planted" (the facts hidden in minnow-dimmed), or a CSV file of your own. Further
            columns are ignored.

    Returns:
        The tasks by name, in the order in which the file first names them.

    Raises:
        DataError: there is no such source, or a row is not usable; the message names the row.
    """
    path = data_path(SOURCES[source]) if source in SOURCES else Path(source)
    if not path.is_file() and path.suffix != ".csv":
        raise DataError(
            f"There are no tasks {str(source)!r}.{did_you_mean(str(source), SOURCES)} Name one of "
            f"{', '.join(SOURCES)}, or give the path of a CSV file."
        )
    table, found = read_table(path, TASK_COLUMNS), {}
    for row in table.itertuples():
        place = f"{path.name}, row {row.Index}"
        _check_row(place, row)
        first, examples = found.setdefault(row.task, (row, {}))
        if row.prompt in examples:
            earlier = table.index[(table.task == row.task) & (table.prompt == row.prompt)][0]
            raise DataError(
                f"{place} repeats the prompt of row {earlier} ({row.prompt!r}, task {row.task}). "
                "Remove one: a prompt counts once, in one split."
            )
        if (row.domain, row.difficulty) != (first.domain, first.difficulty):
            raise DataError(
                f"{place}: task {row.task} is {first.domain}, {first.difficulty} in row "
                f"{first.Index} and {row.domain}, {row.difficulty} here. Give all its rows the "
                "same values."
            )
        examples[row.prompt] = Example(row.prompt, row.target, row.split)
    return {
        name: Task(name, first.domain, first.difficulty, tuple(examples.values()))
        for name, (first, examples) in found.items()
    }


def as_tasks(tasks: Mapping[str, Task] | Iterable[Task | str] | Task | str) -> list[Task]:
    """The tasks themselves, whichever way they were named.

    Raises:
        DataError: there is no such task, none is named, or one is named twice.
    """
    if isinstance(tasks, Mapping):
        tasks = tasks.values()
    elif isinstance(tasks, (Task, str)):
        tasks = [tasks]
    chosen, twelve = [], load_tasks()
    for task in tasks:
        if not isinstance(task, Task) and task not in twelve:
            raise DataError(
                f"There is no task {task!r}.{did_you_mean(str(task), twelve)} Name one of "
                f"{', '.join(twelve)}, or give what load_tasks returns."
            )
        chosen.append(twelve[task] if isinstance(task, str) else task)
    names = [task.name for task in chosen]
    if not names or len(set(names)) < len(names):
        raise DataError(f"The tasks are {names}: expected one or more, each once.")
    return chosen


def few(tasks: Mapping[str, Task], n: int) -> dict[str, Task]:
    """The same tasks with only the first n examples of each split: a quick look.

    Raises:
        SNAError: n is less than 1.
    """
    check_range("the number of examples", n, 1, 10**9)
    first = {}
    for name, task in tasks.items():
        halves = [task.split(split).examples[:n] for split in SPLITS]
        first[name] = replace(task, examples=sum(halves, ()))
    return first


def load_neutral(path: str | Path | None = None) -> list[str]:
    """Read neutral sentences, one a line (the reference text of the paper's section 3.1).

    Raises:
        DataError: the file is not there, not UTF-8, or has no text.
    """
    path = data_path("neutral.txt") if path is None else Path(path)
    texts = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not texts:
        raise DataError(f"{path.name} has no sentences: at least one neutral text is needed.")
    return texts


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


def token_id(model: TransformerBridge, target: str) -> int:
    """The id of a target, its leading space included, that is one token for this model.

    Raises:
        DataError: it is several tokens, or none.
    """
    ids = model.to_tokens(target, prepend_bos=False, move_to_device=False).flatten().tolist()
    if len(ids) != 1:
        raise DataError(
            f"The target {target!r} is {len(ids)} tokens for {model.cfg.model_name}: "
            f"{[model.to_string([i]) for i in ids]}. Choose a target that is one token."
        )
    return int(ids[0])


class Batch(NamedTuple):
    """Texts of one length, so that nothing is padded.

    Padding on the right, the default for lists of texts, makes the last position a pad.

    Attributes:
        places: Where each text stands in the list that was given; on the CPU.
        tokens: What the model is fed, beginning-of-sequence token included; on its device.
        answers: The answers' tokens, which are read at the last positions; of texts without
            answers there are none to read.
    """

    places: Int[Tensor, " batch"]
    tokens: Int[Tensor, "batch pos"]
    answers: Int[Tensor, "batch read"]


def text_batches(model: TransformerBridge, texts: Sequence[str]) -> Iterator[Batch]:
    """Tokens of the texts in batches of equal length.

    Args:
        model: Gives the tokens, with the beginning-of-sequence token it is used to.
        texts: Any number, of any length; every one is checked before the first batch.

    Raises:
        DataError: no texts, an empty one, or one longer than the model's context.
    """
    if isinstance(texts, str) or not len(texts) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"Expected a list of at least one text, got {texts!r}.")
    rows = [_tokens(model, text) for text in texts]
    lengths = torch.tensor([len(row) for row in rows])
    for length in lengths.unique().tolist():  # the shortest first
        alike = (lengths == length).nonzero().flatten()
        for places in alike.split(max(1, MAX_BATCH_TOKENS // length)):
            tokens = torch.stack([rows[place] for place in places])
            yield Batch(places, tokens, tokens[:, :0])


def answer_batches(model: TransformerBridge, examples: Sequence[Example]) -> Iterator[Batch]:
    """Tokens of the examples' prompts in batches of equal length, with their answers.

    Raises:
        DataError: as `text_batches`, or a target is several tokens.
    """
    targets = torch.tensor([[token_id(model, example.target)] for example in examples])
    for batch in text_batches(model, [example.prompt for example in examples]):
        yield batch._replace(answers=targets[batch.places].to(batch.tokens.device))


def _tokens(model: TransformerBridge, prompt: str) -> Int[Tensor, " pos"]:
    tokens = model.to_tokens(prompt, truncate=False)[0]  # by default it is cut without a word
    if not prompt.strip() or is_bos(model, tokens).all():
        raise DataError(f"The prompt {prompt!r} is empty: give it at least one word.")
    if len(tokens) > model.cfg.n_ctx:
        raise DataError(
            f"The prompt {prompt[:40]!r}… is {len(tokens)} tokens long; {model.cfg.model_name} "
            f"reads at most {model.cfg.n_ctx}. Shorten it."
        )
    return tokens


def _check_row(place: str, row: tuple) -> None:
    check_choice("split", row.split, SPLITS, f"{place}: ")
    for column in ("task", "prompt", "target"):
        if not getattr(row, column).strip(" "):
            raise DataError(f"{place}: the {column} is empty.")
    if row.prompt.endswith((" ", "\t")):
        raise DataError(
            f"{place}: the prompt {row.prompt!r} ends in a space, which is a token of its own "
            "and hides the answer. Move the space to the front of the target."
        )
    if row.target[0].isalnum() and row.prompt[-1] not in "\n([{'\"":
        raise DataError(
            f"{place}: the target {row.target!r} has no space in front. Words inside a text "
            f"begin with theirs: write {' ' + row.target!r}."
        )

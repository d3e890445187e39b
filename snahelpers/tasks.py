"""Tasks, neutral text and reviews, checked on reading; and their tokens, checked per model.

A task is a set of prompts with one right next token each (the paper's section 3.2). Its examples
are split: neurons and configurations are chosen on "select" and reported on "test".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError, check_choice, did_you_mean
from snahelpers.files import data_path, read_rows, read_text
from snahelpers.models import is_bos

SPLITS = ("select", "test")
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
    tasks: dict[str, Task] = {}
    first_row: dict[tuple[str, str], int] = {}
    for number, row in read_rows(path, TASK_COLUMNS):
        place = f"{path.name}, row {number}"
        _check_row(place, row)
        earlier = first_row.setdefault((row["task"], row["prompt"]), number)
        if earlier != number:
            raise DataError(
                f"{place} repeats the prompt of row {earlier} ({row['prompt']!r}, task "
                f"{row['task']}). Remove one: a prompt counts once, in one split."
            )
        task = tasks.get(row["task"], Task(row["task"], row["domain"], row["difficulty"], ()))
        if (task.domain, task.difficulty) != (row["domain"], row["difficulty"]):
            raise DataError(
                f"{place}: task {task.name} is {task.domain}, {task.difficulty} in earlier rows "
                f"and {row['domain']}, {row['difficulty']} here. Give all its rows the same values."
            )
        example = Example(row["prompt"], row["target"], row["split"])
        tasks[task.name] = replace(task, examples=(*task.examples, example))
    return tasks


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
    rows = []
    for number, row in read_rows(path, columns):
        if not row["sentence"].strip():
            raise DataError(f"{path.name}, row {number}: the sentence is empty.")
        for column, choices in REVIEW_VALUES.items():
            check_choice(column, row[column], choices, f"{path.name}, row {number}: ")
        rows.append({column: row[column] for column in columns})
    return pd.DataFrame(rows, columns=columns)


def target_ids(model: TransformerBridge, task: Task) -> Int[Tensor, " example"]:
    """The token id of every example's target, in this model's vocabulary, on the CPU.

    Raises:
        DataError: a target is several tokens (they are shown), so it has no single probability.
    """
    return torch.tensor([token_id(model, example.target) for example in task.examples]).long()


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


def prompt_groups(
    model: TransformerBridge, prompts: Sequence[str]
) -> Iterator[tuple[Int[Tensor, " batch"], Int[Tensor, "batch pos"]]]:
    """Tokens of the prompts in batches of equal length, so that nothing is ever padded.

    Padding on the right, the default for lists of texts, makes the last position a pad.

    Args:
        model: Gives the tokens, with the beginning-of-sequence token it is used to.
        prompts: Any number of texts of any length; every one is checked before the first batch.

    Yields:
        The prompts' places in `prompts` (on the CPU) and their tokens (on the model's device).

    Raises:
        DataError: no prompts, an empty one, or one longer than the model's context.
    """
    if isinstance(prompts, str) or not len(prompts):
        raise DataError(f"Expected a list of at least one text, got {prompts!r}.")
    by_length: dict[int, list[tuple[int, Tensor]]] = {}
    for index, prompt in enumerate(prompts):
        tokens = _tokens(model, prompt)
        by_length.setdefault(len(tokens), []).append((index, tokens))
    for length, members in sorted(by_length.items()):
        size = max(1, MAX_BATCH_TOKENS // length)
        for start in range(0, len(members), size):
            indices, tokens = zip(*members[start : start + size], strict=True)
            yield torch.tensor(indices), torch.stack(tokens)


def _tokens(model: TransformerBridge, prompt: str) -> Int[Tensor, " pos"]:
    empty = DataError(f"The prompt {prompt!r} is empty: give it at least one word.")
    if not isinstance(prompt, str) or not prompt.strip():
        raise empty
    tokens = model.to_tokens(prompt, truncate=False)[0]  # by default it is cut without a word
    if is_bos(model, tokens).all():
        raise empty
    if len(tokens) > model.cfg.n_ctx:
        raise DataError(
            f"The prompt {prompt[:40]!r}… is {len(tokens)} tokens long; {model.cfg.model_name} "
            f"reads at most {model.cfg.n_ctx}. Shorten it."
        )
    return tokens


def _check_row(place: str, row: dict[str, str]) -> None:
    check_choice("split", row["split"], SPLITS, f"{place}: ")
    for column in ("task", "prompt", "target"):
        if not row[column].strip(" "):
            raise DataError(f"{place}: the {column} is empty.")
    if row["prompt"].endswith((" ", "\t")):
        raise DataError(
            f"{place}: the prompt {row['prompt']!r} ends in a space, which is a token of its own "
            "and hides the answer. Move the space to the front of the target."
        )
    if row["target"][0].isalnum() and row["prompt"][-1] not in "\n([{'\"":
        raise DataError(
            f"{place}: the target {row['target']!r} has no space in front. Words inside a text "
            f"begin with theirs: write {' ' + row['target']!r}."
        )

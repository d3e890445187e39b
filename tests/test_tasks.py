"""Data files are read whole or refused with a sentence that names file and row."""

import pytest
import torch

import factory
import snahelpers as sna
from snahelpers.tasks import answer_batches, few, text_batches

HEADER = "task,domain,difficulty,split,prompt,target\n"
ROW = "sums,maths,easy,select,Two plus two is, four\n"


def write(path, content: str | bytes):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def csv(tmp_path):
    return lambda content: write(tmp_path / "mine.csv", content)


def test_reads_tasks_in_order_and_keeps_text_as_it_is(csv):
    path = csv(
        "﻿task,gpt2_id,domain,difficulty,split,prompt,target\r\n"
        "sums,7,maths,easy,select,One plus one is, 2\r\n"
        'code,8,coding,hard,test,"def f(x):\n    return", x\r\n'
        "sums,9,maths,easy,test,NA plus null is, nan\r\n"
    )
    tasks = sna.load_tasks(path)
    assert list(tasks) == ["sums", "code"]
    assert tasks["sums"] == sna.Task(
        "sums",
        "maths",
        "easy",
        (
            sna.Example("One plus one is", " 2", "select"),
            sna.Example("NA plus null is", " nan", "test"),
        ),
    )
    assert tasks["code"].prompts == ["def f(x):\n    return"]


def test_split_keeps_only_its_examples():
    task = factory.task()
    assert len(task) == 5
    assert task.split("select").prompts == task.prompts[::2]
    assert task.split("test").prompts == task.prompts[1::2]
    with pytest.raises(sna.DataError, match=r"name='train' violates .*'select', 'test'"):
        task.split("train")


@pytest.mark.parametrize("target", [" four", "four", ")", "\n", '"', "13"])
def test_what_may_follow_a_prompt_is_the_tokenizers_business(csv, target):
    path = csv(HEADER + f'a,b,c,test,Two plus two is,"{target.replace(chr(34), chr(34) * 2)}"\n')
    assert sna.load_tasks(path)["a"].examples[0].target == target


def test_targets_that_run_into_their_prompt_are_told_and_kept(csv, capsys):
    sna.load_tasks(csv(HEADER + ROW + 'sums,maths,easy,test,"Say ""two",!\n'))
    assert capsys.readouterr().out == ""
    tasks = sna.load_tasks(csv(HEADER + ROW + "sums,maths,easy,test,Two plus one is,three\n"))
    said = capsys.readouterr().out
    assert "mine.csv: 1 of 2 targets" in said
    assert "in row 3: 'Two plus one isthree'" in said
    assert "' three'" in said
    assert tasks["sums"].examples[1].target == "three"
    sna.load_tasks(csv(HEADER + ROW + "sums,maths,easy,test,Two plus one is , three\n"))
    assert "1 of 2 targets" in capsys.readouterr().out


@pytest.mark.parametrize("source", ["twelve", "english", "ladder", "planted", "absent"])
def test_no_target_that_ships_runs_into_its_prompt(source, capsys):
    sna.load_tasks(source)
    assert capsys.readouterr().out == ""


def test_all_that_is_wrong_with_a_file_is_told_at_once(csv):
    rows = [ROW, ROW.replace("select", "train"), ROW.replace(" four", ""), "a,b\n"]
    with pytest.raises(sna.DataError) as wrong_lengths:
        sna.load_tasks(csv(HEADER + "".join([*rows, "a,b,c\n"])))
    assert "row 5: 2 values" in str(wrong_lengths.value) and "row 6: 3" in str(wrong_lengths.value)
    with pytest.raises(sna.DataError) as caught:
        sna.load_tasks(csv(HEADER + "".join(rows[:3])))
    told = str(caught.value)
    assert told.startswith("mine.csv has 4 problems:") and len(told.splitlines()) == 5
    for problem in ("unknown split 'train'", "repeats the prompt of row 2"):
        assert f"row 3: {problem}" in told or f"row 3 {problem}" in told
    assert "row 4: the target is empty" in told and "row 4 repeats" in told


def test_many_problems_are_counted_and_not_all_listed(csv):
    path = csv(
        HEADER + "".join(ROW.replace("Two", f"{i} Two").replace(" four", "") for i in range(90))
    )
    with pytest.raises(sna.DataError, match="has 90 problems") as caught:
        sna.load_tasks(path)
    assert "and 40 more" in str(caught.value)


def test_empty_rows_at_the_end_are_no_rows_and_semicolons_are_said(csv, capsys):
    read = sna.load_tasks(csv(HEADER + ROW + ",,,,,\n" * 3))
    assert len(read["sums"]) == 1 and capsys.readouterr().out == ""
    again = sna.load_tasks(csv((HEADER + ROW).replace(",", ";")))
    assert again == read and "semicolons" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lacks the column.*task, domain"),
        ("task,prompt\nsums,x\n", "mine.csv lacks the column.*domain, difficulty, split, target"),
        (HEADER.replace(",", "|"), "separated by commas"),
        (HEADER, "mine.csv has a header and no rows"),
        (HEADER + ROW + "sums,maths,easy,select,Two\n", "row 3: 5 values for 6 columns"),
        (HEADER + ROW.replace("Two plus two is", ""), "row 2: the prompt is empty"),
        (HEADER + ROW.replace(" four", ""), "row 2: the target is empty"),
        (HEADER + ROW.replace("sums", ""), "row 2: the task is empty"),
        (HEADER + ROW + ROW.replace("easy", "hard").replace("Two", "2"), "row 3: task sums is"),
        (HEADER + '"unclosed', "not a CSV row"),
        ('"' + HEADER, "not a CSV row"),
        (HEADER.replace("split", "task"), "lacks the column.*split"),
        (HEADER.replace("task", "task,task"), "names a column twice"),
        (
            (HEADER + ROW).encode() + "a,b,c,test,Café, x".encode("latin-1"),
            "0xe9.*line 3.*UTF-8",
        ),
        ((HEADER + ROW).encode("utf-16"), "but UTF-16: byte 0xff at position 0.*CSV UTF-8"),
    ],
)
def test_bad_tasks_are_refused_with_file_and_row(csv, content, message):
    with pytest.raises(sna.DataError, match=message):
        sna.load_tasks(csv(content))


def test_unknown_source_has_near_matches_and_a_missing_file_its_path():
    with pytest.raises(sna.DataError, match="Did you mean 'ladder'"):
        sna.load_tasks("lader")
    with pytest.raises(sna.DataError, match=r"no file nowhere.csv"):
        sna.load_tasks("nowhere.csv")


def test_neutral_is_one_text_a_line(tmp_path):
    path = write(tmp_path / "neutral.txt", "The sky is blue.\r\n\n  A door is shut. \n")
    assert sna.load_neutral(path) == ["The sky is blue.", "A door is shut."]


def test_no_neutral_text_is_refused(tmp_path):
    with pytest.raises(sna.DataError, match="at least one neutral text"):
        sna.load_neutral(write(tmp_path / "neutral.txt", "\n\n"))


def test_reviews_are_a_frame(tmp_path):
    path = write(
        tmp_path / "reviews.csv",
        'id,sentence,label,clarity,split\n1,"Slow, but kind.",positive,mixed,test\n',
    )
    frame = sna.load_reviews(path)
    assert frame.to_dict("records") == [
        {"sentence": "Slow, but kind.", "label": "positive", "clarity": "mixed", "split": "test"}
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Good.,postive,clear,test", "row 2: unknown label 'postive'. Did you mean 'positive'"),
        ("Good.,positive,vague,test", "row 2: unknown clarity 'vague'"),
        ("Good.,positive,clear,dev", "row 2: unknown split 'dev'"),
        (" ,positive,clear,test", "row 2: the sentence is empty"),
    ],
)
def test_bad_reviews_are_refused(tmp_path, row, message):
    path = write(tmp_path / "reviews.csv", f"sentence,label,clarity,split\n{row}\n")
    with pytest.raises(sna.DataError, match=message):
        sna.load_reviews(path)


def test_a_few_are_the_first_of_each_half():
    tasks = {"tiny": factory.task()}
    some = few(tasks, 1)
    assert some["tiny"].prompts == factory.PROMPTS[:2] and len(tasks["tiny"]) == 5
    assert sorted(few(tasks, 100)["tiny"].prompts) == sorted(factory.PROMPTS)
    with pytest.raises(sna.SNAError, match="number of examples 0 is out of range"):
        few(tasks, 0)


@pytest.mark.parametrize("family", factory.DENSE)
def test_answers_are_the_vocabularys_and_stay_with_their_prompts(family):
    model, seen = factory.load(family), {}
    for places, tokens, answers in answer_batches(model, factory.task().examples):
        assert answers.dtype == torch.long and answers.shape == (len(places), 1)
        for place, row, answer in zip(places.tolist(), tokens, answers, strict=True):
            assert torch.equal(row, model.to_tokens(factory.PROMPTS[place])[0])
            seen[place] = model.to_string(answer)
    assert [seen[place] for place in range(len(seen))] == factory.TARGETS


def test_batches_are_of_equal_length_and_hold_every_text_once():
    model = factory.load("gpt2")
    seen = []
    for places, tokens, answers in text_batches(model, factory.PROMPTS):
        seen += places.tolist()
        assert answers.shape == (len(places), 0)
        for place, row in zip(places.tolist(), tokens, strict=True):
            assert torch.equal(row, model.to_tokens(factory.PROMPTS[place])[0])
    assert sorted(seen) == list(range(len(factory.PROMPTS)))


def test_batches_are_bounded():
    batches = list(text_batches(factory.load("gpt2"), ["The cat sat"] * 1000))
    assert max(batch.tokens.numel() for batch in batches) <= 1024
    assert torch.cat([batch.places for batch in batches]).tolist() == list(range(1000))


@pytest.mark.parametrize("family", ["gpt2", "neox"])  # with and without a token at the beginning
@pytest.mark.parametrize("texts", [[], "The cat", [""], ["A dog", "  "], [None]])
def test_no_text_is_refused(family, texts):
    with pytest.raises(sna.DataError, match=r"is empty|at least one text"):
        list(text_batches(factory.load(family), texts))


def test_the_token_at_the_beginning_is_no_text():
    with pytest.raises(sna.DataError, match="is empty"):
        list(text_batches(factory.load("gpt2"), [factory.END]))


def test_a_prompt_may_fill_the_context_and_not_exceed_it():
    model = factory.load("neox")
    fits = "The" + " cat" * (factory.CONTEXT - 1)
    [batch] = text_batches(model, [fits])
    assert batch.tokens.shape == (1, factory.CONTEXT)
    said = f"65 tokens long; neox reads at most {factory.CONTEXT}"
    with pytest.raises(sna.DataError, match=said):
        list(text_batches(model, [fits + " cat"]))

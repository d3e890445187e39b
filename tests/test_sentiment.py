"""Reviews are read with their labels and classified without; zones and tests are exact."""

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest

import factory
import snahelpers as sna
from snahelpers import sentiment
from snahelpers.sentiment import arms, contrast, pairs, sweep_arms

WORDS = ("cat", "dog", "hill", "town", "river", "mat", "sea", "rain")
SENTENCES = [f"the {a} and the {b}, {n}" for n in range(7) for a in WORDS for b in WORDS]
N = len(SENTENCES)
LABELS = [i % 3 % 2 for i in range(N)]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("SNA_SST2", raising=False)


@pytest.fixture(scope="module")
def minnow():
    return sna.load_model()


@pytest.fixture(scope="module")
def own():
    return sentiment.load_sst2("reviews")


@pytest.fixture
def tiny(monkeypatch):
    """A model of random weights whose vocabulary has no " positive": two words stand in."""
    monkeypatch.setattr(sentiment, "LABELS", ("mat", "hill"))
    monkeypatch.setattr(sentiment, "PROMPT", "The {} sat on the")
    return factory.load("gpt2")


def table(sentence="sentence", label="label", labels=LABELS) -> pd.DataFrame:
    return pd.DataFrame({sentence: SENTENCES, label: labels})


def tsv(folder, frame=None):
    """As GLUE ships it: tab-separated, unquoted."""
    path = folder / "dev.tsv"
    rows = table() if frame is None else frame
    path.write_text("\n".join("\t".join(map(str, row)) for row in [rows.columns, *rows.to_numpy()]))
    return path


# Reading


def written(frame, path, **options):
    """The frame in the form that the file's name says."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif ".jsonl" in path.suffixes:
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, sep="\t" if ".tsv" in path.suffixes else ",", index=False, **options)
    return path


FORMS = [".tsv", ".csv", ".jsonl", ".parquet", ".tsv.gz", ".csv.gz", ".jsonl.gz"]


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize(
    "names", [("sentence", "label"), ("Text", "Sentiment"), ("review", "label")]
)
def test_columns_are_found_under_their_usual_names(tmp_path, suffix, names):
    frame = table(*names).assign(idx=range(N))
    path = written(frame, tmp_path / f"reviews{suffix}")
    reviews = sentiment.load_sst2(path)
    assert list(reviews) == ["sentence", "label", "split"]
    assert reviews.sentence.tolist() == SENTENCES
    assert reviews.label.tolist() == [("negative", "positive")[label] for label in LABELS]


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("form", [float, bool, lambda label: ("neg", "pos")[label]])
def test_labels_may_be_numbers_truths_or_short_words(tmp_path, suffix, form):
    frame = table(labels=[form(label) for label in LABELS])
    reviews = sentiment.load_sst2(written(frame, tmp_path / f"reviews{suffix}"))
    assert reviews.label.tolist() == [("negative", "positive")[label] for label in LABELS]


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".csv.gz"])
@pytest.mark.parametrize("order", [["sentence", "label"], ["label", "sentence"]])
def test_a_header_may_be_missing(tmp_path, suffix, order):
    path = written(table()[order], tmp_path / f"reviews{suffix}", header=False)
    assert sentiment.load_sst2(path).sentence.tolist() == SENTENCES


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("column", ["sentence", "label"])
def test_what_is_missing_is_told_with_its_place(tmp_path, suffix, column):
    frame = table().astype(object)
    frame.loc[4, column] = None
    path = written(frame, tmp_path / f"reviews{suffix}")
    with pytest.raises(sna.DataError, match=f"example 5: the {column} is empty"):
        sentiment.load_sst2(path)


def test_labels_may_be_words_and_sentences_may_look_like_missing_values(tmp_path):
    frame = table(labels=["Positive" if label else "negative" for label in LABELS])
    frame.loc[:2, "sentence"] = ["null", 'a " quote', "N/A"]
    reviews = sentiment.load_sst2(tsv(tmp_path, frame))
    assert reviews.sentence[:3].tolist() == ["null", 'a " quote', "N/A"]
    assert set(reviews.label) == {"positive", "negative"}


def test_the_environment_names_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SNA_SST2", str(tsv(tmp_path)))
    assert len(sentiment.load_sst2()) == N
    assert len(sentiment.load_sst2("reviews")) == 500  # what is asked for by name comes first


def test_200_are_scored_the_same_every_time(tmp_path):
    first, second = sentiment.load_sst2(tsv(tmp_path)), sentiment.load_sst2(tsv(tmp_path))
    assert first.equals(second)
    assert (first.split == "test").sum() == 200
    drawn = pd.Series(range(N)).sample(200, random_state=42).sort_values()
    assert first.index[first.split == "test"].tolist() == drawn.tolist()


def test_the_courses_own_keep_their_halves(own):
    halves = sna.load_reviews().set_index("sentence").split
    assert own.split.value_counts().to_dict() == {"select": 300, "test": 200}
    assert (halves[own.sentence].to_numpy() == own.split).all()
    assert own.equals(sentiment.load_sst2("reviews"))


def test_a_scored_sentence_is_never_one_to_choose_by(tmp_path):
    doubled = pd.concat([table(), table()])
    reviews = sentiment.load_sst2(tsv(tmp_path, doubled))
    scored = set(reviews.sentence[reviews.split == "test"])
    assert not scored & set(reviews.sentence[reviews.split == "select"])
    assert (reviews.split == "test").sum() == 200


@pytest.mark.parametrize(
    "frame, message",
    [
        (table(label="stars"), r"columns \['sentence', 'stars'\].*'label', 'sentiment'"),
        (table(sentence="words"), r"expected one of \('sentence', 'text', 'review'\)"),
        (table(labels=[-1] * N), "example 1: label -1; expected 1 .positive.*test set"),
        (table(labels=[*LABELS[:-1], "good"]), f"example {N}: label good"),
        (
            table().assign(sentence=["fine", " ", *SENTENCES[2:]]),
            "example 2: the sentence is empty",
        ),
        (table().head(399), "399 examples: expected at least 400"),
    ],
)
def test_what_is_no_sst2_is_refused_with_what_was_expected(tmp_path, frame, message):
    with pytest.raises(sna.DataError, match=message):
        sentiment.load_sst2(tsv(tmp_path, frame))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("missing.tsv", None, "There is no file"),
        ("missing.parquet", None, "There is no file"),
        ("reviews.xlsx", b"PK", r"no \.tsv, \.csv, \.jsonl, \.parquet file: give GLUE's dev"),
        (
            "latin.tsv",
            "sentence\tlabel\ncaf\u00e9\t1".encode("latin-1"),
            "latin.tsv cannot be read as .tsv: .utf-8. codec",
        ),
        ("broken.parquet", b"not parquet", "cannot be read as .parquet"),
        (
            "broken.csv",
            b'sentence,label\na,1\n"b,c,d\n',
            "broken.csv cannot be read as .csv: .*row 2",
        ),
        ("empty.csv", b"", "empty.csv cannot be read as .csv: No columns"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(sna.DataError, match=message):
        sentiment.load_sst2(tmp_path / name)


def test_the_hub_is_asked_for_the_validation_set(monkeypatch):
    asked = []

    def load_dataset(*args, **kwargs):
        asked.append((args, kwargs))
        return datasets.Dataset.from_pandas(table().assign(idx=range(N)))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert sentiment.load_sst2().sentence.tolist() == SENTENCES
    assert asked == [(("stanfordnlp/sst2",), {"split": "validation"})]


def test_without_a_hub_there_is_a_word_and_the_courses_own(monkeypatch, capsys, own):
    def offline(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    assert sentiment.load_sst2().equals(own)
    assert "course's own" in capsys.readouterr().out
    with pytest.raises(sna.DataError, match=r"ConnectionError.*dev\.tsv"):
        sentiment.load_sst2("stanfordnlp/sst2")


# Answering


def test_margins_are_the_papers_formula(tiny):
    sentences = SENTENCES[:30]
    table = sentiment.classify(tiny, sentences)
    ids = [tiny.to_single_token(f" {word}") for word in sentiment.LABELS]
    for sentence, row in zip(sentences, table.itertuples(), strict=True):
        tokens = tiny.to_tokens(sentiment.PROMPT.format(sentence))
        p, n = tiny(tokens)[0, -1].softmax(-1)[ids].double().tolist()
        assert row.margin == pytest.approx(abs(p - n) / (p + n), abs=1e-5)
        assert row.logit_diff == pytest.approx(np.log(p / n), abs=1e-5)
        assert row.p_labels == pytest.approx(p + n, abs=1e-6)
        assert row.predicted == sentiment.LABELS[0 if p > n else 1]


def test_both_edges_belong_to_zone_2():
    margins = np.array([0.0, 0.2999, 0.30, 0.45, 0.60, 0.6001, 1 - 1e-9])
    for sign in (1, -1):
        zones = sentiment.decide(sign * 2 * np.arctanh(margins)).zone
        assert zones.tolist() == [1, 1, 2, 2, 2, 3, 3]


def test_a_bias_is_taken_off_every_review(tiny):
    plain, calibrated = (sentiment.classify(tiny, SENTENCES[:9], bias=b) for b in (0.0, 0.7))
    assert (plain.logit_diff - calibrated.logit_diff).to_numpy() == pytest.approx(0.7)
    assert calibrated.p_labels.equals(plain.p_labels)


def test_calibration_takes_off_what_reviews_without_content_get(tiny):
    bias = sentiment.label_bias(tiny)
    empty = sentiment.classify(tiny, sentiment.CONTENT_FREE, bias=bias)
    assert empty.logit_diff.mean() == pytest.approx(0, abs=1e-6)


def test_empty_reviews_are_refused(tiny):
    with pytest.raises(sna.DataError, match="empty"):
        sentiment.classify(tiny, ["fine", " "])


def test_labels_of_several_tokens_count_as_the_product_of_them(tiny, monkeypatch):
    monkeypatch.setattr(sentiment, "LABELS", ("positive", "negative"))
    sentences = ["fine", "a dog ran"]
    found = sentiment.classify(tiny, sentences)
    logp = []
    for label in sentiment.LABELS:
        asked = [sna.Example(text, f" {label}", "test") for text in sentiment.prompts(sentences)]
        frame = sna.measure(tiny, sna.Task("labels", "", "", tuple(asked)))
        logp.append(np.log(frame.p.to_numpy()))
    assert found.logit_diff.to_numpy() == pytest.approx(logp[0] - logp[1], abs=1e-3)


def test_gold_labels_of_the_scored_part_change_no_answer_and_no_neuron(minnow, own):
    scored = own.split == "test"
    some = pd.concat([own[~scored].head(60), own[scored].head(40)])
    shuffled = some.copy()
    shuffled.loc[shuffled.split == "test", "label"] = (
        some.label[some.split == "test"].sample(frac=1, random_state=1).to_numpy()
    )
    assert not shuffled.equals(some)

    def answers(reviews):
        scores = contrast(minnow, reviews)
        sets = arms(pairs(scores), 8)
        sentences = list(reviews.sentence[reviews.split == "test"])
        with sna.amplify(minnow, sna.Amplification(8, sets["both"], 4.0)):
            after = sentiment.classify(minnow, sentences, bias=sentiment.label_bias(minnow))
        return sets, pd.concat([sentiment.classify(minnow, sentences), after])

    (sets, said), (sets_again, said_again) = answers(some), answers(shuffled)
    assert said.equals(said_again)
    assert all(torch.equal(sets[arm], sets_again[arm]) for arm in sets)


def test_the_labels_of_the_part_to_choose_by_do_matter(minnow, own):
    some = own[own.split == "select"].head(40)
    swapped = some.assign(label=some.label.map({"positive": "negative", "negative": "positive"}))
    difference = contrast(minnow, some) + contrast(minnow, swapped)
    assert difference.abs().max() < 1e-5


def test_the_arms_are_two_tails_and_both():
    scores = torch.arange(12.0).reshape(1, 12)
    sets = {arm: neurons.tolist() for arm, neurons in arms(pairs(scores, k=2), 0).items()}
    assert sets == {"positive": [11, 10], "negative": [0, 1], "both": [11, 10, 0, 1]}
    with pytest.raises(sna.SNAError, match="each of two tails 7 is out of range: expected 1 to 6"):
        pairs(scores, k=7)


# Labels of one token and of several.
@pytest.mark.parametrize("labels", [("mat", "hill"), ("positive", "negative")])
@pytest.mark.parametrize("family", ["gpt2", "neox", "llama", "gemma2"])
def test_the_fast_grid_says_what_amplify_says(tiny, family, labels, monkeypatch):
    monkeypatch.setattr(sentiment, "LABELS", labels)
    model, sentences = factory.load(family), SENTENCES[:12]
    scores = torch.randn(3, model.cfg.d_mlp, generator=torch.Generator().manual_seed(1))
    both = pairs(scores, k=4)
    found = sweep_arms(model, sentences, both, [0, 2], [2.0, 12.0])
    assert len(found) == 12
    for (arm, layer, multiplier), table in found.items():
        with sna.amplify(model, sna.Amplification(layer, arms(both, layer)[arm], multiplier)):
            plain = sentiment.classify(model, sentences)
        assert table.logit_diff.to_numpy() == pytest.approx(plain.logit_diff.to_numpy(), abs=1e-3)


# Scoring


def said(*logit_diffs) -> pd.DataFrame:
    return sentiment.decide(np.array(logit_diffs, dtype=float))


def test_compare_counts_flips_both_ways():
    before = said(0.1, -0.1, 0.2, 0.5, 1.0, 3.0, -3.0)
    after = said(-0.1, 0.1, -0.2, 0.5, -1.0, 3.0, -3.0)
    gold = ["negative", "positive", "positive", "positive", "positive", "positive", "positive"]
    table = sentiment.compare(before, after, gold).set_index("zone")
    assert table.index.tolist() == [1, 2, 3, "all"]
    assert table.n.tolist() == [4, 1, 2, 7]
    assert table.fixed.tolist() == [2, 0, 0, 2] and table.broken.tolist() == [1, 1, 0, 2]
    assert table.before.tolist() == pytest.approx([2 / 4, 1, 1 / 2, 4 / 7])
    assert table.after.tolist() == pytest.approx([3 / 4, 0, 1 / 2, 4 / 7])
    assert table.gain.tolist() == pytest.approx([25, -100, 0, 0])


def test_intervals_and_p_are_exact():
    rng = np.random.default_rng(0)
    before, after = said(*rng.normal(0, 0.3, 80)), said(*rng.normal(0, 0.3, 80))
    gold = rng.choice(sentiment.LABELS, 80)
    row = sentiment.compare(before, after, gold).set_index("zone").loc["all"]
    was, now = before.predicted == gold, after.predicted == gold
    fixed, broken = int((now & ~was).sum()), int((was & ~now).sum())
    interval = binomtest(int(now.sum()), 80).proportion_ci(0.95, method="exact")
    assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
    assert row.p == pytest.approx(binomtest(fixed, fixed + broken, 0.5).pvalue)
    assert row.fixed == fixed and row.broken == broken


def test_empty_zones_are_left_out_and_nothing_moved_has_p_1():
    table = sentiment.compare(said(0.1, -0.1), said(0.1, -0.1), ["positive", "positive"])
    assert table.zone.tolist() == [1, "all"] and table.p.tolist() == [1, 1]


@pytest.mark.parametrize("gold", [["positive"], ["positive", "good"]])
def test_labels_that_do_not_fit_are_refused(gold):
    with pytest.raises(sna.DataError, match="for each of the 2 reviews"):
        sentiment.compare(said(0.1, 0.2), said(0.1, 0.2), gold)

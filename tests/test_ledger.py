"""The paper's claims are sound; a status follows from a criterion and a measured value alone."""

import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

import evidence
import make_ledger
import snahelpers as sna
from ledger import (
    FAILS,
    HOLDS,
    KINDS,
    MEASURED,
    NAMES,
    UNKNOWN,
    as_markdown,
    holds,
    judge,
    load_claims,
)
from snahelpers import interference

CLAIMS = load_claims()
CRITERIA = CLAIMS[CLAIMS.criterion != ""].set_index("id")
DOMAINS = ("maths", "poetry", "coding", "logic")
LEVELS = ("easy", "medium", "hard")
HEADER = "id,section,claim,value,unit,model,kind,measure,criterion"


def sweep(
    effect, base=lambda domain, level: 0.01, *, examples=None, layers=range(4), counts=(3, 5)
):
    """A sweep in which `effect(domain, level, layer, example)` is what log-odds are raised by."""
    rows = []
    cases = itertools.product(DOMAINS, LEVELS, ("select", "test"), range(examples or 1), layers)
    for (domain, level, split, example, layer), n_neurons in itertools.product(cases, counts):
        p, delta = base(domain, level), effect(domain, level, layer, example)
        post = p * np.exp(delta) / (1 - p + p * np.exp(delta))
        rows.append(
            dict(model="toy", task=f"{domain}_{level}", domain=domain, difficulty=level)
            | dict(split=split, method="found", example=example, layer=layer, n_neurons=n_neurons)
            | dict(multiplier=2.0, p_base=p, p_post=post, pct_improvement=100 * (post - p) / p)
            | dict(delta_logodds=delta, rank_base=9, rank_post=7, entropy_base=2, entropy_post=1)
        )
    frame = pd.DataFrame(rows)
    return frame if examples else frame.drop(columns="example")


def spread(domain, level):
    """Baselines that fall into Zone 1 and Zone 3, twelve different ones."""
    return 0.004 * 1.6 ** (3 * DOMAINS.index(domain) + LEVELS.index(level))


def changes(effect):
    """Changes by amplified domain, depth and measured domain: two prompts each, all alike."""
    rows = [
        dict(
            amplified=amplified, depth=depth, domain=domain, task=f"{domain}_easy", example=example
        )
        | dict.fromkeys(interference.OUTCOMES, effect(amplified, depth, domain))
        | dict(loss=np.nan, weight=1)
        for amplified, depth, domain, example in itertools.product(
            DOMAINS, ("early", "late"), DOMAINS, range(2)
        )
    ]
    return pd.DataFrame(rows)


def sentiment_tables(gains):
    """Tables as from `compare` of several configurations: gain in Zone 1 by (layer, multiplier)."""
    rows = []
    for (layer, multiplier), gain in gains.items():
        for zone, n, before, plus in ((1, 20, 0.4, gain), (2, 20, 0.7, 0), (3, 10, 0.9, 0)):
            after = before + plus / 100
            rows.append((zone, n, before, after, after - 0.1, after + 0.1, plus))
        rows.append(("all", 50, 0.62, 0.62 + 0.004 * gain, 0.5, 0.9, 0.4 * gain))
        for row in range(len(rows) - 4, len(rows)):
            rows[row] += ("both", layer, multiplier)
    columns = "zone n before after low high gain arm layer multiplier".split()
    return pd.DataFrame(rows, columns=columns)


def sentiment(gains, chosen=("both", 11, 12.0)):
    shares = dict(overlap=53.0, contrast_overlap=0.0, zone1_by_p=100.0)
    return evidence.measure_sentiment(sentiment_tables(gains), chosen, 12, **shares)


def everything():
    """What all the functions measure on made-up tables."""
    frame = sweep(lambda domain, level, layer, _: 0.1 * layer, spread)
    singles = sweep(lambda domain, level, layer, example: 0.1 * layer, spread, examples=2)
    own = [evidence.measure_sweep(frame), evidence.measure_layers(singles)]
    other = [table.assign(measure="other_" + table.measure, on="another") for table in own]
    more = [evidence.measure_interference(changes(lambda *_: -0.1)), sentiment({(11, 12.0): 40.0})]
    return [*own, *other, *more]


def numbers(table):
    return table.set_index("measure").value


def row(measure, value, low=np.nan, high=np.nan):
    return pd.DataFrame([(measure, value, low, high, 12, "by hand")], columns=MEASURED)


def status(claim, table):
    return judge("toy", table).set_index("id").status[claim]


def grid(criterion, paper):
    """Values and intervals around all numbers that a criterion may compare with."""
    literals = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", criterion)]
    around = {0.0, *literals, *(-number for number in literals)}
    if np.isfinite(paper):
        around |= {paper, *(paper + x for x in list(around)), paper / 3, paper * 3}
    values = sorted({number + step for number in around for step in (-2, -0.001, 0, 0.001, 2)})
    widths = (0.0, 0.005, 0.6, 4.0)
    rows = [
        (value, value - down, value + up, paper, down, up)
        for value, down, up in itertools.product(values, widths, widths)
    ]
    frame = pd.DataFrame(rows, columns=[*NAMES, "down", "up"])
    return frame.assign(holds=frame.eval(criterion, engine="python"))


@pytest.mark.parametrize("claim", CRITERIA.index)
def test_a_criterion_can_fail_and_a_wider_interval_never_helps(claim):
    found = grid(CRITERIA.criterion[claim], CRITERIA.value[claim])
    assert set(found.holds) == {True, False}
    for side, other in (("down", "up"), ("up", "down")):
        wider = found.pivot(index=["value", other], columns=side, values="holds").astype(int)
        assert (np.diff(wider, axis=1) <= 0).all()


def test_claims_tell_where_they_stand_and_of_what():
    assert len(CLAIMS) >= 50 and CLAIMS.id.is_unique
    assert CLAIMS.section.str.fullmatch(r"abstract|\d(\.\d)?").all()
    assert CLAIMS.claim.str.endswith(".").all()
    assert set(CLAIMS.model) == {"GPT-2 Medium", "GPT-2 Small and Medium", "Pythia-160M"}
    assert set(CLAIMS.kind) == set(KINDS)
    assert CLAIMS[CLAIMS.kind == "number"].value.notna().all()


def test_of_two_numbers_that_contradict_each_other_at_most_one_holds():
    for pair in (
        ["sst_gain_591", "sst_gain_573"],
        ["zone2_tasks", "zone2_almost"],
        ["multiplier_max_sweep", "multiplier_max_method"],
        ["pythia_layer", "pythia_depth"],
    ):
        one, two = (CRITERIA.loc[name] for name in pair)
        assert one.measure == two.measure
        assert holds(one.criterion, **dict.fromkeys(NAMES, one.value))
        values = np.arange(-1, 70, 0.1).round(1)
        table = pd.DataFrame(dict.fromkeys(NAMES, values))
        told = [table.assign(paper=x.value).eval(x.criterion, engine="python") for x in (one, two)]
        assert not (told[0] & told[1]).any()


def test_every_quantity_that_a_claim_needs_is_measured():
    assert set(CRITERIA.measure) <= set(pd.concat(everything()).measure)


def test_a_status_turns_with_the_measured_value_alone():
    assert status("zone1_tasks", row("zone1_tasks", 5)) == HOLDS
    assert status("zone1_tasks", row("zone1_tasks", 6)) == FAILS
    assert status("zone1_tasks", row("zone1_tasks", np.nan)) == UNKNOWN
    assert status("zone1_tasks", row("zone3_tasks", 5)) == UNKNOWN
    assert status("spearman_negative", row("spearman_best_pct", -0.7, -0.9, -0.1)) == HOLDS
    assert status("spearman_negative", row("spearman_best_pct", -0.7, -0.9, 0.1)) == FAILS
    assert status("spearman_negative", row("spearman_best_pct", -0.7)) == UNKNOWN  # no high
    assert status("reversible", row("", 1.0)) == UNKNOWN  # what nothing measures


def test_the_ledger_says_on_what_and_how():
    table = judge("toy", row("zone1_tasks", 5), row("other_maths_p_min", 0.1).assign(on="b"))
    table = table.set_index("id")
    assert list(table.index) == list(CLAIMS.id)
    assert table.loc["zone1_tasks", ["paper", "value", "n", "on", "method"]].tolist() == [
        *(5.0, 5.0, 12.0, "", "by hand")
    ]
    assert table.on["pythia_p_min"] == "b" and table.on["spearman"] == ""
    assert set(judge("toy").status) == {UNKNOWN}


def test_a_sweep_in_numbers_worked_out_by_hand():
    def effect(domain, level, layer, _):
        return 0.1 * (1 + (domain == "maths")) * (1 + layer)  # best at the last layer

    got = numbers(evidence.measure_sweep(sweep(effect, spread)))
    p = pd.Series([spread(domain, level) for domain in DOMAINS for level in LEVELS])
    push = np.array([0.2] * 3 + [0.1] * 9)

    def pct(layer):
        post = 1 / (1 + (1 - p) / p * np.exp(-push * (1 + layer)))
        return 100 * (post / p - 1)

    best, mean = pct(3), sum(pct(layer) for layer in range(4)) / 4
    assert got.configurations == 12 * 4 * 2 and got.configurations_per_task == 8
    assert got.tasks == 12 and got.largest_multiplier == 2
    low, high = p < 0.07, p > 0.10
    assert (got.zone1_tasks, got.zone3_tasks) == (low.sum(), high.sum())
    assert got.zone2_tasks == 12 - low.sum() - high.sum()
    near = pytest.approx
    assert got.zone1_mean_pct == near(mean[low].mean())
    assert got.zone1_best_pct == near(best[low].mean())
    assert got.zone1_peak_pct == near(best[low].max())
    assert got.zone3_peak_pct == near(best[high].max())
    every = pd.concat([pct(layer)[high] for layer in range(4)])
    assert got.zone3_share_above_7 == near((every > 7).mean())
    assert got.zone1_less_zone3_best_pct == near(best[low].mean() - best[high].mean())
    assert got.zone1_less_zone3_best_logodds == near(4 * (push[low].mean() - push[high].mean()))
    assert got.spearman_best_pct == near(p.corr(best, method="spearman"))
    assert got.pearson_mean_pct == near(p.corr(mean))
    assert got.spearman_best_pct_squared == near(got.spearman_best_pct**2)
    some = [p.drop(i).corr(best.drop(i), method="spearman") for i in range(12)]
    assert got.spearman_without_a_task == near(max(some))
    some = [
        p.drop(range(i, i + 3)).corr(best.drop(range(i, i + 3)), method="spearman")
        for i in range(0, 12, 3)
    ]
    assert got.spearman_without_a_domain == near(max(some))
    assert (got.maths_p_min, got.maths_p_max) == (near(p[0]), near(p[2]))
    assert got.logic_zone3_tasks == high[9:].sum() and got.maths_zone1_tasks == low[:3].sum()
    assert got.coding_mean_pct == near(mean[6:9].mean()) and got.maths_success_rate_min == 1
    assert got.poetry_tasks_with_8_points == (p[3:6] >= 0.08).sum()
    assert got.poetry_coding_at_8_pct == near(pct(1)[3:9].mean())  # layer 1 of 4: 8/23 of the depth
    shares = sna.decompose(sweep(effect, spread)).set_index("factor").share
    assert got.share_baseline_less_domain == near(shares.baseline - shares.domain)


def test_zones_without_tasks_are_not_measured_rather_than_zero():
    got = evidence.measure_sweep(
        sweep(lambda *_: 0.1, lambda domain, level: 0.01 + len(level) / 1000)
    )
    got = got.set_index("measure")
    assert got.value.zone3_tasks == 0
    for name in ("zone3_peak_pct", "zone3_share_above_7", "zone1_less_zone3_best_pct"):
        assert np.isnan(got.value[name])


@pytest.mark.filterwarnings("error")
def test_one_domain_alone_can_be_measured():
    singles = sweep(lambda domain, level, layer, example: 0.1 * layer, spread, examples=2)
    maths = singles[singles.domain == "maths"]
    got = numbers(evidence.measure_sweep(sna.task_level(maths)))
    assert got.maths_zone1_tasks == got.tasks == 3 and got.maths_p_min == spread("maths", "easy")
    assert np.isnan(got.spearman_without_a_domain) and np.isnan(got.poetry_coding_at_8_pct)
    assert numbers(evidence.measure_layers(maths)).layer_maths == 23


def test_layers_are_told_of_24():
    peaks = {"maths": 1, "poetry": 2, "coding": 3, "logic": 0}

    def effect(domain, level, layer, example):
        moved = domain == "logic" and level == "hard"  # the only one that difficulty moves
        return -abs(layer - peaks[domain] - moved) * (0.1 + example)

    table = evidence.measure_layers(sweep(effect, examples=3)).set_index("measure")
    for domain in ("maths", "poetry", "coding"):
        at = pytest.approx(23 * peaks[domain] / 3)
        assert table.loc[f"layer_{domain}", ["value", "low", "high"]].tolist() == [at] * 3
    assert table.value.domains_of_one_layer == 3 and table.value.layer_maths_range == 0
    assert table.value.layer_logic_range == pytest.approx(23 / 3)
    assert table.value.layer_coding_less_deepest_other == pytest.approx(23 / 3)
    assert table.value.layer_share_maths_less_poetry == 0
    assert table.n.layer_maths == 3 * 2 * 3 and table.n.layer_all == 72


def test_interference_is_what_the_named_domains_do_to_each_other():
    def effect(amplified, depth, domain):
        if (amplified, depth, domain) == ("maths", "early", "poetry"):
            return -0.10
        if (amplified, depth, domain) == ("poetry", "late", "maths"):
            return -0.02
        return {"early": 0.03, "late": 0.01}[depth] if amplified != domain else 5.0

    got = evidence.measure_interference(changes(effect)).set_index("measure")
    assert got.value.maths_early_on_poetry_points == pytest.approx(-10)
    assert got.value.maths_early_on_poetry_logodds == pytest.approx(-0.10)
    assert got.value.poetry_late_on_maths_logodds == pytest.approx(-0.02)
    assert got.value.maths_early_less_poetry_late == pytest.approx(-0.08)
    early, late = (
        (11 * 0.03 - 0.10) / 12,
        (11 * 0.01 - 0.02) / 12,
    )  # twelve pairs, no domain on itself
    assert got.value.early_less_late_logodds == pytest.approx(early - late)
    assert got.n.maths_early_on_poetry_points == 2 and got.n.early_less_late_logodds == 8


def test_sentiment_of_the_chosen_and_of_all_configurations():
    gains = {(0, 4.0): -10.0, (0, 12.0): 0.0, (11, 4.0): 0.0, (11, 12.0): 40.0}
    got = sentiment(gains, chosen=("both", 0, 4.0)).set_index("measure")
    value = got.value
    assert (value.sst_n, value.sst_zone1_n, value.sst_zone3_n) == (50, 20, 10)
    assert value.sst_zone1_before == pytest.approx(40)
    assert value.sst_smallest_rise == pytest.approx(20)
    assert value.sst_zone1_chosen_gain == -10 and value.sst_zone1_peak_gain == 40
    ends = got.loc["sst_zone1_chosen_gain", ["low", "high"]].tolist()
    assert ends == [pytest.approx(-20), pytest.approx(0)]  # the accuracy's interval less 0.4
    assert (value.sst_best_layer, value.sst_best_multiplier) == (23, 12)
    assert value.sst_layers_that_gain == 1 and value.sst_zone3_unmoved == 100
    assert value.sst_configurations == 4 == value.sst_layers_times_multipliers
    assert (value.sst_overlap, value.sst_contrast_overlap, value.sst_zone1_by_p) == (53, 0, 100)
    assert "sst_best_layer" not in numbers(sentiment({(11, 12.0): 0.0}))  # nowhere a gain


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,4.1,x.,1,,G,number,m,value < 1\na,4.1,x.,1,,G,number,m,value < 1", "row 3: id 'a'"),
        ("a,4.1,x.,1,,G,nummer,m,value < 1", "unknown kind 'nummer'"),
        ("a,4.1,x.,one,,G,number,m,value < 1", "value 'one' is not a number"),
        ("a,4.1,x.,1,,G,number,m,", "give both or neither"),
        ("a,4.1,x.,1,,G,number,,value < 1", "give both or neither"),
        ("a,4.1,,1,,G,number,m,value < 1", "claim is empty"),
        ("a,4.1,x.,,,G,ordering,m,value < paper", "uses paper, but there is no value"),
        ("a,4.1,x.,1,,G,number,m,paper == 1", "uses nothing measured"),
        ("a,4.1,x.,1,,G,number,m,value + 1", "has to be true or false"),
        ("a,4.1,x.,1,,G,number,m,value <", "cannot be evaluated"),
        ("a,4.1,x.,1,,G,number,m,value = 1", "is not understood"),
        ("a,4.1,x.,1,,G,number,m,value < 9**9", "is not understood"),
        ("a,4.1,x.,1,,G,number,m,@exit(value)", "is not understood"),
        ("a,4.1,x.,1,,G,number,m,value.real < 1", "is not understood"),
    ],
)
def test_a_claim_that_is_none_is_named(tmp_path, line, told):
    path = tmp_path / "claims.csv"
    path.write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    with pytest.raises(sna.DataError, match=re.escape(told)):
        load_claims(path)


def test_tables_that_are_none_are_named():
    with pytest.raises(sna.DataError, match="no column method"):
        judge("toy", row("zone1_tasks", 1).drop(columns="method"))
    with pytest.raises(sna.DataError, match="'zone1_tasks' was measured twice"):
        judge("toy", row("zone1_tasks", 1), row("zone1_tasks", 2))
    with pytest.raises(sna.DataError, match=r"\('both', 3, 12.0\) is not among"):
        sentiment({(11, 12.0): 1.0}, chosen=("both", 3, 12.0))
    table = changes(lambda *_: 0.1)
    with pytest.raises(sna.DataError, match="no column depth"):
        evidence.measure_interference(table.drop(columns="depth"))
    with pytest.raises(sna.DataError, match=r"maths.*amplify maths and poetry"):
        evidence.measure_interference(table[table.amplified != "maths"])
    with pytest.raises(sna.DataError, match="at least 3"):
        evidence.measure_sweep(sweep(lambda *_: 0.1).query("task == 'maths_easy'"))


def test_the_page_names_the_model_and_escapes_what_would_break_a_table():
    table = judge("a|b_c", row("zone1_tasks", 5), row("maths_p_min", 0.00234567, 0.001, 0.004))
    table.loc[table.id == "zone1_tasks", "claim"] = "one | two\n<b>*three*</b>"
    page = as_markdown(table)
    assert "Measured on a\\|b\\_c." in page and "no replication" in page
    assert r"one \| two \<b\>\*three\*\</b\>" in page
    assert r"0.00235 \[0.001, 0.004\]" in page
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len(lines) == len(CLAIMS) + 2
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {9}
    counts = table.status.value_counts()
    assert all(f"{name}: {n}" in page for name, n in counts.items())
    assert "nan" not in page and "| 27.85 % |" in page  # the paper's digits


def test_every_model_has_two_columns_of_its_own():
    first = judge("minnow", row("zone1_tasks", 5), row("maths_p_min", 0.002))
    second = judge("smollm2", row("zone1_tasks", 4).assign(on="another"))
    page = as_markdown(first, second)
    [line] = [line for line in page.splitlines() if "Five tasks are in Zone 1." in line]
    cells = [cell.strip() for cell in line.strip("|").split(" | ")]
    assert cells[4] == "5 (n = 12)" and cells[6] == "4 (n = 12, on another)"
    assert [cells[5], cells[7]] == [
        t.status[t.measure == "zone1_tasks"].iloc[0] for t in (first, second)
    ]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The tool's page and cache, in a folder of the test's own."""
    monkeypatch.setattr(make_ledger, "ROOT", tmp_path)
    monkeypatch.setattr(make_ledger, "PAGE", tmp_path / "claims.md")
    monkeypatch.setattr(make_ledger, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(make_ledger, "KEPT", tmp_path)
    return tmp_path


def randomised():
    """minnow's shape and tokenizer, its weights drawn by chance, small as before any training."""
    model = sna.load_model("minnow")
    torch.manual_seed(0)
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.normal_(std=0.02)
    return model


def test_random_weights_are_told_by_their_guessing():
    assert make_ledger.looks_random(randomised())
    assert not make_ledger.looks_random(sna.load_model("minnow"))


def test_the_shipped_sweep_is_taken_for_its_own_model_and_tasks_only():
    tasks, model = sna.load_tasks(), sna.load_model("minnow")
    assert len(make_ledger.shipped_sweep(model, tasks)) > 0
    assert make_ledger.shipped_sweep(randomised(), tasks) is None
    assert make_ledger.shipped_sweep(model, dict(list(tasks.items())[:3])) is None
    assert make_ledger.shipped_sweep(sna.load_model("minnow-seed1"), tasks) is None


@pytest.mark.parametrize(("trained", "reduced"), [(True, False), (False, False), (True, True)])
def test_only_a_whole_run_of_a_trained_model_writes_the_page(
    places, monkeypatch, capsys, trained, reduced
):
    model = sna.load_model("minnow") if trained else randomised()
    monkeypatch.setattr(sna, "load_model", lambda name: model)
    monkeypatch.setattr(make_ledger.Sweep, "run", lambda self: sweep(lambda *_: 0.1, examples=2))
    monkeypatch.setattr(make_ledger.Sweep, "seconds", lambda self: 90.0)
    monkeypatch.setattr(make_ledger, "from_interference", lambda *_: row("m", 1.0))
    monkeypatch.setattr(make_ledger, "from_sentiment", lambda *_: row("another", 1.0))
    monkeypatch.setattr(make_ledger, "measured_sweep", lambda *_: [row("zone1_tasks", 5.0)])
    page = make_ledger.make("minnow", reduced)
    told = capsys.readouterr().out
    assert "About 1.5 minutes" in told
    whole = trained and not reduced
    assert (places / "claims.md").exists() == whole == (page == places / "claims.md")
    assert ("claims.md will be left as it is" in told) == (not whole)
    assert ("random weights" in told) == (not trained)
    assert page.exists() and "minnow" in page.read_text(encoding="utf-8")


def test_the_papers_model_brings_pythia_along(places, monkeypatch):
    model, asked = sna.load_model("minnow"), []
    monkeypatch.setattr(sna, "load_model", lambda name: asked.append(name) or model)
    monkeypatch.setattr(make_ledger.Sweep, "run", lambda self: len(self.tasks))
    monkeypatch.setattr(make_ledger.Sweep, "seconds", lambda self: 1.0)
    monkeypatch.setattr(make_ledger, "from_interference", lambda *_: row("m", 1.0))
    monkeypatch.setattr(make_ledger, "from_sentiment", lambda *_: row("another", 1.0))
    monkeypatch.setattr(
        make_ledger, "measured_sweep", lambda n, *_: [row("maths_p_min", 0.0002 * n)]
    )
    text = make_ledger.make("gpt2-medium", reduced=True).read_text(encoding="utf-8")
    assert asked == ["gpt2-medium", "EleutherAI/pythia-160m"]
    assert "| 0.0024 (n" in text and "| 0.0006 (n" in text  # of twelve tasks, and of maths


def test_all_of_it_end_to_end_and_again_from_the_cache(places, monkeypatch, capsys):
    model = randomised()
    monkeypatch.setattr(sna, "load_model", lambda name: model)
    tasks = make_ledger.some_tasks("minnow", True)
    easy = {name: task for name, task in tasks.items() if "easy" in name}
    monkeypatch.setattr(make_ledger, "some_tasks", lambda name, reduced: easy)
    monkeypatch.setattr(make_ledger, "MULTIPLIERS", (12.0,))
    page = make_ledger.make("minnow", reduced=True)
    text = page.read_text(encoding="utf-8")
    assert page.parent == places / "cache" and not (places / "claims.md").exists()
    assert HOLDS in text and FAILS in text and "the course's reviews" in text
    [kept] = (places / "cache").glob("*.parquet")
    assert len(pd.read_parquet(kept)) == 4 * 2 * make_ledger.REDUCED * model.cfg.n_layers
    again = make_ledger.Sweep(model, easy, make_ledger.some_grid(True), "reduced")
    assert again.out == kept and again.seconds() == 0


# The chapters and the page were measured apart; they have to say the same.

ROOT = Path(__file__).resolve().parents[1]
DEPTH = 23 / 11  # minnow's layers, as layers of 24
AGREE = [
    ("spearman", "03", r"best gain in %, on select: (\S+)", 1),
    ("confidence_predicts", "03", r"best gain in log-odds, on select: (\S+)", 1),
    ("layer_maths", "04", r"\n0 +maths +(\d+)(?: +\S+){6}", DEPTH),
    ("layer_poetry", "04", r"\n1 +poetry +(\d+)(?: +\S+){6}", DEPTH),
    ("layer_coding", "04", r"\n2 +coding +(\d+)(?: +\S+){6}", DEPTH),
    ("layer_logic", "04", r"\n3 +logic +(\d+)(?: +\S+){6}", DEPTH),
    ("maths_costs_poetry", "05", r"early maths on poetry: (\S+) points", 1),
    ("sst_zone1_n", "06", r"Zone 1, (\d+) reviews", 1),
    ("sst_zone1_improves", "06", r"Zone 1, .*: chosen neurons (\S+) points", 1),
    ("sst_gain_591", "06", r"\n1 +\S+ +\S+ +(\S+)\n2 +\S+ +\S+ +\S+\n3 ", 1),
]


def printed(number: str) -> str:
    """All that the cells of a chapter print as text."""
    [path] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    outputs = [
        o for cell in json.loads(path.read_text("utf-8"))["cells"] for o in cell.get("outputs", [])
    ]
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join("".join(text) for text in texts)


@pytest.mark.parametrize(("claim", "number", "pattern", "scale"), AGREE, ids=lambda v: str(v)[:20])
def test_chapters_print_what_the_page_says(claim, number, pattern, scale):
    text = load_claims().set_index("id").claim[claim]
    [row] = [
        line
        for line in (ROOT / "docs" / "claims.md").read_text("utf-8").splitlines()
        if text in line.replace("\\", "")
    ]
    on_page = float(re.match(r"[-\d.,]+", row.split(" | ")[4])[0].replace(",", ""))
    found = {value.rstrip(":;,") for value in re.findall(pattern, printed(number))}
    assert len(found) == 1, f"notebook {number} prints {found}"
    [value] = found
    rounding = 0.5 * 10 ** -len(value.partition(".")[2]) + 0.005 * abs(on_page)
    assert abs(float(value) * scale - on_page) <= rounding * scale


def verdict(number: str) -> dict[str, list[str]]:
    """The last table of a chapter: what it says of each question."""
    [path] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", [])]
    *_, table = (o.data["text/html"] for o in outputs if "text/html" in o.get("data", {}))
    rows = re.findall(r"<th>(.*?)</th>((?:\s*<td>.*?</td>)+)", table)
    return {question: re.findall("<td>(.*?)</td>", cases) for question, cases in rows}


def test_notebook_08_answers_the_questions_of_07_as_07_does():
    first, both = verdict("07"), verdict("08")
    assert len(first) == 4 and first == {question: both[question] for question in first}

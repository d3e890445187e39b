"""Measure what notebook 11 shows: data/results/beyond-*.parquet, by data/protocol_beyond.md.

    python tools/make_beyond.py minnow              all tables of minnow, some minutes
    python tools/make_beyond.py smollm2             those of the real language model, an hour
    python tools/make_beyond.py minnow zone2        only this one

Every table holds both models, told apart by `base`: a run replaces the rows of its own. What takes
long is kept in a folder beside the tables until they are written; a stopped run goes on there.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna
from make_results import FOLDER, SIX, SMALL, few_selected, keep
from snahelpers.amplification import output_weights
from snahelpers.frames import CONFIGURATION, SPLITS
from snahelpers.neurons import attributions, draw_of
from snahelpers.scoring import log_odds, repetition, token_losses
from snahelpers.tasks import answer_batches

WORK = FOLDER / "beyond-in-progress"
PLANTED = 0.4  # how far the planted circuit is dimmed
STEP = 0.1  # to both sides of 1, for the curvature
COUNTS = {"minnow": (5, 10, 25), "smollm2": (10,)}
TRIES = (1, 2, 3, 5, 8, 12)
DECIDING = ("planted", "maths_easy", "poetry_easy", "logic_hard")  # what beats norm_matched there
FEW_PLANTED = 6  # prompts on which SmolLM2's planted facts are swept
SEARCHED = 100  # of these configurations are judged on test as well
DRAWS = {"minnow": 10, "smollm2": 5}
HIGH = {"minnow": (1.5, 2.5, 4.0, 8.0, 12.0), "smollm2": (2.5, 12.0)}  # multipliers
LENGTHS = {"minnow": (20, 192), "smollm2": (4, 512)}  # how many texts, of how many tokens
PIECES, LONG_DRAWS = 8, {"minnow": 2, "smollm2": 1}
WRITTEN, NEW_TOKENS = {"minnow": 4, "smollm2": 2}, 64  # prompts, and what is written to each
JUDGED = {"minnow": None, "smollm2": 12}  # prompts of "test", in stories 3 and 4
CHAT_TASKS, CHAT_PROMPTS = ("maths_easy", "poetry_easy", "coding_easy", "logic_easy"), 8
CHAT_GRID = replace(SIX, counts=(10,))
Changes = pd.DataFrame  # one row an example


# What every story needs


@cache
def model_of(name: str) -> TransformerBridge:
    return sna.load_model(name)


@cache
def dimmed(name: str) -> TransformerBridge:
    return sna.load_dimmed(PLANTED, name)


def neutral(name: str) -> list[str]:
    return sna.load_neutral("english" if name == "smollm2" else "minnow")


def natural(name: str) -> dict[str, sna.Task]:
    """The twelve tasks of a model, as its whole grid was swept on them."""
    return sna.load_tasks() if name == "minnow" else few_selected()


def planted(name: str) -> sna.Task:
    """The planted facts; for SmolLM2 with fewer prompts to choose on."""
    task = sna.load_tasks("planted")["planted"]
    select, test = (task.split(split).examples for split in SPLITS)
    return task if name == "minnow" else replace(task, examples=select[:FEW_PLANTED] + test)


@cache
def on_neutral(name: str, model: TransformerBridge) -> torch.Tensor:
    return sna.mean_activations(model, neutral(name))


@cache
def scores_of(name: str, model: TransformerBridge, task: sna.Task) -> torch.Tensor:
    """The paper's: on "select" less on neutral text."""
    return sna.mean_activations(model, task.split("select").prompts) - on_neutral(name, model)


@cache
def unchanged(model: TransformerBridge, task: sna.Task) -> pd.DataFrame:
    return sna.measure(model, task)


def changes(model: TransformerBridge, task: sna.Task, *pushes: sna.Amplification) -> Changes:
    """What amplifying does to each example: example, p_base, p_post, delta_logodds."""
    before = unchanged(model, task)
    with sna.amplify(model, *pushes):
        after = sna.measure(model, task)
    columns = {
        "p_base": before.p,
        "p_post": after.p,
        "delta_logodds": after.logodds - before.logodds,
    }
    return pd.DataFrame(columns).rename_axis("example").reset_index()


def matched(
    model: TransformerBridge, task: sna.Task, push: sna.Amplification, seed: int
) -> sna.Amplification:
    """The same amplification of random neurons that are as loud on the task's "select" prompts."""
    means = sna.mean_activations(model, task.split("select").prompts)[push.layer].abs()
    sizes = means * sna.output_norms(model)[push.layer]
    chosen = torch.tensor(push.neurons)
    others = sna.matched_neurons(chosen, sizes, draw_of(push.layer, seed))
    return replace(push, neurons=others)


def contest_of(name: str) -> pd.DataFrame:
    return pd.read_parquet(FOLDER / f"{name}-contest.parquet")


def winner(name: str, task: str) -> sna.Amplification:
    """A natural task's own winner in the contest, by the paper's choice of neurons."""
    rows = contest_of(name)
    rows = rows[(rows.model == name) & (rows.method == "differential") & (rows.task == task)]
    layer, k, multiplier = rows[CONFIGURATION].iloc[0]
    scores = scores_of(name, model_of(name), all_tasks(name)[task])
    neurons = sna.top_neurons(scores, int(layer), int(k))
    return sna.Amplification(int(layer), neurons, float(multiplier))


def all_tasks(name: str) -> dict[str, sna.Task]:
    return sna.load_tasks() if name == "minnow" else sna.load_tasks("english")


def judged_on(name: str, task: sna.Task) -> sna.Task:
    """Its "test", or as much of it as there is time for."""
    test = task.split("test")
    return replace(test, examples=test.examples[: JUDGED[name]])


# 1. Choose in two passes


def cases(name: str) -> Iterator[tuple[TransformerBridge, dict[str, sna.Task], pd.DataFrame]]:
    """Models and tasks with their whole sweeps: the natural ones, then the planted facts."""
    yield model_of(name), natural(name), pd.read_parquet(FOLDER / f"{name}.parquet")
    yield dimmed(name), {"planted": planted(name)}, planted_sweep(name)


def planted_sweep(name: str) -> pd.DataFrame:
    """The paper's whole grid on the planted facts: on minnow both splits, else "select"."""
    model, task = dimmed(name), planted(name)
    split = SPLITS if name == "minnow" else "select"
    file = WORK / f"planted-{name}.parquet"
    return sna.sweep(model, task, split=split, neutral=neutral(name), out=file)


def whole_planted(name: str) -> pd.DataFrame:
    """That sweep, and of SmolLM2's some configurations on "test", for a search by chance."""
    frame = planted_sweep(name)
    if name != "minnow":
        model, task = dimmed(name), planted(name)
        scores, test = scores_of(name, model, task), task.split("test")
        some = frame.sample(SEARCHED, random_state=0)
        rows = []
        for row in some.itertuples():
            neurons = sna.top_neurons(scores, row.layer, row.n_neurons)
            found = changes(model, test, sna.Amplification(row.layer, neurons, row.multiplier))
            rows.append(found[["p_base", "p_post", "delta_logodds"]].mean())
        judged = some.assign(split="test", **pd.DataFrame(rows, index=some.index))
        frame = pd.concat([frame, judged])
    keep = ["model", "task", "split", *CONFIGURATION, "p_base", "p_post", "delta_logodds"]
    return frame[keep]


def slopes(name: str) -> pd.DataFrame:
    """For the paper's neurons what predicts their gain: mean difference, slope, bend.

    The gain of a multiplier m is about slope · (m − 1) + bend · (m − 1)².
    """
    rows, curves = [], []
    for model, tasks, _ in cases(name):
        for task in tasks.values():
            scores = scores_of(name, model, task)
            rises = attributions(model, task.split("select"))
            for layer in range(model.cfg.n_layers):
                for k in COUNTS[name]:
                    neurons = sna.top_neurons(scores, layer, k)
                    told = scores[layer, neurons].mean().item(), rises[layer, neurons].sum().item()
                    rows.append((model.cfg.model_name, task.name, layer, k, *told))
        near = sna.Grid(counts=COUNTS[name], multipliers=(1 - STEP, 1 + STEP))
        file = WORK / f"near-{model.cfg.model_name.replace(' ', '')}.parquet"
        swept = sna.sweep(
            model, tasks, near, split="select", neutral=neutral(name), out=file, progress=False
        )
        keys = ["model", "task", "layer", "n_neurons"]
        both = swept.groupby(keys, sort=False, observed=True).delta_logodds.sum() / (2 * STEP**2)
        curves.append(both.rename("bend").reset_index())
    columns = ["model", "task", "layer", "n_neurons", "difference", "slope"]
    return pd.DataFrame(rows, columns=columns).merge(pd.concat(curves))


def suggested(name: str) -> pd.DataFrame:
    """On "test", example by example: the whole sweep's winner (tries 0), and suggestions."""
    parts = []
    for model, tasks, whole in cases(name):
        best = sna.summarize(full_columns(whole)).set_index("task")
        n_layers, n_swept = model.cfg.n_layers, model.cfg.n_layers * 84
        for task in tasks.values():
            if name == "smollm2" and task.name not in DECIDING:
                continue
            row = best.loc[task.name]
            neurons = sna.top_neurons(scores_of(name, model, task), row.layer, row.n_neurons)
            pushes = {0: (n_swept, sna.Amplification(row.layer, neurons, row.multiplier))}
            table = sna.suggest(model, task, tries=n_layers)
            slope = (table.first_order / (table.multiplier - 1)).rank(ascending=False)
            for tries in sorted({*TRIES, n_layers}):
                top = table[slope <= tries].iloc[0]
                push = sna.Amplification(top.layer, top.neurons, top.multiplier)
                pushes[tries] = 5 + tries, push
            test = task.split("test")
            effects = {push: changes(model, test, push) for _, push in pushes.values()}
            for tries, (cost, push) in pushes.items():
                labels = dict(model=model.cfg.model_name, task=task.name, tries=tries, cost=cost)
                labels |= dict(layer=push.layer, n_neurons=len(push.neurons))
                found = effects[push]
                parts.append(found.assign(swept=n_swept, multiplier=push.multiplier, **labels))
            print(f"suggested: {model.cfg.model_name}, {task.name}")
    return pd.concat(parts, ignore_index=True)


def full_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """A sweep with test rows of the winners alone is none of "test" to `summarize`."""
    return frame[frame.split == "select"]


# 2. Zone 2 on purpose


def zone2(name: str) -> pd.DataFrame:
    """The tasks that lie in Zone 2 by construction, and random neurons that push as hard."""
    english = name == "smollm2"
    tasks = sna.load_tasks(sna.data_path("zone2_english.csv" if english else "zone2.csv"))
    methods = ["differential", *(["absolute"] if english else []), "norm_matched"]
    (WORK / f"zone2-{name}").mkdir(parents=True, exist_ok=True)
    frame = sna.contest(
        model_of(name), tasks, SIX if english else SMALL, methods=methods, draws=DRAWS[name],
        neutral=neutral(name), out=WORK / f"zone2-{name}",
    )  # fmt: skip
    keys = ["model", "task", "split", "method", "draw", "example", *CONFIGURATION]
    return frame[[*keys, "p_base", "p_post", "delta_logodds"]]


# 3. Several at once


PAIRED = {  # one task a domain
    "minnow": ("maths_hard", "poetry_hard", "coding_hard", "logic_hard"),
    "smollm2": ("maths_hard", "poetry_hard", "coding_hard", "logic_hard"),
}
TOGETHER_DRAWS = {"minnow": 5, "smollm2": 2}
SECOND = sna.data_path("models", "minnow-second")  # a second circuit, to be planted in minnow


def together(name: str) -> pd.DataFrame:
    """Tasks amplified in pairs: each by its winner, and both at the first one's layer.

    At one layer the two choices may share neurons, which are multiplied twice (`same layer`), or
    the second takes its next ones (`disjoint`). Conditions: `alone`, `partner`, `both`, and with
    random neurons in the partner's place `stand-in` and `control`.
    """
    model, parts = model_of(name), two_circuits() if name == "minnow" else []
    tasks = {task: all_tasks(name)[task] for task in PAIRED[name]}
    scores = {task: scores_of(name, model, tasks[task]) for task in tasks}
    for task, other in permutations(tasks, 2):
        own = winner(name, task)
        free = scores[other].clone()
        free[own.layer, list(own.neurons)] = -1e9
        partners = {
            "own layers": winner(name, other),
            "same layer": at_layer(scores[other], own),
            "disjoint": at_layer(free, own),
        }
        for where, partner in partners.items():
            parts.append(pair(name, model, tasks[task], own, tasks[other], partner, where))
        print(f"together: {name}, {task} and {other}")
    return pd.concat(parts, ignore_index=True)


def three(name: str) -> pd.DataFrame:
    """As `together`, with two partners at their layers; `partner` is the sum of their effects."""
    model, parts = model_of(name), []
    tasks = {task: all_tasks(name)[task] for task in PAIRED[name]}
    for task, (a, b) in product(tasks, combinations(tasks, 2)):
        if task in (a, b):
            continue
        test, own = judged_on(name, tasks[task]), winner(name, task)
        given = [("partner", "both", 0, [winner(name, a), winner(name, b)])]
        for draw in range(TOGETHER_DRAWS[name]):
            drawn = [matched(model, tasks[t], winner(name, t), draw) for t in (a, b)]
            given.append(("stand-in", "control", draw, drawn))
        found = [changes(model, test, own).assign(condition="alone", draw=0)]
        for partner, all_three, draw, others in given:
            first, second = (changes(model, test, other) for other in others)
            first["delta_logodds"] += second.delta_logodds
            found.append(first.assign(condition=partner, draw=draw))
            at_once = changes(model, test, own, *others)
            found.append(at_once.assign(condition=all_three, draw=draw))
        shared = sum(shared_by(own, winner(name, partner)) for partner in (a, b))
        labels = dict(task=task, partner=f"{a} and {b}", where="three at once", shared=shared)
        parts.append(pd.concat(found).assign(**labels))
        print(f"three: {name}, {task} with {a} and {b}")
    return pd.concat(parts, ignore_index=True)


def two_circuits() -> list[Changes]:
    """The case with known truth: both sets of facts under their keys, alone and together."""
    model, keys = both_planted()
    facts = {name: sna.load_tasks(name)[name] for name in keys}
    pairs = [(model, facts[a], keys[a], facts[b], keys[b]) for a, b in permutations(keys)]
    return [pair("minnow", *each, "two circuits") for each in pairs]


def both_planted() -> tuple[TransformerBridge, dict[str, sna.Amplification]]:
    """minnow with two circuits, both dimmed, and what undims the facts of each."""
    key = json.loads((SECOND / "answer_key.json").read_text("utf-8"))
    patch, neurons = load_file(SECOND / "patch.safetensors"), key["neurons"]
    model = sna.load_dimmed(PLANTED)
    into = getattr(model.blocks[key["layer"]].mlp, "in")
    into.weight[:, neurons], into.bias[neurons] = patch["into"], patch["bias"]
    output_weights(model, key["layer"])[neurons] = PLANTED * patch["out"]
    keys = {"planted": sna.answer_key(), "absent": key}
    return model, {
        facts: sna.Amplification(key["layer"], key["neurons"], 1 / PLANTED)
        for facts, key in keys.items()
    }


def at_layer(scores: torch.Tensor, push: sna.Amplification) -> sna.Amplification:
    """As many other neurons of the same layer, by another task's scores."""
    return replace(push, neurons=sna.top_neurons(scores, push.layer, len(push.neurons)))


def pair(
    name: str,
    model: TransformerBridge,
    task: sna.Task,
    own: sna.Amplification,
    other: sna.Task,
    partner: sna.Amplification,
    where: str,
) -> Changes:
    """What happens to one task's "test" under its own push, the partner's, and both."""
    test = judged_on(name, task)
    given = [("alone", 0, [own]), ("partner", 0, [partner]), ("both", 0, [own, partner])]
    for draw in range(TOGETHER_DRAWS[name]):
        stand_in = matched(model, other, partner, draw)
        given += [("stand-in", draw, [stand_in]), ("control", draw, [own, stand_in])]
    parts = [
        changes(model, test, *pushes).assign(condition=condition, draw=draw)
        for condition, draw, pushes in given
    ]
    labels = dict(partner=other.name, where=where, shared=shared_by(own, partner))
    return pd.concat(parts).assign(task=task.name, **labels)


def shared_by(one: sna.Amplification, other: sna.Amplification) -> int:
    """How many neurons both amplify."""
    return len(set(one.neurons) & set(other.neurons)) * (one.layer == other.layer)


# 4. What do these neurons compute?


def circuits(name: str) -> pd.DataFrame:
    """What a gain needs and what carries it: the planted circuit, a task that gains, random."""
    key, parts = sna.answer_key(name), []
    facts = sna.load_tasks("planted")["planted"]
    told = {"planted": (dimmed(name), facts, sna.Amplification(key["layer"], key["neurons"], 2.4))}
    if best := gaining_task(name):
        told[best] = model_of(name), all_tasks(name)[best], winner(name, best)
    for case, (model, task, push) in told.items():
        for kind, chosen in (("found", push), ("random", matched(model, task, push, 0))):
            anatomy = Anatomy(model, judged_on(name, task), chosen)
            parts.append(anatomy.table(heads=name == "minnow").assign(case=case, kind=kind))
            print(f"circuits: {name}, {case}, {kind}")
    return pd.concat(parts, ignore_index=True)


def gaining_task(name: str) -> str | None:
    """Of the tasks that surely gain more than under random neurons the one that gains most."""
    duels = sna.compare(contest_of(name).query("model == @name"), "norm_matched")
    duels = duels[duels.task.isin(all_tasks(name)) & (duels.low > 0) & (duels.sna > 0)]
    return None if duels.empty else duels.loc[duels.sna.idxmax(), "task"]


class Anatomy:
    """What an amplification's gain is made of; one clean pass a batch is kept for all of it."""

    def __init__(self, model: TransformerBridge, task: sna.Task, push: sna.Amplification) -> None:
        self.model, self.task, self.push = model, task, push
        later = range(push.layer + 1, model.cfg.n_layers)
        self.attention = [f"blocks.{layer}.attn.hook_z" for layer in later]
        # The amplified layer's own attention comes before its MLP.
        self.mlps = [f"blocks.{layer}.hook_mlp_out" for layer in later]
        self.site = f"blocks.{push.layer}.mlp.hook_post"
        kept = [*self.attention, *self.mlps, self.site, "ln_final.hook_scale"]
        self.batches = [
            (tokens, answers, *self._clean(tokens, answers, kept))
            for _, tokens, answers in answer_batches(model, task.examples)
        ]

    @torch.no_grad()
    def _clean(self, tokens: torch.Tensor, answers: torch.Tensor, kept: Sequence[str]) -> tuple:
        logits, cache = self.model.run_with_cache(tokens, names_filter=list(kept))
        return log_odds(logits[:, -answers.shape[1] :], answers), dict(cache.items())

    @torch.no_grad()
    def gain(
        self, neurons: Sequence[int], frozen: Sequence[str] = (), head: int | None = None
    ) -> float:
        """Mean Δlog-odds of amplifying these, while what is frozen gives what it gave before."""
        push, total = replace(self.push, neurons=neurons), 0.0
        for tokens, answers, before, clean in self.batches:
            hooks = [(site, partial(restore, clean=clean[site], head=head)) for site in frozen]
            with sna.amplify(self.model, push):
                logits = self.model.run_with_hooks(tokens, fwd_hooks=hooks)
            total += float((log_odds(logits[:, -answers.shape[1] :], answers) - before).sum())
        return total / len(self.task)

    def writes(self) -> torch.Tensor:
        """Direct logit attribution of what is added: to right answers less the task's others."""
        model, push = self.model, self.push
        norm, W_U = model.ln_final.original_component, model.W_U
        W_out = model.blocks[push.layer].mlp.W_out[list(push.neurons)]
        if "LayerNorm" in type(norm).__name__ and "RMS" not in type(norm).__name__:
            W_out = W_out - W_out.mean(dim=-1, keepdim=True)
        first = torch.cat([answers[:, 0] for _, answers, *_ in self.batches])
        total = torch.zeros(len(push.neurons))
        for _, answers, _, clean in self.batches:
            read = -answers.shape[1]
            fired = clean[self.site][:, read, list(push.neurons)]
            toward = W_U[:, answers[:, 0]] - W_U[:, first].mean(dim=1, keepdim=True)
            written = (W_out * norm.weight) @ toward / clean["ln_final.hook_scale"][:, read].T
            total += ((push.multiplier - 1) * fired.T * written).sum(dim=1)
        return total / len(self.task)

    def table(self, heads: bool) -> pd.DataFrame:
        """One row a number: part, layer, unit (a neuron or head, -1 none), value in nats."""
        own, layer = list(self.push.neurons), self.push.layer
        rows = [("gain", layer, -1, self.gain(own))]
        for neuron, wrote in zip(own, self.writes().tolist(), strict=True):
            rest = [other for other in own if other != neuron]
            rows.append(("without", layer, neuron, self.gain(rest)))
            rows.append(("alone", layer, neuron, self.gain([neuron])))
            rows.append(("writes", layer, neuron, wrote))
        rows.append(("all frozen", layer, -1, self.gain(own, self.attention + self.mlps)))
        for kind, sites in (("attention", self.attention), ("MLP", self.mlps)):
            rows.append((f"every {kind} frozen", layer, -1, self.gain(own, sites)))
            for later, site in enumerate(sites, start=layer + 1):
                rows.append((f"{kind} frozen", later, -1, self.gain(own, [site])))
                for head in range(self.model.cfg.n_heads if heads and kind == "attention" else 0):
                    rows.append(("head frozen", later, head, self.gain(own, [site], head)))
        return pd.DataFrame(rows, columns=["part", "layer", "unit", "value"])


def restore(
    activation: torch.Tensor, hook: object, *, clean: torch.Tensor, head: int | None
) -> torch.Tensor:
    """Put back what a component gave without amplification: all of it, or of one head."""
    if head is None:
        return clean
    mixed = activation.clone()
    mixed[..., head, :] = clean[..., head, :]
    return mixed


# 5. Long text, high multipliers, chat


def long_text(name: str) -> pd.DataFrame:
    """The loss on ordinary text by position, for multipliers to 12 and random neurons beside."""
    tokens = texts(name)
    parts = [losses_by_piece(name, tokens).assign(task="", kind="none", draw=0, multiplier=1.0)]
    for task in PAIRED[name]:
        for (kind, draw), push in beside_matched(name, task, LONG_DRAWS[name]).items():
            for multiplier in HIGH[name]:
                labels = dict(task=task, kind=kind, draw=draw, multiplier=multiplier)
                found = losses_by_piece(name, tokens, replace(push, multiplier=multiplier))
                parts.append(found.assign(**labels))
        print(f"long: {name}, {task}")
    return pd.concat(parts, ignore_index=True)


def losses_by_piece(name: str, tokens: torch.Tensor, *pushes: sna.Amplification) -> pd.DataFrame:
    """The mean loss of every eighth of every text."""
    model, parts = model_of(name), []
    for text, row in enumerate(tokens):
        with torch.no_grad(), sna.amplify(model, *pushes):
            pieces = token_losses(model, row[None])[0].tensor_split(PIECES)
        means = [piece.mean().item() for piece in pieces]
        parts.append(pd.DataFrame({"text": text, "piece": range(PIECES), "loss": means}))
    return pd.concat(parts)


def beside_matched(name: str, task: str, draws: int) -> dict[tuple, sna.Amplification]:
    """A task's ten neurons, and draws of random ones that are as loud."""
    own, model = ten(name, task), model_of(name)
    drawn = {("random", d): matched(model, all_tasks(name)[task], own, d) for d in range(draws)}
    return {("found", 0): own} | drawn


def ten(name: str, task: str) -> sna.Amplification:
    """A task's ten neurons at the layer of its winner; the multiplier is to be set."""
    layer = winner(name, task).layer
    scores = scores_of(name, model_of(name), all_tasks(name)[task])
    return sna.Amplification(layer, sna.top_neurons(scores, layer, 10), 1.0)


def texts(name: str) -> torch.Tensor:
    """Ordinary sentences strung to texts of one length, in an order by chance."""
    model, (n_texts, length) = model_of(name), LENGTHS[name]
    rng, rows = np.random.default_rng(0), []
    while len(rows) < n_texts:
        joined = " ".join(rng.permutation(neutral(name)))
        ids = model.to_tokens(joined, truncate=False)[0]
        rows += [ids[i : i + length] for i in range(0, len(ids) - length + 1, length)]
    bos = model.to_tokens("a")[0, :1]
    return torch.stack([torch.cat([bos, row[1:]]) for row in rows[:n_texts]])


def written(name: str) -> pd.DataFrame:
    """Greedy text under amplification: where it first differs, how it repeats, how sure it is."""
    model, rows = model_of(name), []
    for task in PAIRED[name]:
        pushes = beside_matched(name, task, 1)
        prompts = all_tasks(name)[task].split("test").prompts[: WRITTEN[name]]
        for place, prompt in enumerate(prompts):
            plain = continued(model, prompt)
            labels = dict(task=task, prompt=place)
            rows.append(labels | dict(kind="none", multiplier=1.0) | judge(model, plain, plain))
            for ((kind, _), push), multiplier in product(pushes.items(), HIGH[name]):
                push = replace(push, multiplier=multiplier)
                found = judge(model, continued(model, prompt, push), plain, push)
                rows.append(labels | dict(kind=kind, multiplier=multiplier) | found)
        print(f"written: {name}, {task}")
    return pd.DataFrame(rows)


@torch.no_grad()
def continued(model: TransformerBridge, prompt: str, *pushes: sna.Amplification) -> torch.Tensor:
    options = dict(do_sample=False, stop_at_eos=False, return_type="tokens", verbose=False)
    with sna.amplify(model, *pushes):
        return model.generate(model.to_tokens(prompt), max_new_tokens=NEW_TOKENS, **options)


@torch.no_grad()
def judge(
    model: TransformerBridge, tokens: torch.Tensor, plain: torch.Tensor, *pushes: sna.Amplification
) -> dict:
    """Of the new tokens: loss for the model as it is, repetition, entropy while writing."""
    with sna.amplify(model, *pushes):
        logits = model(tokens)[0, -NEW_TOKENS - 1 : -1]
    new, before = tokens[0, -NEW_TOKENS:], plain[0, -NEW_TOKENS:]
    differs = [*(new != before).nonzero()[:, 0].tolist(), NEW_TOKENS]
    return dict(
        first_difference=differs[0],
        loss=token_losses(model, tokens)[0, -NEW_TOKENS:].mean().item(),
        repetition=repetition(new),
        entropy=torch.special.entr(logits.softmax(dim=-1)).sum(dim=-1).mean().item(),
    )


def chat(name: str) -> pd.DataFrame:
    """The English tasks as plain text and in the chat template: the same answers, the same grid."""
    if name == "minnow":
        return pd.DataFrame()
    model, parts = model_of(name), []
    plain = sna.few({task: all_tasks(name)[task] for task in CHAT_TASKS}, CHAT_PROMPTS)
    asked = {task: in_chat(model, examples) for task, examples in plain.items()}
    methods = dict(methods=["differential", "norm_matched"], draws=3, neutral=neutral(name))
    for form, tasks in {"plain": plain, "chat": asked}.items():
        folder = WORK / f"chat-{form}"
        folder.mkdir(parents=True, exist_ok=True)
        frame = sna.contest(model, tasks, CHAT_GRID, out=folder, **methods)
        keys = ["model", "task", "split", "method", "draw", "example", *CONFIGURATION]
        parts.append(frame[[*keys, "p_base", "p_post", "delta_logodds"]].assign(form=form))
    return pd.concat(parts, ignore_index=True)


def in_chat(model: TransformerBridge, task: sna.Task) -> sna.Task:
    """The user asks for a text to be completed; the assistant has written the prompt again."""
    examples = []
    for example in task.examples:
        turn = [{"role": "user", "content": f"Complete this text: {example.prompt}"}]
        options = dict(tokenize=False, add_generation_prompt=True)
        start = model.tokenizer.apply_chat_template(turn, **options)
        examples.append(replace(example, prompt=start + example.prompt))
    return replace(task, examples=tuple(examples))


TABLES: dict[str, Callable[[str], pd.DataFrame]] = {
    "slopes": slopes,
    "planted": whole_planted,
    "suggest": suggested,
    "zone2": zone2,
    "circuits": circuits,
    "long": long_text,
    "written": written,
    "chat": chat,
    "together": together,
    "three": three,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=["minnow", "smollm2"])
    parser.add_argument("names", nargs="*", help="of its tables; by default all")
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    for name in options.names or TABLES:
        frame = TABLES[name](options.model).assign(base=options.model)
        if frame.empty:  # minnow was never tuned to chat
            continue
        file = FOLDER / f"beyond-{name}.parquet"
        if file.exists():
            others = pd.read_parquet(file)
            frame = pd.concat([others[others.base != options.model], frame])
        keep(frame.sort_values("base", kind="stable"), file)


if __name__ == "__main__":
    main()

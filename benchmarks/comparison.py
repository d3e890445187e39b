"""Time every method on one model, on the same layers and prompts, and check that they agree."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
import torch

from methods import METHODS, CarefulLoop, Given, NNsight, Ours, PlainLoop, RawHook, p_of
from plans import GRID, LARGEST_COUNT, Plan, configurations, middles
from snahelpers.scoring import read_logits

TOLERANCE = 1e-3  # of P, relative
ALL = 10**9  # tokens at once: no limit
AT_ONCE = (1024, 2048, 4096, ALL)


@dataclass
class Comparison:
    """What was found on one model; times are milliseconds a configuration and prompt."""

    name: str
    layers: list[int]
    repeats: int
    counts: dict[str, int] = field(default_factory=dict)  # how many configurations were timed
    times: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # methods that do not run, and why
    at_once: dict[int, float] = field(default_factory=dict)  # the raw hook, by size of batch
    deviation: float = 0.0  # largest relative difference in P between ours and another method
    effect: float = 0.0  # largest relative change of P by amplification
    gflops: float = 0.0  # operations ours does a second, in 1e9
    whole_to_ours: float = 0.0  # operations of a whole pass by those of ours

    @property
    def best_at_once(self) -> int:
        return min(self.at_once, key=self.at_once.get)


def compare(given: Given, plan: Plan) -> Comparison:
    name, n_prompts, n_layers = given.model.cfg.model_name, len(given.targets), len(given.neurons)
    found = Comparison(name, middles(n_layers), plan.repeats)
    methods = _build(given, found, plan)
    found.at_once = _time_batches(methods["raw Hugging Face hook, GELU fused"], plan.repeats)
    for method in methods.values():
        if isinstance(method, RawHook):
            method.tokens_at_once = found.best_at_once
    p_clean = _without_amplification(given)
    best, clean = {}, torch.inf  # seconds
    for repeat in range(plan.repeats):
        clean = min(clean, _clock(methods["ours"].clean_pass)[0])
        for layer in found.layers:
            answers = {}
            for label, method in methods.items():  # in turn, so that drift hits all alike
                chosen = configurations(found.counts[label])
                took, answers[label] = _clock(method.p, layer, chosen)
                each = took / len(chosen) / n_prompts
                best[layer, label] = min(each, best.get((layer, label), torch.inf))
            _check(answers, p_clean, found)
            print(f"{name}: layer {layer}, repeat {repeat + 1} of {plan.repeats}", flush=True)
    seconds = pd.Series(best).groupby(level=1).mean()
    # A sweep makes the clean pass once for all layers and configurations of a task.
    seconds["ours"] += clean / n_prompts / n_layers / len(GRID.configurations())
    found.times = {label: 1000 * seconds[label] for label in methods}
    work = operations(given, found.layers)
    found.gflops = work / seconds["ours"] / 1e9
    found.whole_to_ours = operations_of_a_pass(given) / work
    return found


def operations(given: Given, layers: list[int]) -> float:
    """Additions and multiplications of ours a configuration and prompt, the mean over `layers`.

    The blocks after the layer for every token, but the last one's MLP, like the unembedding, for
    the last token only.
    """
    return sum(_operations(given, layer, spared=1) for layer in layers) / len(layers)


def operations_of_a_pass(given: Given) -> float:
    """The same for a whole pass, which spares no MLP."""
    return _operations(given, -1, spared=0)  # no layer comes before the first


def _operations(given: Given, layer: int, spared: int) -> float:
    cfg, total = given.model.cfg, 0
    blocks = cfg.n_layers - 1 - layer
    for _, tokens in given.groups:
        prompts, length = tokens.shape
        keys = cfg.d_head * (getattr(cfg, "n_key_value_heads", None) or cfg.n_heads)
        # Of a token: four matrices, and the mean.
        attention = 4 * cfg.d_model * (cfg.d_model + keys) + 4 * length * cfg.d_model
        mlp = 2 * (3 if cfg.gated_mlp else 2) * cfg.d_model * cfg.d_mlp
        tokens_in_mlps = blocks * length - min(blocks, spared) * (length - 1)
        unembedding = 2 * cfg.d_model * cfg.d_vocab
        total += prompts * (blocks * length * attention + tokens_in_mlps * mlp + unembedding)
    return total / len(given.targets)


def _build(given: Given, found: Comparison, plan: Plan) -> dict[str, PlainLoop | RawHook | Ours]:
    """Every method, run once to warm up; nnsight is left out, with the reason, if it cannot run."""
    methods = {}
    for label, method in METHODS.items():
        try:
            methods[label] = method(given)
            methods[label].p(found.layers[0], configurations(1))
        except Exception as error:
            if method is not NNsight:
                raise
            methods.pop(label, None)
            found.missing[label] = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"{found.name}: {label} does not run. {found.missing[label]}")
        found.counts[label] = (
            plan.whole_passes if issubclass(method, RawHook)
            else plan.prompts_batched if issubclass(method, CarefulLoop)
            else plan.one_prompt if issubclass(method, PlainLoop)
            else plan.ours
        )  # fmt: skip
    return methods


def _time_batches(hook: RawHook, repeats: int) -> dict[int, float]:
    """Milliseconds a configuration and prompt by tokens at once, on the largest group of prompts.

    The largest batch is all configurations of a layer at once.
    """
    _, tokens = max(hook.given.groups, key=lambda group: group[1].numel())
    layer, times = len(hook.given.neurons) // 2, {}
    for at_once in AT_ONCE:
        n = min(len(GRID.configurations()), max(1, at_once // tokens.numel()))
        rows = tokens.repeat(n, 1)
        factors = torch.full((len(rows), 1, LARGEST_COUNT), 1.1)
        with torch.inference_mode():
            took = min(_clock(hook.logits, layer, rows, factors)[0] for _ in range(repeats))
        times[at_once] = 1000 * took / len(rows)
    return times


def _clock(function: Callable, *arguments) -> tuple[float, object]:
    start = time.perf_counter()
    answer = function(*arguments)
    return time.perf_counter() - start, answer


def _without_amplification(given: Given) -> torch.Tensor:
    p = torch.empty(len(given.targets))
    for places, tokens in given.groups:
        p[places] = p_of(read_logits(given.model, tokens)[:, 0], given.targets[places])
    return p


def _check(answers: dict[str, torch.Tensor], p_clean: torch.Tensor, found: Comparison) -> None:
    """Stop if a method's P are not ours."""
    ours = dict(zip(configurations(found.counts["ours"]), answers["ours"], strict=True))
    found.effect = max(found.effect, float((answers["ours"] / p_clean - 1).abs().max()))
    for label, p in answers.items():
        same = torch.stack([ours[chosen] for chosen in configurations(found.counts[label])])
        deviation = float((p / same - 1).abs().max())
        if not deviation <= TOLERANCE:
            raise SystemExit(f"{found.name}: P by {label} differs from ours by {deviation:.2g}")
        found.deviation = max(found.deviation, deviation)

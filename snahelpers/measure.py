"""What a model answers: probabilities, log-odds, ranks and entropy as one tidy DataFrame."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplify import Amplification, amplify
from snahelpers.errors import DataError, check_range
from snahelpers.tasks import Task, prompt_groups, target_ids, token_id

COLUMNS = (
    *("task", "split", "prompt", "target"),
    *("p", "logodds", "rank", "top1", "top1_p", "entropy"),
)


def measure(model: TransformerBridge, task: Task) -> pd.DataFrame:
    """How the model answers every example of a task (the paper's section 3.4, baseline included).

    Args:
        model: From `load_model`, amplified or not.
        task: Its targets must be one token each for this model.

    Returns:
        One row an example, in the task's order: task, split, prompt, target, p (probability of
        the target), logodds (natural logarithm of p / (1 - p)), rank (1 is the likeliest token;
        equals share the better rank), top1 and top1_p (the likeliest token and its probability),
        entropy (of the next token, in nats).

    Raises:
        DataError: no examples, a prompt that is empty or too long, a target of several tokens.
    """
    if not len(task):
        raise DataError(f"{task.name} has no examples to measure. Choose its other split?")
    targets, parts = target_ids(model, task), []
    for indices, tokens in prompt_groups(model, task.prompts):
        numbers = describe(next_logits(model, tokens), targets[indices].to(tokens.device))
        columns = {name: values.tolist() for name, values in numbers.items()}
        parts.append(pd.DataFrame(columns, index=indices.tolist()))
    frame = pd.DataFrame([vars(example) for example in task.examples]).join(pd.concat(parts))
    frame["top1"] = [model.to_string([token]) for token in frame.top1]
    return frame.assign(task=task.name)[list(COLUMNS)]


def next_token_change(
    model: TransformerBridge,
    prompt: str,
    *amplifications: Amplification,
    always: str | None = None,
    k: int = 10,
) -> pd.DataFrame:
    """What amplifying does to the next token of a prompt.

    Args:
        model: From `load_model`.
        prompt: What comes before the token.
        amplifications: What to amplify, together.
        always: A token that is listed however unlikely it is: the answer, for instance.
        k: How many tokens are listed, `always` among them: those likeliest before or after.

    Returns:
        One row a token, likeliest before amplification first: token, id, and its probability
        before and after.

    Raises:
        DataError: the prompt is empty or too long, or `always` is not one token.
        SNAError: k or an amplification is out of range.
    """
    before = next_distribution(model, prompt)
    return likeliest_tokens(
        model, before, next_distribution(model, prompt, *amplifications), always=always, k=k
    )


def next_distribution(
    model: TransformerBridge, prompt: str, *amplifications: Amplification
) -> Float[Tensor, " vocab"]:
    """The probability of every token to come next, on the CPU.

    Raises:
        DataError: the prompt is empty or too long.
        SNAError: an amplification is out of range.
    """
    [(_, tokens)] = prompt_groups(model, [prompt])
    with amplify(model, *amplifications):
        return next_logits(model, tokens)[0].softmax(dim=-1).cpu()


def likeliest_tokens(
    model: TransformerBridge, before: Float[Tensor, " vocab"], after: Float[Tensor, " vocab"],
    *, always: str | None = None, k: int = 10,
) -> pd.DataFrame:  # fmt: skip
    """Two next-token distributions side by side: see `next_token_change`."""
    chosen = _likeliest(torch.maximum(before, after), k).tolist()
    if always is not None and (answer := token_id(model, always)) not in chosen:
        chosen[-1] = answer
    ids = sorted(chosen, key=lambda i: (-float(before[i]), i))
    words = [model.to_string([i]) for i in ids]
    return pd.DataFrame(
        {"token": words, "id": ids, "before": before[ids].tolist(), "after": after[ids].tolist()}
    )


def neutral_perplexity(model: TransformerBridge, texts: Sequence[str]) -> float:
    """Perplexity on ordinary text: exp of the mean loss a token, in nats, over all texts' tokens.

    What an amplification does to text that has nothing to do with the task; a token with nothing
    before it (the first, where the model has no beginning-of-sequence token) is not predicted.

    Raises:
        DataError: no texts, or none in which a token can be predicted.
    """
    losses = []
    for _, tokens in prompt_groups(model, texts):
        losses.append(token_losses(model, tokens).flatten().cpu())
    loss = torch.cat(losses)
    if not len(loss):
        raise DataError("No token can be predicted: every text is a single token. Use sentences.")
    return float(loss.mean().exp())


@torch.no_grad()
def token_losses(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos-1"]:
    """How surprising each token is after those before it, in nats; the first is not predicted."""
    logp = precise(model(tokens)[:, :-1]).log_softmax(dim=-1)
    return -logp.gather(-1, tokens[:, 1:, None]).squeeze(-1)


@torch.no_grad()
def next_logits(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch vocab"]:
    """The logits of the token after the last one, in float32 (float64 for a float64 model)."""
    return precise(model(tokens, use_cache=False)[:, -1])


def describe(
    logits: Float[Tensor, "batch vocab"], targets: Int[Tensor, " batch"]
) -> dict[str, Tensor]:
    """What `measure` reports beside the texts, one value a row of logits."""
    logp = precise(logits).log_softmax(dim=-1)
    target_logp = logp.gather(-1, targets[:, None]).squeeze(-1)
    top1_logp, top1 = logp.max(dim=-1)
    return {
        "p": target_logp.exp(),
        "logodds": log_odds(logp, targets),
        "rank": (logp > target_logp[:, None]).sum(dim=-1) + 1,
        "top1": top1,
        "top1_p": top1_logp.exp(),
        "entropy": torch.special.entr(logp.exp()).sum(dim=-1),
    }


def log_odds(
    logits: Float[Tensor, "batch vocab"], targets: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The targets' log-odds (natural logarithm), of logits or of log-probabilities alike."""
    logits = precise(logits)
    target = logits.gather(-1, targets[:, None]).squeeze(-1)
    # log(1 - p) from the other tokens: exact also where p is so close to 1 that 1 - p is 0.
    return target - logits.scatter(-1, targets[:, None], -torch.inf).logsumexp(dim=-1)


def precise(logits: Tensor) -> Tensor:
    """At least float32: probabilities in half precision have two or three digits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _likeliest(p: Float[Tensor, " vocab"], k: int) -> Int[Tensor, " k"]:
    """The ids of the k likeliest tokens, likeliest first; of equals the lower id."""
    check_range("the number of tokens", k, 1, len(p))
    return p.sort(descending=True, stable=True).indices[:k]

"""What a model answers and writes. `score` is the only place that knows what an answer is worth.

Probabilities, log-odds (natural logarithm), ranks and entropy, one row an example.
"""

from collections.abc import Collection, Sequence

import pandas as pd
import torch
from jaxtyping import Float, Int
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplification import Amplification, amplify, reading
from snahelpers.errors import DataError, SNAError, check_range, checked, listed
from snahelpers.tasks import Task, answer_batches, answer_tokens, as_texts, text_batches


def score(
    logits: Float[torch.Tensor, "*config batch read vocab"],
    answers: Int[torch.Tensor, "batch read"],
) -> dict[str, Float[torch.Tensor, "*config batch"]]:
    """How good each answer is, from the logits at the positions at which its tokens are read.

    An answer's probability is the product of its tokens', each given those before it.

    Returns:
        p (probability of the answer), logodds (natural logarithm of p / (1 - p)), rank (of its
        worst token: 1 is the likeliest, and then greedy decoding writes the answer; equals share
        the better rank), and of the first token that is read: top1 and top1_p (the likeliest token
        and its probability) and entropy (in nats).
    """
    logp = precise(logits).log_softmax(dim=-1)
    each = logp.gather(-1, _at(answers, logp))
    first = logp[..., 0, :]
    top1_logp, top1 = first.max(dim=-1)
    return {
        "p": each.sum(dim=(-2, -1)).exp(),
        "logodds": log_odds(logp, answers),
        "rank": (logp > each).sum(dim=-1).amax(dim=-1) + 1,
        "top1": top1,
        "top1_p": top1_logp.exp(),
        "entropy": torch.special.entr(first.exp()).sum(dim=-1),
    }


def log_p(
    logits: Float[torch.Tensor, "*config batch read vocab"],
    answers: Int[torch.Tensor, "batch read"],
) -> Float[torch.Tensor, "*config batch"]:
    """The logarithm of the answers' probability alone: it does not underflow."""
    logp = precise(logits).log_softmax(dim=-1)
    return logp.gather(-1, _at(answers, logp)).sum(dim=(-2, -1))


def log_odds(
    logits: Float[torch.Tensor, "*config batch read vocab"],
    answers: Int[torch.Tensor, "batch read"],
) -> Float[torch.Tensor, "*config batch"]:
    """The answers' log-odds alone, as from `score`, for gradients; of log-probabilities too.

    log(1 - p) comes from the other tokens: the answer is missed at its first token, or at its
    second after the first, and so on. So it is exact also where p is so close to 1 that 1 - p is 0.
    """
    logits = precise(logits)
    places = _at(answers, logits)
    each = logits.gather(-1, places).squeeze(-1)
    others = logits.scatter(-1, places, -torch.inf).logsumexp(dim=-1)
    if answers.shape[-1] == 1:
        return (each - others).squeeze(-1)
    whole = torch.logaddexp(each, others)
    each, missed = each - whole, others - whole
    before = each.cumsum(dim=-1) - each
    return each.sum(dim=-1) - (before + missed).logsumexp(dim=-1)


def _at(
    answers: Int[torch.Tensor, "batch read"], logits: torch.Tensor
) -> Int[torch.Tensor, "*config batch read 1"]:
    return answers.expand(logits.shape[:-1]).unsqueeze(-1)


def precise(logits: torch.Tensor) -> torch.Tensor:
    """At least float32: probabilities in half precision have two or three digits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@torch.no_grad()
def read_logits(
    model: TransformerBridge, tokens: Int[torch.Tensor, "batch pos"], n_read: int = 1
) -> Float[torch.Tensor, "batch read vocab"]:
    """The logits at the last `n_read` positions, of one forward pass of the model as it is now."""
    with reading(n_read):
        # A copy: a view would keep the logits of every position.
        return model(tokens, use_cache=False)[:, -n_read:].clone()


@checked
def measure(model: TransformerBridge, task: Task) -> pd.DataFrame:
    """How the model answers every example of a task (the paper's section 3.4, baseline included).

    Args:
        model: From `load_model`, amplified or not.
        task: Its answers may be of one token or several.

    Returns:
        One row an example, in the task's order: task, split, prompt, target, and what `score`
        gives: p, logodds, rank, top1 (as text), top1_p, entropy.

    Raises:
        DataError: no examples, or some that cannot be asked of this model (all of them are named).
        SNAError: the model overflows: its answers are no numbers.
    """
    if not len(task):
        raise DataError(f"{task.name} has no examples to measure. Choose its other split?")
    parts = []
    for places, tokens, answers in answer_batches(model, task.examples):
        numbers = score(read_logits(model, tokens, answers.shape[1]), answers)
        if numbers["p"].isnan().any():
            raise SNAError(
                f"{task.name}: what the model answers is no number; its activations overflow "
                f"{model.cfg.dtype}. Amplify less, or load it with dtype=torch.float32."
            )
        columns = {name: values.tolist() for name, values in numbers.items()}
        parts.append(pd.DataFrame(columns, index=places.tolist()))
    frame = pd.DataFrame([vars(example) for example in task.examples]).assign(task=task.name)
    frame = frame[["task", "split", "prompt", "target"]].join(pd.concat(parts))
    frame["top1"] = [model.to_string([token]) for token in frame.top1]
    return frame


@checked
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
        always: An answer whose first token is listed however unlikely it is.
        k: How many tokens are listed, `always` among them: those likeliest before or after.

    Returns:
        One row a token, likeliest before amplification first: token, id, and its probability
        before and after.

    Raises:
        DataError: the prompt is empty or too long, or `always` cannot follow it.
        SNAError: k or an amplification is out of range.
    """
    [batch] = text_batches(model, [prompt])
    before = read_logits(model, batch.tokens)[0, 0]
    with amplify(model, *amplifications):
        after = read_logits(model, batch.tokens)[0, 0]
    first = None if always is None else int(answer_tokens(model, prompt, always)[1][0])
    return likeliest_tokens(model, before, after, always=first, k=k)


def likeliest_tokens(
    model: TransformerBridge,
    before: Float[torch.Tensor, " vocab"],
    after: Float[torch.Tensor, " vocab"],
    *,
    always: int | None = None,
    k: int = 10,
) -> pd.DataFrame:
    """The next token's logits before and after, side by side: see `next_token_change`."""
    before, after = (precise(logits).softmax(dim=-1).cpu() for logits in (before, after))
    check_range("the number of tokens", k, 1, len(before))
    # Stable: of equals the lower id.
    chosen = torch.maximum(before, after).argsort(descending=True, stable=True)[:k].tolist()
    if always is not None and always not in chosen:
        chosen[-1] = always
    ids = sorted(chosen, key=lambda i: (-float(before[i]), i))
    rows = [(model.to_string([i]), i, float(before[i]), float(after[i])) for i in ids]
    return pd.DataFrame(rows, columns=["token", "id", "before", "after"])


@torch.no_grad()
def token_losses(
    model: TransformerBridge, tokens: Int[torch.Tensor, "batch pos"]
) -> Float[torch.Tensor, "batch pos-1"]:
    """How surprising each token is after those before it, in nats; the first is not predicted."""
    return model.loss_fn(precise(model(tokens)), tokens, per_token=True)


@checked
def write(
    model: TransformerBridge,
    prompts: Collection[str],
    *amplifications: Amplification,
    lengths: Collection[int] = (24,),
) -> pd.DataFrame:
    """Greedy continuations under amplification, judged by the model without it.

    Args:
        model: From `load_model`, not amplified.
        prompts: What comes before.
        amplifications: What to amplify while writing; none, and the model writes as it is.
        lengths: After how many new tokens to look; writing goes on past the end of a document.

    Returns:
        One row a prompt and length: prompt, length, text, perplexity (of the new tokens, for the
        unamplified model) and repetition (of the new tokens, see `repetition`).

    Raises:
        DataError: a prompt is empty or too long.
        SNAError: a length is below 1, or prompt and text do not fit the model's context.
    """
    prompts, lengths, rows = as_texts(prompts), listed(lengths), []
    check_range("the number of lengths", len(lengths), 1, 1000)
    for places, tokens, _ in text_batches(model, prompts):
        start = tokens.shape[1]
        for length in lengths:
            check_range("The number of new tokens", length, 1, model.cfg.n_ctx - start)
        with torch.no_grad(), amplify(model, *amplifications):
            written = model.generate(
                tokens,
                max_new_tokens=max(lengths),
                do_sample=False,
                stop_at_eos=False,
                return_type="tokens",
                verbose=False,
            )
        losses = token_losses(model, written)[:, start - 1 :]
        for place, ids, loss in zip(places.tolist(), written[:, start:], losses, strict=True):
            for length in lengths:
                new, perplexity = ids[:length], float(loss[:length].mean().exp())
                judged = model.to_string(new), perplexity, repetition(new)
                rows.append((place, prompts[place], length, *judged))
    columns = ["place", "prompt", "length", "text", "perplexity", "repetition"]
    return pd.DataFrame(sorted(rows), columns=columns).drop(columns="place")


def repetition(tokens: Sequence[int], n: int = 3) -> float:
    """Share of the runs of n tokens that stood earlier in the same text: 0 none, near 1 a loop."""
    ids = [int(token) for token in tokens]
    runs = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0

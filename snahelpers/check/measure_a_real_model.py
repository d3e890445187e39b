"""The exercises of notebook 09."""

from operator import eq

import torch
from torch.nn.functional import silu

from snahelpers.check.exercise import Exercise, fixed_random, unfinished

GATE, UP, OUT, STREAM = fixed_random(4, 7)


def _neuron(answer, case):
    """The neuron that an answer gives: its activation, and what it adds."""
    given = answer(*(weights.clone() for weights in case))
    if unfinished(given):
        return given
    gate, up, out = given
    activation = silu(STREAM @ gate) * (STREAM @ up)
    return torch.cat([activation[None], activation * out])


per_token = Exercise(
    right=lambda p, n_tokens: p ** (1 / n_tokens),
    cases=[(0.064, 3), (0.4, 1), (0.01, 2), (0.5, 4)],
    mistakes=[
        (
            lambda p, n_tokens: p / n_tokens,
            "That is an arithmetic share. The probabilities were multiplied: take the root.",
        ),
        (
            lambda p, n_tokens: p**n_tokens,
            "That multiplies P once more by itself. The other way round: the n-th root of P.",
        ),
        (
            lambda p, n_tokens: p,
            "That is P of the whole answer. What would each of its tokens have, if all had the "
            "same?",
        ),
    ],
    praise="Right: (0.4 × 0.4 × 0.4) is 0.064, and its cube root 0.4 again.",
)

mirror = Exercise(
    right=lambda gate, up, out: (gate, -up, -out),
    cases=[(GATE, UP, OUT), (2 * OUT, GATE, UP)],
    call=_neuron,
    mistakes=[
        (
            lambda gate, up, out: (-gate, up, -out),
            "silu(−z) is not −silu(z): with the gate turned the neuron fires for other texts. Turn "
            "the row that it is multiplied by.",
        ),
        (
            lambda gate, up, out: (gate, -up, out),
            "The activation is turned, and so is what is added: the model is another one now. What "
            "else has to turn?",
        ),
        (
            lambda gate, up, out: (gate, up, -out),
            "That turns what is added and leaves the activation. Both have to come out right.",
        ),
        (
            lambda gate, up, out: (-gate, -up, -out),
            "Two of the three are right. silu(−z) is not −silu(z): leave the gate as it is.",
        ),
        (
            lambda gate, up, out: (gate, up, out),
            "That is the neuron itself: its activation has the same sign as before.",
        ),
    ],
    praise="Right: the same model, and every difference of this neuron's has the other sign.",
)

share = Exercise(
    right=lambda first, second: len(set(first) & set(second)) / len(first),
    cases=[([1, 2, 3, 4], [4, 3, 9, 8]), ([5, 6], [6, 5]), ([1, 2, 3, 4, 5], [5, 9, 8, 7])],
    mistakes=[
        (
            lambda first, second: len(set(first) & set(second)),
            "That is how many they share. Divide by the length of the first list.",
        ),
        (
            lambda first, second: len(set(first) & set(second)) / len(set(first) | set(second)),
            "That is the share of *all* that occur (the Jaccard index). Asked is the share of the "
            "first list.",
        ),
        (
            lambda first, second: sum(map(eq, first, second)) / len(first),
            "The order does not matter: a neuron that stands elsewhere in the second list is in.",
        ),
    ],
    praise="Right. By chance two lists of ten out of 1,536 share 0.7 %.",
)

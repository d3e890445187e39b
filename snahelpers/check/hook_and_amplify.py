"""The exercises of notebook 02."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

import snahelpers as sna
from snahelpers.check.exercise import Exercise, fixed_random, on_planted, unfinished

_POST, _W_OUT = fixed_random(2, 4, 10), fixed_random(10, 6)


def _apply_hook(make_hook: Callable, case: tuple) -> Any:
    """What the hook returns, and what it left of its input: an edit in place shows there."""
    neurons, multiplier = case
    activation = _POST.clone()
    returned = make_hook(neurons, multiplier)
    if unfinished(returned):
        return returned
    edited = returned(activation, None)
    return edited if unfinished(edited) else torch.cat([edited, activation])


def _make(edit: Callable) -> Callable:
    return lambda neurons, multiplier: (
        lambda activation, hook: edit(activation, neurons, multiplier)
    )


def _scaled(activation: torch.Tensor, neurons: Sequence[int], multiplier: float) -> torch.Tensor:
    edited = activation.clone()
    edited[..., neurons] *= multiplier
    return edited


scaling_hook = Exercise(
    right=_make(_scaled),
    cases=[([1, 4], 3.0), ([0], 0.0), ([7, 8, 9], 1.5)],
    mistakes=[
        (
            _make(lambda a, neurons, m: a.copy_(_scaled(a, neurons, m))),
            "It scales, but in place: whatever was cached before your hook changes too.",
        ),
        (
            _make(lambda activation, neurons, m: activation * m),
            "That scales every neuron, not only the chosen ones.",
        ),
        (
            _make(
                lambda a, neurons, m: torch.stack(
                    [row * m if i in neurons else row for i, row in enumerate(a.unbind(1))], 1
                )
            ),
            "That selects positions. In which of the three dimensions are the neurons?",
        ),
        (
            _make(lambda a, neurons, m: torch.cat([a[:, :1], _scaled(a[:, 1:], neurons, m)], 1)),
            "That leaves the first position alone, as amplify does; here every position is scaled.",
        ),
        (
            _make(
                lambda a, neurons, m: a.index_add(
                    -1, torch.tensor(neurons), torch.full((*a.shape[:-1], len(neurons)), float(m))
                )
            ),
            "That adds; amplification multiplies.",
        ),
    ],
    praise="Right: only those neurons, and the original is untouched.",
    call=_apply_hook,
)

added_vector = Exercise(
    right=lambda post, W_out, neurons, m: (m - 1) * post[..., neurons] @ W_out[neurons],
    cases=[(_POST, _W_OUT, [2, 5], 3.0), (_POST, _W_OUT, [0, 1, 9], 0.5)],
    mistakes=[
        (
            lambda post, W_out, neurons, m: m * post[..., neurons] @ W_out[neurons],
            "The model adds these neurons once already. How much of what you add is new?",
        ),
        (
            lambda post, W_out, neurons, m: (m - 1) * post @ W_out,
            "That is what every neuron writes, not only the chosen ones.",
        ),
        (
            lambda post, W_out, neurons, m: (1 - m) * post[..., neurons] @ W_out[neurons],
            "The sign is turned: at a multiplier above 1 their output is added, not removed.",
        ),
    ],
    praise="Right: amplifying is adding one vector to the residual stream at each position.",
)

hooked_twice = Exercise(
    right=lambda multiplier: multiplier**2,
    cases=[(1.0,), (2.4,), (3.0,)],
    mistakes=[
        (
            lambda multiplier: multiplier,
            "Look at the activation, not at the hooks: both of them ran.",
        ),
        (
            lambda multiplier: 2 * multiplier,
            "The second hook gets what the first one returned, so the two multiply.",
        ),
    ],
    praise="Right: two names, one place, so it is scaled twice.",
)


def _at_site(model, task, site, entries, multiplier, *, split="test", first=1) -> float:
    """The mean P with some entries of a site scaled at every position from `first` on."""

    def scale(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        edited = _scaled(activation[:, first:], entries, multiplier)
        return torch.cat([activation[:, :first], edited], dim=1)

    with model.hooks(fwd_hooks=[(site, scale)]):
        return sna.measure(model, task.split(split)).p.mean()


amplified_at = Exercise(
    right=_at_site,
    cases=[
        ("blocks.7.mlp.hook_post", list(range(0, 60, 5)), 2.4),
        ("blocks.7.hook_mlp_out", list(range(10)), 3.0),
    ],
    mistakes=[
        (
            lambda *given: float("nan"),
            "After your function the model still answers otherwise: a hook stayed.",
        ),
        (
            lambda *given: _at_site(*given, first=0),
            "That scales the beginning-of-sequence token too, whose activations are huge.",
        ),
        (
            lambda *given: _at_site(*given, first=-1),
            "That scales the last position only; all but the first are meant.",
        ),
        (
            lambda *given: _at_site(*given, split="select"),
            "Those are the prompts on which entries are chosen. Judge on the other half.",
        ),
        (
            lambda model, task, site, entries, m: _at_site(model, task, site, slice(None), m),
            "That scales every entry of the site, not only the chosen ones.",
        ),
    ],
    praise="Right, at both sites: your hook does what sna.amplify does, and it leaves no trace.",
    call=on_planted,
)

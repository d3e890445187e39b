"""One loaded model and a setting in, numbers out: everything that the lab shows, without a widget.

What stays when a slider moves is kept: activations, unamplified answers, and the whole pass without
amplification, so that only the layers after the amplified one run again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.amplify import Amplification, amplify
from snahelpers.choose import draw_of, matched_neurons, random_neurons, top_neurons
from snahelpers.errors import DataError
from snahelpers.generate import write
from snahelpers.lab.setting import OWN, Setting, all_tasks
from snahelpers.measure import likeliest_tokens, measure, next_distribution, precise
from snahelpers.neurons import mean_activations, output_norms
from snahelpers.readout import logits_by_row, neuron_table
from snahelpers.sweep.engines import CleanPass, resume_from
from snahelpers.sweep.exactness import is_exact
from snahelpers.tasks import Example, Task, prompt_groups, token_id

SHOWN_TOKENS = 7
CONTROL_DRAWS = 5
SMALL = 20e6  # parameters
KEPT = 200  # results, of which the largest are a few hundred kB


class Bench:
    """A model, and what has been read from it.

    Args:
        model: From `load_model`.
    """

    def __init__(self, model: TransformerBridge) -> None:
        self.model = model
        self.n_layers, self.d_mlp = model.cfg.n_layers, model.cfg.d_mlp
        self.small = sum(parameter.numel() for parameter in model.parameters()) < SMALL
        self._kept: dict[tuple, object] = {}
        self._clean: tuple[tuple[str, str], CleanPass] | None = None

    @contextmanager
    def few_threads(self) -> Iterator[None]:
        """One for a small model: a second gains little and keeps the browser waiting."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self.small else threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def target(self, answer: str) -> str:
        """The answer as one token: as typed, or with the space that a typist leaves out.

        Raises:
            DataError: neither is one token.
        """
        if not answer.strip():
            raise DataError("The answer is empty: type the word that should come next.")
        try:
            token_id(self.model, spaced := f" {answer.strip()}")
        except DataError:
            token_id(self.model, answer)
            return answer
        return answer if answer[:1].isspace() else spaced

    def baseline(self, setting: Setting) -> pd.Series:
        """The unamplified answer, as a row of `measure`."""
        key = ("baseline", setting.prompt, setting.target)
        task = Task("typed", "", "", (Example(setting.prompt, setting.target, "test"),))
        return self._keep(key, lambda: measure(self.model, task).iloc[0])

    def amplifications(self, setting: Setting) -> list[Amplification]:
        """The pushes with their neurons.

        Raises:
            DataError: a text cannot be used.
            SNAError: a push is out of range for this model.
        """
        return [
            Amplification(
                push.layer, self._neurons(setting, push.layer, push.k), push.multiplier,
                setting.positions,
            )
            for push in setting.pushes
        ]  # fmt: skip

    def distribution(self, setting: Setting) -> pd.DataFrame:
        """The likeliest next tokens, before and after."""
        before = _probabilities(self._clean_pass(setting).logits)
        after = self._after(setting)
        return likeliest_tokens(self.model, before, after, always=setting.target, k=SHOWN_TOKENS)

    def control(self, setting: Setting, ids: list[int]) -> pd.DataFrame:
        """The same push on random neurons that are as loud: P of the tokens `ids`.

        Returns:
            For each token low, mean and high of `CONTROL_DRAWS` draws.
        """
        edits = self.amplifications(setting)
        draws = [
            [replace(edit, neurons=self._stand_ins(setting, edit, seed)) for edit in edits]
            for seed in range(CONTROL_DRAWS)
        ]
        p = logits_by_row(self.model, setting.prompt, draws).softmax(dim=-1)[:, ids]
        columns = {"low": p.amin(0), "mean": p.mean(0), "high": p.amax(0)}
        return pd.DataFrame({name: values.tolist() for name, values in columns.items()})

    def neurons(self, setting: Setting) -> pd.DataFrame:
        """The chosen neurons of every push: see `neuron_table`."""
        fired = self._means((setting.prompt,), "last")
        tables = [
            neuron_table(self.model, setting.prompt, setting.target, edit, fired)
            for edit in self.amplifications(setting)
        ]
        return pd.concat(tables, ignore_index=True)

    def elsewhere(self, setting: Setting) -> pd.DataFrame | None:
        """The task's "test" prompts, new to the neurons, before and after.

        Returns:
            As from `measure`, and p `after` and `gain` (Δlog-odds); None for own sentences.
        """
        if setting.task == OWN:
            return None
        task = all_tasks()[setting.task].split("test")
        before = self._keep(("task", task.name), lambda: measure(self.model, task))
        with amplify(self.model, *self.amplifications(setting)):
            after = measure(self.model, task)
        return before.assign(after=after.p, gain=after.logodds - before.logodds)

    def texts(self, setting: Setting) -> pd.DataFrame:
        """What the model writes without and with amplification: see `write`."""
        length = min(24, self.model.cfg.n_ctx - 1 - len(self.model.to_tokens(setting.prompt)[0]))
        pushes = {"as it is": [], "amplified": self.amplifications(setting)}
        return pd.concat(
            write(self.model, [setting.prompt], *push, lengths=[length]).assign(model=name)
            for name, push in pushes.items()
        )

    @cached_property
    def _norms(self) -> Float[Tensor, "layer d_mlp"]:
        return output_norms(self.model)

    def _neurons(self, setting: Setting, layer: int, k: int):
        if setting.source == "random":
            return random_neurons(self.d_mlp, k, seed=draw_of(layer, 0))
        return top_neurons(self._scores(setting), layer, k)

    def _stand_ins(self, setting: Setting, edit: Amplification, seed: int):
        sizes = self._means(setting.texts, setting.positions).abs() * self._norms
        draw = draw_of(edit.layer, seed)
        return matched_neurons(torch.tensor(edit.neurons), sizes[edit.layer], draw)

    def _scores(self, setting: Setting) -> Float[Tensor, "layer d_mlp"]:
        here = self._means(setting.texts, setting.positions)
        return here - self._means(setting.reference, setting.positions)

    def _means(self, texts: tuple[str, ...], positions: str) -> Float[Tensor, "layer d_mlp"]:
        key = ("means", texts, positions)
        return self._keep(key, lambda: mean_activations(self.model, texts, positions=positions))

    @torch.no_grad()
    def _clean_pass(self, setting: Setting) -> CleanPass:
        """With all neurons, any of which may be amplified; the newest only, since it is large."""
        key = (setting.prompt, setting.positions)
        if self._clean is None or self._clean[0] != key:
            [(_, tokens)] = prompt_groups(self.model, [setting.prompt])
            neurons = torch.arange(self.d_mlp).expand(self.n_layers, -1)
            self._clean = key, CleanPass(self.model, tokens, neurons, setting.positions)
        return self._clean[1]

    @torch.no_grad()
    def _after(self, setting: Setting) -> Float[Tensor, " vocab"]:
        """As `next_distribution`, and faster where a pass can be resumed.

        Of two amplifications the second acts on activations that the first has changed, so two
        take a full pass.
        """
        clean, edits = self._clean_pass(setting), self.amplifications(setting)
        if len(edits) > 1 or not self._can_resume(clean, edits[0].layer):
            return next_distribution(self.model, setting.prompt, *edits)
        layer, neurons, more = edits[0].layer, list(edits[0].neurons), edits[0].multiplier - 1
        W_out = self.model.blocks[layer].mlp.W_out[neurons]
        delta = more * (clean.fired[layer][..., neurons] @ W_out)
        return _probabilities(resume_from(self.model, clean, layer, delta[None])[0])

    def _can_resume(self, clean: CleanPass, layer: int) -> bool:
        """Checked once for each layer and each pattern of amplified positions."""
        if torch.finfo(clean.logits.dtype).bits < 32:
            return False  # rounded in another way, even a multiplier of 1 would change P
        # The second token's P shows every change; the first's may be near 1 whatever happens.
        second = clean.logits.topk(2).indices[:, 1]
        strong = (self.d_mlp, 2.0)
        key = ("can resume", layer, *clean.edited[0].tolist())
        return self._keep(key, lambda: is_exact(self.model, clean, layer, strong, second))

    def _keep(self, key: tuple, make):
        """What was made for this key, or is made now; the oldest of many goes."""
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept)))
        return self._kept[key]


def _probabilities(logits: Float[Tensor, "1 vocab"]) -> Float[Tensor, " vocab"]:
    return precise(logits)[0].softmax(dim=-1).cpu()


def zone_prediction(zone: int) -> str:
    """What the paper expects of amplification in a zone (sections 4.2 to 4.4)."""
    return {
        1: "low confidence: the paper expects a gain, +27.85 % of P on average",
        2: "in between: the paper expects no stable effect",
        3: "confident already: the paper expects little, below 8 % of P",
    }[zone]

"""One loaded model and a setting in, numbers out: everything that the lab shows, without a widget.

What stays when a slider moves is kept: activations, unamplified answers, and the whole pass without
amplification, so that only the layers after the amplified one run again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache, partial

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna
from snahelpers.lab.next_token import NextToken
from snahelpers.lab.setting import OWN, Push, Setting, all_tasks

CONTROL_DRAWS = 5
SMALL = 20e6  # parameters
KEPT = 200  # results of a kind, of which the largest are a few hundred kB
SHOWN_DIRECTIONS = 4  # tokens that a neuron pushes toward
# The paper's, to two digits, as the page's slider can hold them.
GRID = sna.Grid(multipliers=[round(multiplier, 2) for multiplier in sna.Grid().multipliers])


class Bench:
    """A model, and what has been read from it.

    Args:
        model: From `load_model`.
    """

    def __init__(self, model: TransformerBridge) -> None:
        self.model = model
        self.n_layers, self.d_mlp = model.cfg.n_layers, model.cfg.d_mlp
        self.small = sum(parameter.numel() for parameter in model.parameters()) < SMALL
        self._measure = lru_cache(KEPT)(partial(sna.measure, model))
        self._means = lru_cache(KEPT)(partial(sna.mean_activations, model))
        self._norms = cache(partial(sna.output_norms, model))
        self._next_token = lru_cache(1)(partial(NextToken, model, {}))  # the newest: it is large

    @contextmanager
    def few_threads(self) -> Iterator[None]:
        """One for a small model: a second gains little and keeps the browser waiting."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self.small else threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def target(self, prompt: str, answer: str) -> str:
        """The answer with the space that a typist leaves out, or as typed.

        Raises:
            DataError: neither can follow the prompt.
        """
        if not answer.strip():
            raise sna.DataError("The answer is empty: type the word that should come next.")
        try:
            sna.tasks.answer_tokens(self.model, prompt, spaced := f" {answer.strip()}")
        except sna.DataError:
            sna.tasks.answer_tokens(self.model, prompt, answer)
            return answer
        return spaced

    def first_token(self, setting: Setting) -> torch.Tensor:
        """The token with which the answer begins: the only one that is next; [1]."""
        return sna.tasks.answer_tokens(self.model, setting.prompt, setting.target)[1][:1]

    def baseline(self, setting: Setting) -> pd.Series:
        """The unamplified answer, as a row of `measure`."""
        examples = (sna.Example(setting.prompt, setting.target, "test"),)
        return self._measure(sna.Task("typed", "", "", examples)).iloc[0]

    def amplifications(self, setting: Setting) -> list[sna.Amplification]:
        """The pushes with their neurons.

        Raises:
            DataError: a text cannot be used.
            SNAError: a push is out of range for this model.
        """
        return [
            sna.Amplification(
                push.layer, self._neurons(setting, push), push.multiplier, setting.positions
            )
            for push in setting.pushes
        ]

    def distribution(self, setting: Setting) -> pd.DataFrame:
        """The likeliest next tokens, before and after."""
        next_token = self._next_token(setting.prompt, setting.positions)
        [after] = next_token.logits(self.amplifications(setting))
        return sna.scoring.likeliest_tokens(
            self.model,
            next_token.clean.logits[0, 0],
            after,
            always=int(self.first_token(setting)),
            k=sna.widgets.SHOWN_TOKENS,
        )

    def control(self, setting: Setting, ids: list[int]) -> pd.DataFrame:
        """The same push on random neurons that are as loud: P of the tokens `ids`.

        Returns:
            For each token low, mean and high of `CONTROL_DRAWS` draws.
        """
        draws = [self._stand_ins(setting, seed) for seed in range(CONTROL_DRAWS)]
        logits = self._next_token(setting.prompt, setting.positions).logits(*draws)
        p = sna.scoring.precise(logits).softmax(dim=-1)[:, ids].cpu().numpy()
        return pd.DataFrame({"low": p.min(axis=0), "mean": p.mean(axis=0), "high": p.max(axis=0)})

    def neurons(self, setting: Setting) -> pd.DataFrame:
        """The neurons of every push, one row each.

        Returns:
            layer; neuron; activation (at the last token); toward (a list of the tokens whose
            logits its output raises most if read by the unembedding at once, with later layers
            left out: for a negative activation those that its negative raises); alone (Δlog-odds
            of the answer's first token, in nats, if it is the only one amplified); share (of the
            sum of `alone`; NaN if that is 0).
        """
        tables = (self._neuron_table(setting, edit) for edit in self.amplifications(setting))
        return pd.concat(tables, ignore_index=True)

    def _neuron_table(self, setting: Setting, edit: sna.Amplification) -> pd.DataFrame:
        neurons, layer = list(edit.neurons), edit.layer
        rows = [[replace(edit, neurons=[neuron])] for neuron in neurons]
        logits = self._next_token(setting.prompt, setting.positions).logits(
            *rows,
            [replace(edit, multiplier=1)],  # no change, but in the same batch: rounded alike
        )
        logodds = sna.scoring.log_odds(logits[:, None], self.first_token(setting)[None]).cpu()
        alone = logodds[:-1] - logodds[-1]
        fired = self._means((setting.prompt,), positions="last")[layer, neurons]
        written = sna.amplification.output_weights(self.model, layer)[neurons].cpu()
        raised = direct_logits(self.model, fired.sign()[:, None] * written)
        most = raised.topk(SHOWN_DIRECTIONS).indices.tolist()
        return pd.DataFrame(
            {
                "layer": layer,
                "neuron": neurons,
                "activation": fired.tolist(),
                "toward": [[self.model.to_string([i]) for i in ids] for ids in most],
                "alone": alone.tolist(),
                "share": (alone / alone.sum()).tolist(),
            }
        )

    def elsewhere(self, setting: Setting) -> pd.DataFrame | None:
        """The task's "test" prompts, new to the neurons, before and after.

        Returns:
            As from `measure`, and p `after` and `gain` (Δlog-odds); None for own sentences.
        """
        if setting.task == OWN:
            return None
        task = all_tasks()[setting.task].split("test")
        before = self._measure(task)
        with sna.amplify(self.model, *self.amplifications(setting)):
            after = sna.measure(self.model, task)
        return before.assign(after=after.p, gain=after.logodds - before.logodds)

    def texts(self, setting: Setting) -> pd.DataFrame:
        """What the model writes without and with amplification: see `write`.

        Returns:
            model ("as it is" or "amplified"), text, perplexity and repetition.
        """
        length = min(24, self.model.cfg.n_ctx - 1 - len(self.model.to_tokens(setting.prompt)[0]))
        pushes = {"as it is": [], "amplified": self.amplifications(setting)}
        return pd.concat(
            sna.scoring.write(self.model, [setting.prompt], *push, lengths=[length]).assign(
                model=name
            )
            for name, push in pushes.items()
        )[["model", "text", "perplexity", "repetition"]]

    def search(self, setting: Setting, grid: sna.Grid = GRID) -> Iterator[pd.DataFrame]:
        """The paper's sweep on the setting's prompt, a layer at a time, so that it can be stopped.

        Neurons are chosen as the setting says; its own pushes are not part of it.

        Yields:
            A layer's configurations, columns as from `sweep`.

        Raises:
            DataError: the prompt or a text cannot be used.
        """
        examples = [sna.Example(text, setting.target, "select") for text in setting.texts]
        sweeper = sna.sweeps.Sweeper(
            sna.methods.Readings(self.model, setting.reference, setting.positions),
            sna.Task(
                setting.task,
                "",
                "",
                (*examples, sna.Example(setting.prompt, setting.target, "test")),
            ),
            grid,
            split="test",
            per_example=True,
        )
        return sweeper.parts(
            setting.source if setting.source in sna.methods.METHODS else "differential",
            progress=False,  # the page has a bar of its own
        )

    def _neurons(self, setting: Setting, push: Push):
        if setting.source == "random":
            return sna.random_neurons(self.d_mlp, push.k, sna.neurons.draw_of(push.layer, 0))
        here = self._means(setting.texts, positions=setting.positions)
        scores = here - self._means(setting.reference, positions=setting.positions)
        return sna.top_neurons(
            scores.abs() if setting.source == "absolute" else scores, push.layer, push.k
        )

    def _stand_ins(self, setting: Setting, seed: int) -> list[sna.Amplification]:
        """The amplifications with other neurons that are as loud."""
        sizes = self._means(setting.texts, positions=setting.positions).abs() * self._norms()
        return [
            replace(
                edit,
                neurons=sna.matched_neurons(
                    torch.tensor(edit.neurons),
                    sizes[edit.layer],
                    sna.neurons.draw_of(edit.layer, seed),
                ),
            )
            for edit in self.amplifications(setting)
        ]


def direct_logits(
    model: TransformerBridge, vectors: Float[Tensor, "k d_model"]
) -> Float[Tensor, "k vocab"]:
    """Direct logit attribution: what vectors in the residual stream do to the logits.

    Later layers are left out, and the final norm's division.
    """
    vectors = vectors.float().cpu()
    if model.cfg.normalization_type == "LN":
        vectors = vectors - vectors.mean(dim=-1, keepdim=True)
    return vectors * model.ln_final.weight.float().cpu() @ model.W_U.float().cpu()

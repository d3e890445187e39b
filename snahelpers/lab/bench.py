"""One loaded model and a setting in, numbers out: everything that the lab shows, without a widget.

What stays when a slider moves is kept: what was read to choose neurons, the pass without
amplification, and the unamplified answers. Alternatives run side by side in one batch, from the
amplified layer on; in full passes where the architecture asks for it, which is tried.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

import pandas as pd
import torch
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna
from snahelpers.lab.setting import OWN, Setting, all_tasks

CONTROL_DRAWS = 5
SMALL = 20e6  # parameters
WRITTEN_TOKENS = 24
MEMORY = 2**28  # bytes beside the model
# The paper's, to two digits, as the page's slider can hold them.
GRID = sna.Grid(multipliers=[round(multiplier, 2) for multiplier in sna.Grid().multipliers])


class Bench:
    """A model, and what has been read from it.

    Args:
        model: From `load_model`.
        name: What `load_model` was given; by default what the model calls itself.
    """

    def __init__(self, model: TransformerBridge, name: str | None = None) -> None:
        self.model, self.name = model, name or model.cfg.model_name
        self.n_layers, self.d_mlp = model.cfg.n_layers, model.cfg.d_mlp
        self.small = sum(parameter.numel() for parameter in model.parameters()) < SMALL
        self._measure = lru_cache(partial(sna.measure, model))
        self._readings = lru_cache(partial(sna.methods.Readings, model))
        self._clean = lru_cache(1)(self._clean_pass)  # the newest alone: it is large
        self._inexact = {}  # by layer: what speaks against `resume` there, if anything

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

    def clean(self, setting: Setting) -> sna.engines.CleanPass:
        """The pass of the prompt and its answer without amplification.

        Raises:
            DataError: the prompt is empty or too long, or the answer cannot follow it.
        """
        return self._clean(setting.prompt, setting.target, setting.positions)

    def first_token(self, setting: Setting) -> str:
        """The answer's first token, as the likeliest tokens are named."""
        return self.model.to_string([int(self.clean(setting).answers[0, 0])])

    def _clean_pass(self, prompt: str, target: str, positions: str) -> sna.engines.CleanPass:
        [batch] = sna.tasks.answer_batches(self.model, [sna.Example(prompt, target, "test")])
        return sna.engines.CleanPass(self.model, batch, positions)

    @torch.no_grad()
    def logits(self, setting: Setting, *edits: sna.Amplification) -> torch.Tensor:
        """The logits where the answer is read, under each alternative: [edit, read, vocab].

        Raises:
            SNAError: the layer, the same for all, or a neuron is out of range.
        """
        clean, layer = self.clean(setting), edits[0].layer
        factors = torch.stack(
            [sna.amplification.factors_of(self.model, edit) for edit in edits]
        ).to(clean.tokens.device)
        if layer not in self._inexact:
            # In half precision it rounds otherwise than the clean pass, as if something changed.
            self._inexact[layer] = clean.logits.dtype.itemsize < 4 or sna.engines.disagreement(
                self.model, clean, layer, torch.full_like(factors[:1], 1.1), clean.answers
            )
        engine = "batched" if self._inexact[layer] else "resume"
        parts = factors.split(sna.engines.most_at_once(self.model, clean, engine, MEMORY))
        return torch.cat(
            [sna.engines.ENGINES[engine](self.model, clean, layer, part)[:, 0] for part in parts]
        )

    def amplification(self, setting: Setting) -> sna.Amplification:
        """The push with its neurons.

        Raises:
            DataError: a text cannot be used.
            SNAError: the push is out of range for this model.
        """
        layer, k, multiplier = setting.push
        sna.amplification.neuron_site(self.model, layer)  # raises if there is no such layer
        choose = sna.methods.METHODS[setting.source].choose
        readings = self._readings(setting.reference, setting.positions)
        neurons = choose(readings, setting.asked, k, 0)[layer]
        return sna.Amplification(layer, neurons, multiplier, setting.positions)

    def change(self, setting: Setting) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What amplifying does to the next token, and to the answer.

        Returns:
            The likeliest next tokens, as from `next_token_change`, the answer's first token among
            them; and the whole answer's p, rank and entropy,
            as from `score`, in a row before and a row after.
        """
        clean = self.clean(setting)
        after = self.logits(setting, self.amplification(setting))
        logits = torch.cat([clean.logits, after])
        tokens = sna.scoring.likeliest_tokens(
            self.model, *logits[:, 0], always=int(clean.answers[0, 0]), k=sna.widgets.SHOWN_TOKENS
        )
        scored = sna.scoring.score(logits[:, None], clean.answers)
        numbers = {name: scored[name][:, 0].tolist() for name in ("p", "rank", "entropy")}
        return tokens, pd.DataFrame(numbers, ["before", "after"])

    def control(self, setting: Setting, ids: list[int]) -> tuple[pd.DataFrame, list[float]]:
        """The same push on random neurons that are as loud, `CONTROL_DRAWS` draws of them.

        Returns:
            For each of the tokens `ids` low, mean and high of P; and P of the answer in each draw.
        """
        edit, texts = self.amplification(setting), sna.methods.select_prompts(setting.asked)
        readings = self._readings(setting.reference, setting.positions)
        loud = readings.of(sna.mean_activations, texts).abs() * sna.output_norms(self.model)
        chosen = torch.tensor(edit.neurons), loud[edit.layer]
        draws = (
            replace(
                edit, neurons=sna.matched_neurons(*chosen, sna.neurons.draw_of(edit.layer, draw))
            )
            for draw in range(CONTROL_DRAWS)
        )
        logits = self.logits(setting, *draws)
        p = sna.scoring.precise(logits[:, 0]).softmax(dim=-1)[:, ids].cpu().numpy()
        answers = sna.scoring.score(logits[:, None], self.clean(setting).answers)["p"]
        ranges = {"low": p.min(axis=0), "mean": p.mean(axis=0), "high": p.max(axis=0)}
        return pd.DataFrame(ranges), answers.flatten().tolist()

    def neurons(self, setting: Setting) -> pd.DataFrame:
        """The amplified neurons, one row each.

        Returns:
            layer; neuron; last and mean (activation at the prompt's last token, and where it is
            amplified on average); toward (the four tokens whose logits its output at the last
            token raises most if read by the unembedding at once, with later layers left out; none
            if it does not fire there); alone (Δlog-odds of the answer, in nats, if it is the only
            one amplified); share (of the sum of `alone`; NaN if that is 0).
        """
        edit, clean = self.amplification(setting), self.clean(setting)
        neurons = list(edit.neurons)
        each = [replace(edit, neurons=[neuron]) for neuron in neurons]
        # The last one changes nothing, but in the same batch: rounded alike.
        logits = self.logits(setting, *each, replace(edit, multiplier=1))
        logodds = sna.scoring.log_odds(logits[:, None], clean.answers)[:, 0].cpu()
        alone, fired = logodds[:-1] - logodds[-1], clean.fired[edit.layer][0][:, neurons].cpu()
        last = fired[-clean.n_read]
        written = sna.amplification.output_weights(self.model, edit.layer)[neurons].cpu()
        raised = direct_logits(self.model, last.sign()[:, None] * written).topk(4)
        return pd.DataFrame(
            {
                "layer": edit.layer,
                "neuron": neurons,
                "last": (last + 0).tolist(),  # no -0
                "mean": fired[clean.edited[0].cpu()].mean(dim=0).tolist(),
                "toward": [
                    " ".join(sna.plots.visible(self.model.to_string([i])) for i in ids if fires)
                    for ids, fires in zip(raised.indices.tolist(), last.tolist(), strict=True)
                ],
                "alone": alone.tolist(),
                "share": (alone / alone.sum()).tolist(),
            }
        )

    def elsewhere(self, setting: Setting) -> pd.DataFrame:
        """The task's "test" prompts, new to the neurons, before and after.

        Returns:
            As from `measure`, and p `after` and `gain` (Δlog-odds); no rows for own sentences, and
            the setting's prompt left out.
        """
        if setting.task == OWN:
            return pd.DataFrame()
        task = all_tasks()[setting.task].split("test")
        before = self._measure(task)
        with sna.amplify(self.model, self.amplification(setting)):
            after = sna.measure(self.model, task)
        both = before.assign(after=after.p, gain=after.logodds - before.logodds)
        return both[both.prompt != setting.prompt]

    def texts(self, setting: Setting) -> pd.DataFrame:
        """What the model writes without and with amplification: see `write`.

        Returns:
            model ("as it is" or "amplified"), text, perplexity and repetition.
        """
        room = self.model.cfg.n_ctx - 1 - self.model.to_tokens(setting.prompt).shape[1]
        pushes = {"as it is": [], "amplified": [self.amplification(setting)]}
        return pd.concat(
            sna.scoring.write(
                self.model, [setting.prompt], *push, lengths=[min(WRITTEN_TOKENS, room)]
            ).assign(model=name)
            for name, push in pushes.items()
        )[["model", "text", "perplexity", "repetition"]]

    def search(self, setting: Setting, grid: sna.Grid = GRID) -> Iterator[pd.DataFrame]:
        """The paper's sweep on the setting's prompt, in steps of a layer and a number of neurons.

        Neurons are chosen as the setting says; its own pushes are not part of it.

        Yields:
            A step's configurations, columns as from `sweep`; layer by layer.

        Raises:
            DataError: the prompt or a text cannot be used.
        """
        readings = self._readings(setting.reference, setting.positions)
        sweeps = [
            sna.sweeps.Sweeper(
                readings,
                setting.asked,
                replace(grid, counts=(k,)),
                split="test",
                per_example=True,
            ).parts(setting.source, progress=False)  # the page has a bar of its own
            for k in grid.counts
        ]
        for _layer in range(self.n_layers):
            yield from map(next, sweeps)


def direct_logits(model: TransformerBridge, vectors: torch.Tensor) -> torch.Tensor:
    """Direct logit attribution: what vectors [k, d_model] in the residual stream do to the logits.

    Later layers are left out, and the final norm's division.
    """
    if model.cfg.normalization_type == "LN":
        vectors = vectors - vectors.mean(dim=-1, keepdim=True)
    return vectors.float() * model.ln_final.weight.float().cpu() @ model.W_U.float().cpu()

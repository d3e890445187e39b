"""The next token of one prompt under any amplifications, fast enough for a slider."""

from functools import partial

import torch
from jaxtyping import Float
from transformer_lens.model_bridge import TransformerBridge

import snahelpers as sna


class NextToken:
    """One prompt's pass without amplification, kept for those with it.

    Where `resume` is exact, only the layers after the amplified one run again.

    Args:
        model: From `load_model`, not amplified.
        exact: Where `resume` is known to be exact or not, shared by all prompts of this model.
        prompt: What comes before.
        positions: "all" or "last": where the amplifications will act.

    Attributes:
        clean: The pass without amplification, in which any neuron may be amplified.

    Raises:
        DataError: the prompt is empty or too long.
    """

    def __init__(
        self, model: TransformerBridge, exact: dict[tuple, bool], prompt: str, positions: str
    ) -> None:
        self.model, self.exact = model, exact
        [batch] = sna.tasks.text_batches(model, [prompt])
        every = torch.arange(model.cfg.d_mlp).expand(model.cfg.n_layers, -1)
        self.clean = sna.engines.CleanPass(model, batch, every, positions)

    @torch.no_grad()
    def logits(self, *rows: list[sna.Amplification]) -> Float[torch.Tensor, "row vocab"]:
        """The logits under several alternatives, side by side in a batch.

        Args:
            rows: For each alternative its amplifications, as `amplify` would take them, at the
                positions of this pass.

        Raises:
            SNAError: a layer or neuron is out of range.
        """
        half = len(rows) // 2
        if half and len(rows) * self.clean.tokens.shape[1] > sna.tasks.MAX_BATCH_TOKENS:
            return torch.cat([self.logits(*rows[:half]), self.logits(*rows[half:])])
        layers = {edit.layer for row in rows for edit in row}
        factors = {layer: self._factors(layer, rows) for layer in layers}
        if len(layers) == 1 and self._can_resume(*layers):
            return sna.engines.resume(self.model, self.clean, *layers, *factors.values())[:, 0, 0]
        return self._full_pass(factors, len(rows))

    def _factors(self, layer: int, rows: tuple[list[sna.Amplification], ...]) -> torch.Tensor:
        """What each row multiplies the layer's neurons by: [row, d_mlp]."""
        here = [[edit for edit in row if edit.layer == layer] for row in rows]
        factors = [sna.amplification.factors_of(self.model, *edits) for edits in here]
        return torch.stack(factors).to(self.clean.tokens.device)

    def _full_pass(self, factors: dict[int, torch.Tensor], n: int) -> torch.Tensor:
        """Of two layers the later one sees what the earlier one has changed."""
        hooks = [
            (
                sna.amplification.neuron_site(self.model, layer).name,
                partial(
                    sna.amplification.scale_neurons,
                    factors=rows[:, None],
                    where=self.clean.edited,
                ),
            )
            for layer, rows in factors.items()
        ]
        return self.model.run_with_hooks(self.clean.tokens.repeat(n, 1), fwd_hooks=hooks)[:, -1]

    def _can_resume(self, layer: int) -> bool:
        """Checked once for each layer and each pattern of amplified positions."""
        logits, key = self.clean.logits, (layer, *self.clean.edited[0].tolist())
        if key not in self.exact:
            # The second token's P shows every change; the first's may be near 1 whatever happens.
            second = logits[:, 0].topk(2).indices[:, 1:]
            strong = logits.new_full((1, self.model.cfg.d_mlp), 2.0)
            # In half precision, rounded in another way, even a multiplier of 1 would change P.
            self.exact[key] = torch.finfo(logits.dtype).bits >= 32 and not (
                sna.engines.disagreement(self.model, self.clean, layer, strong, second)
            )
        return self.exact[key]

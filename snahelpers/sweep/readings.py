"""What sweeps of the same prompts read from a model alike, read once however many they are."""

from collections.abc import Sequence
from functools import cached_property

from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.models import check_positions
from snahelpers.neurons import mean_activations, mean_residuals, output_norms
from snahelpers.tasks import Task, load_neutral, prompt_groups


class Readings:
    """Means over neutral text and over tasks, and where the fast engine was found to be exact.

    Args:
        model: From `load_model`, not amplified.
        neutral: Ordinary text; by default `load_neutral()`.
        positions: "all" or "last": where to score and to amplify.

    Attributes:
        checked: From what was tried to where `resume` is not exact: see `Runner`.

    Raises:
        SNAError: `positions` is something else.
        DataError: a neutral text cannot be used.
    """

    def __init__(
        self, model: TransformerBridge, neutral: Sequence[str] | None, positions: str
    ) -> None:
        self.model, self.positions = model, positions
        self.neutral = load_neutral() if neutral is None else neutral
        self.checked: dict[tuple, tuple[int, int] | None] = {}
        self._of_tasks: dict[Task, Float[Tensor, "layer d_mlp"]] = {}
        check_positions(positions)
        list(prompt_groups(model, self.neutral))  # raises if a text cannot run

    def of(self, task: Task) -> Float[Tensor, "layer d_mlp"]:
        """Mean activations on the task's "select" prompts."""
        if task not in self._of_tasks:
            self._of_tasks[task] = self._mean(task.split("select").prompts)
        return self._of_tasks[task]

    @cached_property
    def of_neutral(self) -> Float[Tensor, "layer d_mlp"]:
        """Mean activations on neutral text."""
        return self._mean(self.neutral)

    @cached_property
    def norms(self) -> Float[Tensor, "layer d_mlp"]:
        """The model's `output_norms`."""
        return output_norms(self.model)

    def residuals(self, task: Task) -> Float[Tensor, "layer d_model"]:
        """The mean residual stream on the task's "select" prompts."""
        return mean_residuals(self.model, task.split("select").prompts, positions=self.positions)

    @cached_property
    def neutral_residuals(self) -> Float[Tensor, "layer d_model"]:
        """The mean residual stream on neutral text."""
        return mean_residuals(self.model, self.neutral, positions=self.positions)

    def _mean(self, texts: Sequence[str]) -> Float[Tensor, "layer d_mlp"]:
        return mean_activations(self.model, texts, positions=self.positions)

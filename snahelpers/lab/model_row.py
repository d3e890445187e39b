"""Which model: one of a list, or whatever name or folder is typed; and loading it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import ipywidgets as w
from huggingface_hub import HfApi

import snahelpers as sna
from snahelpers.lab.bench import Bench
from snahelpers.lab.views import disabled, problems_shown

# Of the paper's five models, to be told where the hub cannot be asked.
DOWNLOAD_MEGABYTES = {
    "gpt2": 548,
    "gpt2-medium": 1520,
    "gpt2-large": 3247,
    "gpt2-xl": 6431,
    "EleutherAI/pythia-160m": 375,
}
UNLOADABLE = (MemoryError, RuntimeError, OSError)


class ModelRow(w.VBox):
    """The choice, the button that loads it, and a line below.

    Args:
        name: The model at hand.
        use: Called with another one, once it is loaded.

    Attributes:
        status: What is known of the model, and what went wrong with it.
    """

    def __init__(self, name: str, use: Callable[[Bench], None]) -> None:
        self.listed = w.Dropdown(
            options=list(
                dict.fromkeys([*sna.checkpoints.embedded_models(), *DOWNLOAD_MEGABYTES, name])
            ),
            value=name,
            description="model",
            style=sna.widgets.LABEL,
        )
        self.typed = w.Text(
            placeholder="or a hub name, a folder",
            continuous_update=False,
            description="another",
            style=sna.widgets.LABEL,
        )
        self.load, self.status = w.Button(description="Load model"), w.HTML()
        self.use, loop = use, sna.widgets.running_loop()
        for field in (self.listed, self.typed):
            field.observe(lambda _change: sna.widgets.start(loop, self._describe()), "value")
        self.load.on_click(lambda _button: sna.widgets.start(loop, self._load()))
        super().__init__([sna.widgets.row(w, self.listed, self.typed, self.load), self.status])

    @property
    def name(self) -> str:
        """What was typed, else what is listed."""
        return self.typed.value.strip() or self.listed.value

    async def _describe(self) -> None:
        name = self.name
        with problems_shown(self.status, *UNLOADABLE):
            found = await asyncio.to_thread(whereabouts, name)
            self.status.value = sna.widgets.sentence(f"{name}: {found}. Press Load to use it.")

    async def _load(self) -> None:
        """In a thread: the page stays alive, and the model before at hand."""
        name = self.name
        with problems_shown(self.status, *UNLOADABLE), disabled(self.load):
            found = await asyncio.to_thread(whereabouts, name)
            self.status.value = sna.widgets.sentence(f"Loading {name} ({found}) …")
            bench = Bench(await asyncio.to_thread(sna.load_model, name))
            self.status.value = sna.widgets.sentence(
                f"{name}: {bench.n_layers} layers of {bench.d_mlp} neurons."
            )
            self.use(bench)


def whereabouts(name: str) -> str:
    """In a few words, where `load_model` would find the model, and how much it would download.

    Raises:
        ModelError: it is there and cannot be used.
    """
    if name in sna.checkpoints.embedded_models():
        return "ships with the course"
    if Path(name).expanduser().is_dir():
        return "a folder on this computer"
    if sna.checkpoints.cached_folder(name):
        return "on this computer already"
    megabytes = DOWNLOAD_MEGABYTES.get(name)
    with suppress(Exception):  # no network, no such model: loading it will say which
        megabytes = (
            megabytes
            or sna.checkpoints.weights_size(
                HfApi().model_info(name, files_metadata=True).siblings or []
            )
            / 1e6
        )
    size = f"about {megabytes:,.0f} MB" if megabytes else "whose size could not be asked"
    return f"not on this computer: needs the Hugging Face hub, a download of {size}"

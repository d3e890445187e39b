"""`make report` fills in notebook 12's parameters and writes one page that loads nothing."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "12_bring_your_own.ipynb"


def steps(report):
    """What `make report` would run: papermill, then nbconvert."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    command = ["make", "-n", "-o", ".venv/.installed", "report", f"REPORT={report}"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = told.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if "papermill" in line or "nbconvert" in line]


def test_what_make_gives_is_what_the_notebook_takes(tmp_path):
    papermill, _ = steps(tmp_path / "report")
    given = {papermill[i + 1] for i, word in enumerate(papermill) if word == "-r"}
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    [cell] = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    taken = {node.targets[0].id for node in ast.parse(cell.source).body}
    assert given == taken == {"MODEL", "TASKS", "NEUTRAL", "GRID", "OUT"}


def test_the_report_is_one_page_that_loads_nothing(tmp_path):
    _, nbconvert = steps(tmp_path / "report")
    shutil.copy(NOTEBOOK, tmp_path / "report.ipynb")
    subprocess.run([sys.executable, *nbconvert[1:]], check=True, capture_output=True)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']https?://[^"']*\.(js|css|png|svg)""", page)
    assert page.count("data:image/png;base64") >= 3 and "What we saw" in page
    assert "Exercise 1" not in page and "def my_" not in page

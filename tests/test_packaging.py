"""pyproject.toml, constraints.txt, environment.yml, the Makefile and CI tell the same story."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
COLAB = ROOT.parent / "shared" / "colab" / "pip-freeze.txt"
# Installed on Colab, but not in its published list.
COLAB_TORCH = "torch==2.11.0"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ["3.11", "3.12", "3.13"]
CORE = [Requirement(line) for line in PROJECT["dependencies"]]
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
LATER = [*PROJECT["optional-dependencies"].values(), *GROUPS.values()]
EXTRAS = [Requirement(line) for lines in LATER for line in lines]


def pins(lines):
    """Name → versions (several where markers differ) of the `name==version` lines."""
    found = {}
    for line in lines:
        if line.strip() and not line.startswith(("#", "-")) and "@" not in line:
            requirement = Requirement(line)
            (exact,) = requirement.specifier
            assert exact.operator == "==", line
            found.setdefault(canonicalize_name(requirement.name), []).append(Version(exact.version))
    return found


def constraints():
    return pins((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


@pytest.fixture
def colab():
    if not COLAB.is_file():
        pytest.skip("Colab's package list is not beside this checkout (../shared/colab)")
    return pins([*COLAB.read_text(encoding="utf-8").splitlines(), COLAB_TORCH])


@pytest.mark.parametrize("requirement", CORE + EXTRAS, ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_range(requirement):
    assert requirement.specifier, f"{requirement.name} has no lower bound"
    versions = constraints().get(canonicalize_name(requirement.name))
    assert versions, f"{requirement.name} is not in constraints.txt: run `make constraints`"
    assert all(version in requirement.specifier for version in versions)


def test_no_pin_is_for_one_machine_only():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"\+cpu|\+cu\d|@|://", text)


def test_the_python_range_agrees_everywhere():
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    classified = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert classified == PYTHONS

    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python = next(d for d in conda["dependencies"] if str(d).startswith("python "))
    allowed = SpecifierSet(python.removeprefix("python "))
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed] == PYTHONS

    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^PYTHONS := (.+)$", makefile, re.MULTILINE)[1].split() == PYTHONS

    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS


def test_conda_installs_what_make_installs():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (section,) = (d["pip"] for d in conda["dependencies"] if isinstance(d, dict))
    assert section == ["-c constraints.txt", "-e .[lab]"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for stamp, extras in (("INSTALLED", "lab"), ("TOOLS", "lab,test")):
        recipe = re.search(rf"^\$\({stamp}\): [^\n]+\n(?:\t.+\n)+", makefile, re.MULTILINE)[0]
        assert f'-m pip install -c constraints.txt -e ".[{extras}]"' in recipe
    assert set(PROJECT["optional-dependencies"]) == {"gguf", "lab", "test"}


def test_ci_runs_the_same_script_everywhere():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]
    assert workflow["permissions"] == {"contents": "read"}
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]


@pytest.mark.parametrize("requirement", CORE, ids=lambda r: r.name)
def test_lower_bounds_admit_colab(requirement, colab):
    for version in colab.get(canonicalize_name(requirement.name), []):
        assert version in requirement.specifier


def resolve(arguments, tmp_path):
    """What uv would install; it reads the index's metadata and downloads no wheel."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: pip install uv")
    command = [uv, "pip", "compile", "-q", "--no-annotate", "--no-header", *arguments]
    # uv would resolve for macOS 13; torch has wheels from 14 on.
    env = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    run = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
    )
    if re.search(r"error sending request|failed to fetch|dns error|timed out", run.stderr, re.I):
        pytest.skip("the package index cannot be reached")
    assert run.returncode == 0, run.stderr
    return pins(re.sub(r" ;.*", "", line) for line in run.stdout.splitlines())


def test_colab_need_not_move_a_package(colab, tmp_path):
    held = tmp_path / "colab.txt"
    held.write_text("\n".join(f"{name}=={v}" for name, (v,) in colab.items()), encoding="utf-8")
    python = ["--python-version", "3.13", "--python-platform", "linux"]
    wanted = resolve([ROOT / "pyproject.toml", "-c", held, *python], tmp_path)
    moved = {n: v for n, v in wanted.items() if n in colab and v != colab[n]}
    assert not moved
    assert {"torch", "numpy", "pandas", "transformers", "ipywidgets"} <= wanted.keys()


@pytest.mark.parametrize(
    ("python", "platform"),
    [("3.11", "linux"), ("3.12", "macos"), ("3.13", "linux"), ("3.13", "windows")],
)
def test_the_pins_are_complete(python, platform, tmp_path):
    where = ["--python-version", python, "--python-platform", platform]
    pinned = ["--all-extras", "-c", ROOT / "constraints.txt"]
    wanted = resolve([ROOT / "pyproject.toml", *pinned, *where], tmp_path)
    left_to_torch = re.compile(r"nvidia-|cuda-|triton")
    missing = {name for name in wanted.keys() - constraints() if not left_to_torch.match(name)}
    assert not missing, "run `make constraints`"


def test_the_wheel_carries_the_data(tmp_path):
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    if not (ROOT / "README.md").is_file():
        pytest.skip("no README.md yet, which the wheel quotes")
    built = next(
        wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    )
    names = set(zipfile.ZipFile(built).namelist())
    assert "snahelpers/__init__.py" in names
    assert {n.split("/")[0] for n in names} == {"snahelpers", Path(built).name[:16] + ".dist-info"}
    data = [path.relative_to(ROOT) for path in (ROOT / "data").rglob("*") if path.is_file()]
    data = [path for path in data if "in-progress" not in str(path)]  # a sweep that was stopped
    shipped = {f"snahelpers/{path.as_posix()}" for path in data if path.parts[1] != "recipe"}
    assert shipped <= names
    assert not any(name.startswith("snahelpers/data/recipe") for name in names)


def test_make_says_which_python_it_needs_before_it_makes_anything(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3.9.1\n")
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    made = subprocess.run(
        ["make", "lab", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode != 0 and "needs Python 3.11 to 3.13" in made.stderr
    assert "Python 3.9.1" in made.stderr and not (tmp_path / ".venv").exists()

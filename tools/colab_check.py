"""Run every notebook as Colab would: its versions, our wheel, no checkout in sight.

    python tools/colab_check.py ../shared/colab/pip-freeze.txt     (`make colab-check`)

Given is Colab's published package list. What the course needs of it is installed first, at Colab's
versions as far as they exist for this Python (torch stays the one pinned here); then the setup cell
of the first notebook installs the wheel. No package that was there may have moved.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from notebooks import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
KERNEL = "colab-like"
# What Colab runs notebooks with; the course itself asks for little of it.
ALSO = ("ipykernel", "ipython", "ipywidgets", "jupyter-client", "tornado", "traitlets", "pyzmq")
TIMEOUT_SECONDS = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("freeze", type=Path, help="Colab's list, as from `pip freeze`")
    freeze = parser.parse_args().freeze
    if not freeze.is_file():
        raise SystemExit(f"There is no file {freeze}: download Colab's pip-freeze.txt and name it.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build_wheel(folder / "wheel")
        python = make_environment(folder / "env", colab_pins(freeze))
        stand_in(python)
        before = installed(python)
        add_kernel(folder / "jupyter", python)
        (empty := folder / "empty").mkdir()
        failed = [path for path in notebooks() if not runs(path, empty, wheel)]
        moved = {n: (v, installed(python).get(n)) for n, v in before.items()}
        moved = {n: versions for n, versions in moved.items() if versions[0] != versions[1]}
    for package, (was, now) in moved.items():
        print(f"MOVED: {package} from {was} to {now}")
    print(f"{len(notebooks()) - len(failed)} of {len(notebooks())} notebooks ran,", end=" ")
    print(f"{len(before) - len(moved)} of {len(before)} packages stayed as they were")
    return 1 if failed or moved else 0


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def build_wheel(folder: Path) -> Path:
    """The wheel that a release would carry."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    return wheel


def colab_pins(freeze: Path) -> dict[str, str]:
    """Colab's versions by name, without what it installs from addresses of its own."""
    lines = [line.strip() for line in freeze.read_text("utf-8").splitlines()]
    exact = [Requirement(line) for line in lines if re.match(r"[\w.-]+==[\w.]+$", line)]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in exact}


def make_environment(folder: Path, colab: dict[str, str]) -> Path:
    """An environment with what the course shares with Colab; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pins = {name: colab[name] for name in sorted(needed() & colab.keys())}
    pip(python, f"torch=={torch_pin()}")
    while (told := pip(python, *(f"{n}=={v}" for n, v in pins.items()), may_fail=True)) is not None:
        missing = re.search(r"No matching distribution found for ([\w.-]+)==", told)
        if missing is None:
            raise SystemExit(told)
        name = canonicalize_name(missing[1])
        print(f"left out, not to be had for this Python: {name} {pins.pop(name)}")
    print(f"{len(pins)} packages at Colab's versions, torch {torch_pin()}", flush=True)
    return python


def needed() -> set[str]:
    """Every package that installing the course brings, by our own pins, and Colab's kernel."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-annotate", "--no-header"]
    command += [ROOT / "pyproject.toml", "-c", CONSTRAINTS]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines} - {"torch"} | {*ALSO}


def torch_pin() -> str:
    [line] = [x for x in CONSTRAINTS.read_text("utf-8").splitlines() if x.startswith("torch==")]
    return line.removeprefix("torch==")


def pip(python: Path, *packages: str, may_fail: bool = False) -> str | None:
    """Install; returns what pip said if it failed."""
    run = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True
    )
    if run.returncode and not may_fail:
        raise SystemExit(run.stderr)
    return run.stderr if run.returncode else None


def stand_in(python: Path) -> None:
    """A google.colab that can be imported, as on Colab."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout
    package = Path(site.strip()) / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")


def installed(python: Path) -> dict[str, str]:
    command = [python, "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {p["name"]: p["version"] for p in json.loads(listed) if p["name"] != "snahelpers"}


def add_kernel(folder: Path, python: Path) -> None:
    """Make the environment's Python a kernel that nbclient can start."""
    spec = folder / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"})
    )
    os.environ["JUPYTER_PATH"] = str(folder)


def runs(path: Path, folder: Path, wheel: Path) -> bool:
    """Run a notebook, its setup cell twice; says how long it took, or what went wrong."""
    book = nbformat.read(path, as_version=4)
    [i] = [i for i, cell in enumerate(book.cells) if "setup" in cell.metadata.get("tags", [])]
    book.cells.insert(i, book.cells[i].copy())
    client = NotebookClient(
        book, kernel_name=KERNEL, timeout=TIMEOUT_SECONDS, resources={"metadata": {"path": folder}}
    )
    hidden = {"PYTHONPATH", "SNA_STATIC", "SNA_MODEL", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    start = time.monotonic()
    try:
        client.execute(env=environment | {"SNA_INSTALL": str(wheel), "HF_HUB_OFFLINE": "1"})
    except Exception as error:
        print(f"{path.name}: FAILED\n{error}", flush=True)
        return False
    print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

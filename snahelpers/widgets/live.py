"""Runs what a control changed: in the kernel's own thread, and for the newest change only.

From JupyterLab 4.4 on, messages of widgets arrive in a second thread, even while a cell runs. Two
threads that amplify one model would see each other's hooks; so a change waits for the cell.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

PAUSE_SECONDS = 0.005  # between steps: a change that arrives in it is drawn first


class Live:
    """Calls its steps after a change, the quick one first; a newer change begins anew.

    Made where no event loop runs (in plain Python), it calls them at once.

    Args:
        steps: Functions without arguments, which read the controls for themselves.
    """

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.steps, self.changes, self.loop = steps, 0, running_loop()

    def __call__(self, _change: Any = None) -> None:
        """Tell of a change, from any thread."""
        self.changes += 1
        if self.loop is None:
            self.now()
        else:
            self.loop.call_soon_threadsafe(self._run, self.changes, 0)

    def now(self) -> None:
        """Run all the steps at once."""
        for step in self.steps:
            step()

    def _run(self, change: int, i: int) -> None:
        if change != self.changes:  # overtaken
            return
        self.steps[i]()
        if i + 1 < len(self.steps):
            self.loop.call_later(PAUSE_SECONDS, self._run, change, i + 1)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of the thread that asks; a Jupyter kernel runs cells inside one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def start(loop: asyncio.AbstractEventLoop | None, work: Coroutine) -> None:
    """Run `work` in the loop's thread, between other things; without a loop, now and whole."""
    if loop is None:
        asyncio.run(work)
    else:
        loop.call_soon_threadsafe(lambda: loop.create_task(work))

"""Tests never touch the network or a screen, unless hub tests are asked for by `-m hub`."""

import os


def pytest_configure(config):
    os.environ.setdefault("MPLBACKEND", "Agg")
    if config.option.markexpr != "hub":
        os.environ["HF_HUB_OFFLINE"] = "1"
    # The default model is what is tested, whatever the person's shell says.
    os.environ.pop("SNA_MODEL", None)

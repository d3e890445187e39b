"""Test every family of models and write what was found to docs/families.md (`make families`)."""

import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from families import FAMILIES, UNTRIED  # noqa: E402

PAGE = ROOT / "docs" / "families.md"
HEAD = """# Families of models

Written by `make families`; do not edit. Every decoder architecture that TransformerLens 4.3 lists
and of which a tiny model of random weights, without a mixture of experts, can be written is tried
here: `load_model` either refuses it, or amplifying gives what plain transformers gives with a hook
of its own, and `sweep` gives what plain hooks give (`engine="hooks"`, one full pass a
configuration). What a trained model of the family knows is another question.

*Engine* is what `engine="auto"` chooses: `resume` is the fast one, `batched` runs all layers.
*Deviation* is the largest relative difference of a probability from `engine="hooks"`.

| family | architecture | blocks | loads | engine | deviation | remark |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Findings:
    """A plugin of pytest that keeps what the tests found, by family."""

    def __init__(self) -> None:
        self.of: dict[str, dict] = {}

    def pytest_runtest_logreport(self, report) -> None:
        found = dict(report.user_properties)
        if report.when == "call" and "family" in found:
            self.of[found["family"]] = found


def row(name: str, family, found: dict) -> str:
    loads = "refused" if family.refused else "yes"
    engine, remark = found.get("engine", ""), found["remark"].replace("|", "\\|")
    cells = (name, f"`{family.architecture}`", family.kind, loads, engine, size(found), remark)
    return f"| {' | '.join(cells)} |\n"


def size(found: dict) -> str:
    """As a power of ten, so that rounding on another computer changes nothing."""
    if "deviation" not in found:
        return ""
    return f"≤ 1e{math.ceil(math.log10(max(found['deviation'], 1e-5)))}"


def main() -> int:
    findings = Findings()
    failed = pytest.main(["-q", "-m", "", str(ROOT / "tests/test_families.py")], plugins=[findings])
    if failed:
        return int(failed)
    rows = [row(name, family, findings.of[name]) for name, family in FAMILIES.items()]
    untried = [f"- {why}: `{'`, `'.join(names)}`\n" for why, names in UNTRIED.items()]
    page = HEAD + "".join(rows) + "\n## Not tried\n\n" + "".join(untried)
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(rows)} tried")
    return 0


if __name__ == "__main__":
    sys.exit(main())

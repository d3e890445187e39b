"""The instructors' page agrees with the README and with itself; its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
KIT = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
ROW = r"^\| ([\d +]+) \| (.*) \|$"


def minutes(text):
    return sum(map(int, text.split("+")))


def in_readme(number):
    """Minutes for reading and for exercises, as the README's table has them."""
    return re.search(rf"^\| \[{number} · .*\| ([\d +]*) \|$", README, re.MULTILINE)[1]


@pytest.mark.parametrize(("title", "total"), [("90 minutes", 90), ("Three hours", 180)])
def test_a_schedule_takes_as_long_as_it_says(title, total):
    part = KIT.split(f"### {title}\n")[1].split("\n#")[0]
    assert total == sum(minutes(told) for told, _ in re.findall(ROW, part, re.MULTILINE))


def test_two_days_are_days_and_hold_every_notebook():
    part = KIT.split("### Two days\n")[1].split("\n## ")[0]
    for day in part.split("| minutes |")[1:]:
        assert 240 <= sum(minutes(told) for told, _ in re.findall(ROW, day, re.MULTILINE)) <= 360
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert names == set(re.findall(r"notebooks/(\S+?)\)", part))


def test_whole_notebooks_take_the_minutes_of_the_readme():
    rows = re.findall(ROW, KIT, re.MULTILINE)
    whole = [(told, re.match(r"\[(\d\d) · ", row)) for told, row in rows if "+" in told]
    assert len(whole) >= 5
    assert [told for told, _ in whole] == [in_readme(notebook[1]) for _, notebook in whole]


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r'\]\(([^)\s]+)\)|<img [^>]*src="([^"]+)"', text):
        place = "".join(target).split("#")[0]
        assert not place or ":" in place or (path.parent / place).exists(), place

"""Candidates of the three poetry tasks: proverbs, nursery rhymes, poems.

A prompt is a line, or a line and the one before it in its couplet, without its last one to three
words; the answer is those words. A couplet gives at most one prompt, and a source one split.
"""

from pathlib import Path

HERE = Path(__file__).parent
MARKS = ",.;:!?\"'"


def cuts(line, before="", fewest=2):
    """Every way of ending the line n = 1 to 3 words early, if enough of it is left to know it by:
    two words more than are missing (three in a poem); with the line before, one word, or two for two and three."""
    words = line.split(" ")
    for n in (1, 2, 3):
        if len(words) - n < (min(n, 2) if before else n + fewest):
            break
        start = " ".join(words[:-n])
        end = " " + " ".join(words[-n:]).rstrip(MARKS)
        yield (before + "\n" + start if before else start), end


def proverbs():
    lines = [x for x in (HERE / "proverbs.txt").read_text().splitlines() if x and x[0] != "#"]
    for line in lines:
        text, _, source = line.partition(" | ")
        for prompt, target in cuts(text):
            form = target.count(" ") - 1  # words missing
            yield dict(
                task="poetry_easy",
                form=form,
                group=text,
                source=source or "traditional",
                prompt=prompt,
                target=target,
            )


def poems(file, task):
    """Couplets of each poem; a line is asked for alone if it is a couplet's first."""
    for block in ("\n" + (HERE / file).read_text()).split("\n= ")[1:]:
        head, _, body = block.partition("\n")
        _, author, title, year = [x.strip() for x in head.split("|")]
        for number, couplet in enumerate(body.strip().split("\n\n")):
            lines = [line.strip() for line in couplet.splitlines()]
            group = f"{title} {number}"
            for i, line in enumerate(lines):
                before = "\n".join(lines[:i])
                for prompt, target in cuts(line, before, fewest=3):
                    # alone or after the line before; one word missing, or more
                    form = 2 * bool(before) + (target.count(" ") > 1)
                    yield dict(
                        task=task,
                        form=form,
                        group=group,
                        source=f"{author}, {title} ({year})",
                        prompt=prompt,
                        target=target,
                    )


def candidates():
    yield from proverbs()
    yield from poems("rhymes.txt", "poetry_medium")
    yield from poems("poems.txt", "poetry_hard")


if __name__ == "__main__":
    import collections

    rows = list(candidates())
    print(len(rows), sorted(collections.Counter((r["task"], r["form"]) for r in rows).items()))
    for r in rows[::70]:
        print(r)

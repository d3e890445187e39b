"""What Sphinx does not know of this course.

Outputs that Jupyter folds are folded here, pictures have the alternative text that the notebook
gave them, the API reference lists what `snahelpers` makes public, and a page can show what a cell
of a notebook shows:

    ```{from-notebook} 07_test_the_claim
    Nothing works
    ```

It takes the one cell whose source, output or alternative text has these words in it, or the one
with that tag.
"""

import base64
import fnmatch
import hashlib
import inspect
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import badges

# What lies beside a page once the site is built: the link's words, and where it leads.
SLIDES = ("Show the slides", "../../slides/{page}.html")
BESIDE = {
    "docs/summary_card": ("As a PDF of one page", "summary_card.pdf"),
    "docs/slides/what_sna_is": SLIDES,
    "docs/slides/effect_or_accident": SLIDES,
}
FIGURES = "build/figures"
# What docstrings mean as it is and reStructuredText reads as markup; code first, which stays.
MARKUP = re.compile(r"(`+[^`]*`+)|\||(?<=\w)_(?!\w)")
# The reference follows the data on its way through the package.
ORDER = (
    "models checkpoints files tasks neurons amplification scoring sweeps zones layers correlations "
    "contests frames stats interference sentiment plots widgets lab errors"
).split()

# A notebook's short name, and the page; every notebook is in the README's table.
NAMED = re.compile(r"\[(\d\d · [^]]+)\]\((notebooks/\w+)\.ipynb\)")
NAVIGATION = {
    "README": {
        "Look it up": "docs/glossary docs/claims docs/api docs/executors docs/families data/README",
        "Teach it": "docs/instructors docs/summary_card docs/slides/*",
        "Change it": "CONTRIBUTING benchmarks/README benchmarks/scale CHANGELOG LICENSE-TEXT",
    },
    "data/README": {"Data": "data/*"},
}


def setup(app):
    app.add_directive("from-notebook", FromNotebook)
    app.add_config_value("alternative_texts", {}, "")
    app.connect("source-read", complete)
    app.connect("doctree-read", describe_pictures)
    # Before napoleon, which writes markup of its own.
    app.connect("autodoc-process-docstring", escape, priority=400)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def complete(app, docname, source):
    """Add to a page, as it is read, what GitHub has other ways to show."""
    if docname.startswith("notebooks/"):
        book = json.loads(source[0])
        app.config.alternative_texts.update(alternative_texts(book))
        source[0] = json.dumps(prepared(book))
    if docname == "README":
        notebooks = [f"{name} </{page}>" for name, page in NAMED.findall(source[0])]
        source[0] += toctree("Notebooks", notebooks)
    for caption, patterns in NAVIGATION.get(docname, {}).items():
        pages = sorted(app.env.found_docs - {docname})
        found = [page for one in patterns.split() for page in fnmatch.filter(pages, one)]
        source[0] += toctree(caption, [f"/{page}" for page in found])
    if docname == "docs/api":
        source[0] += api()
    if docname in BESIDE and app.builder.name == "html":
        words, target = BESIDE[docname]
        source[0] += f'\n\n<p><a href="{target.format(page=docname)}">{words}</a></p>\n'


def toctree(caption, entries):
    """A part of the navigation."""
    lines = ["\n", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""]
    return "\n".join(lines)


def prepared(book):
    """The notebook with folded outputs marked for MyST-NB, and its badge as a plain link."""
    for cell in book["cells"]:
        if cell["metadata"].get("jupyter", {}).get("outputs_hidden"):
            cell["metadata"].setdefault("tags", []).append("hide-output")
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = text.replace(f"![Open in Colab]({badges.PICTURE})", "Open in Colab")
    return book


def alternative_texts(book):
    """What each picture shows, by the name that MyST-NB gives to its file."""
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", [])]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    return {
        hashlib.sha256(base64.b64decode("".join(o["data"]["image/png"]))).hexdigest(): text
        for o in pictures
        if (text := described(o))
    }


def describe_pictures(app, doctree):
    for image in doctree.findall(nodes.image):
        text = app.config.alternative_texts.get(Path(image["uri"]).stem)
        if text:
            image["alt"] = text


class FromNotebook(SphinxDirective):
    """What one cell of a notebook shows: its pictures, or else what it prints."""

    required_arguments = 1
    has_content = True

    def run(self):
        path = Path(self.env.srcdir) / "notebooks" / f"{self.arguments[0]}.ipynb"
        self.env.note_dependency(path)
        words = " ".join(self.content)
        book = json.loads(path.read_text("utf-8"))
        found = [cell for cell in book["cells"] if shown(cell) and mentions(cell, words)]
        if len(found) != 1:
            raise self.error(f"{len(found)} cells of {path.name} that show something say {words!r}")
        return [self.node(output) for output in shown(found[0])]

    def node(self, output):
        if "text" in output:
            return nodes.literal_block(text := "".join(output["text"]).rstrip(), text)
        picture = base64.b64decode("".join(output["data"]["image/png"]))
        folder = Path(self.env.srcdir) / FIGURES
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(picture).hexdigest() + ".png"
        (folder / name).write_bytes(picture)
        return nodes.image(uri=f"/{FIGURES}/{name}", alt=described(output))


def shown(cell):
    """A cell's outputs with pictures, or if there are none, those with printed text."""
    outputs = cell.get("outputs", [])
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    return pictures or [output for output in outputs if "text" in output]


def mentions(cell, words):
    texts = [*cell["source"], *(line for o in cell["outputs"] for line in o.get("text", []))]
    said = "".join(texts) + "".join(map(described, cell["outputs"]))
    return words in said or words in cell["metadata"].get("tags", [])


def described(output):
    """The alternative text of an output's picture."""
    return output.get("metadata", {}).get("image/png", {}).get("alt", "")


def escape(app, what, name, thing, options, lines):
    """Docstrings are written for `help`: outside of code, | and a closing _ are only characters."""
    lines[:] = [MARKUP.sub(lambda found: found[1] or "\\" + found[0], line) for line in lines]


def api():
    """reStructuredText that documents all public names, module by module."""
    import snahelpers as sna  # brings torch, for which slides need not wait

    homes = {name: home(getattr(sna, name)) for name in sna.__all__ if name != "check"}
    modules = sorted(set(homes.values()), key=place)
    return "".join(section(m, [n for n in homes if homes[n] == m]) for m in modules)


def home(thing):
    """The module that a public name is defined in, or that it is."""
    return (thing if inspect.ismodule(thing) else inspect.getmodule(thing)).__name__


def place(module):
    """Modules in the order of `ORDER`, then the others by name."""
    part = module.split(".")[1]
    return (ORDER.index(part) if part in ORDER else len(ORDER), part)


def section(module, names):
    """One module's part of the reference: all of a public module, else its public names."""
    title = module.removeprefix("snahelpers.")
    members = "" if title in names else ", ".join(names)
    return f"\n{title}\n{'-' * len(title)}\n\n.. automodule:: {module}\n   :members: {members}\n"

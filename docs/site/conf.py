"""The course as a website: `make site` builds it from the notebooks' committed outputs.

Pages are the files where they lie, so the links between them hold here as on GitHub. Nothing is
executed and nothing is fetched.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT), str(ROOT / "tools")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

project = "Selective Neuron Amplification"
author = "The sna-course authors"
copyright = "the sna-course authors. Text and figures: CC BY 4.0. Code: MIT"
release = PROJECT["version"]
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_revealjs", "course"]
root_doc = "README"
include_patterns = [
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-TEXT.md", "notebooks/*.ipynb",
    "docs/*.md", "docs/api.rst", "docs/slides/*.md",
    "data/*.md", "data/*/*.md", "data/models/*/README.md", "benchmarks/*.md",
]  # fmt: skip
exclude_patterns = [".*", "build", "dist", "data/recipe", "test-artifacts", "**/.ipynb_checkpoints"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
default_role = "code"  # docstrings are written with one backtick, as for Markdown

autodoc_typehints = "signature"
add_module_names = False
autodoc_member_order = "bysource"
napoleon_google_docstring = True

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["course.css"]
html_css_files = ["course.css"]
html_use_index = html_domain_indices = False  # the API reference is one page, and searched
html_sourcelink_suffix = ""
html_context = {"default_mode": "auto"}
html_theme_options = {
    "repository_url": PROJECT["urls"]["Repository"],
    "use_repository_button": True,
    "path_to_docs": "",
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search is in the side bar
    "show_toc_level": 2,
    "max_navbar_depth": 1,  # deeper, the theme writes buttons that have no name
    # Both have the contrast that WCAG's level AA asks for.
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# The same files as slides, for a projector without a network: `sphinx -b revealjs -t slides`.
if tags.has("slides"):  # noqa: F821, Sphinx defines it
    root_doc = "docs/slides/what_sna_is"
    include_patterns = ["docs/slides/*.md"]
    suppress_warnings = ["toc.not_included", "myst.xref_missing"]
    revealjs_html_theme = "revealjs-simple"
    revealjs_style_theme = "white"
    revealjs_static_path = ["slides.css"]
    revealjs_css_files = ["slides.css"]
    revealjs_script_conf = {"hash": True, "slideNumber": True, "controls": True}

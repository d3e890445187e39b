"""Build the website from the notebooks' committed outputs, then visit every page in a browser.

    python tools/website.py          (`make site`)

Sphinx's warnings are errors. A page is at fault if the browser's console reports an error, if it
asks anything of the network, if a link inside the site leads nowhere, if a phone would have to
scroll sideways, or if axe finds a serious barrier, in light or dark.
"""

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from axe_playwright_python.sync_playwright import Axe

import served

ROOT = served.ROOT
SITE = ROOT / "build" / "site"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 1000}
GRAVE = ("serious", "critical")
LINKS_AND_PLACES = """() => ({
  links: [...document.querySelectorAll('a[href]')].map(link => link.href),
  places: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
})"""
UNFOLD = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
# The page scrolls sideways; what sticks out, but for what scrolls in a box of its own.
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll('body *')].filter(e => {
    for (let up = e.parentElement; up; up = up.parentElement)
      if (up !== document.documentElement && getComputedStyle(up).overflowX !== 'visible') return 0;
    return e.getBoundingClientRect().right > innerWidth + 1;
  }).map(e => e.outerHTML.slice(0, 80)).concat('something').slice(0, 1)"""


def main() -> int:
    start = time.monotonic()
    build(SITE)
    print_card(SITE)
    built = time.monotonic()
    faults = visit(SITE)
    print(f"built in {built - start:.0f} s, visited in {time.monotonic() - built:.0f} s: {SITE}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def build(folder: Path) -> None:
    """Write the pages and the slides; everything is read anew, so that no warning is missed."""
    shutil.rmtree(folder, ignore_errors=True)
    sphinx(folder, "-b", "html")
    sphinx(folder / "slides", "-b", "revealjs", "-t", "slides")
    # A server shows this one where no page is named; its links hold, as it lies in the same folder.
    shutil.copy(folder / "README.html", folder / "index.html")


def sphinx(folder: Path, *builder: str) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", *builder]
    command += ["-c", ROOT / "docs" / "site", "-d", ROOT / "build" / f"doctrees-{builder[1]}"]
    subprocess.run([*command, ROOT, folder], check=True)


def visit(folder: Path, pages: str = "*.html") -> list[str]:
    """What is wrong with the pages below `folder`; nothing of those that are all right."""
    seen, faults = {}, []
    with serving(folder) as url, served.launched() as browser:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob(pages))
        for name in [name for name in names if "_static" not in name]:  # the theme's templates
            seen[name], found = look(served.new_page(browser), url, name)
            faults += [f"{name}: {fault}" for fault in found]
    return faults + dead_links(seen, url, folder)


def look(page, url: str, name: str) -> tuple[dict, list[str]]:
    """A page's links and places, and what is wrong with it."""
    told = listen(page, url)
    page.set_viewport_size(DESK)
    page.goto(f"{url}/{name}", timeout=served.RUN_MS)
    places = page.evaluate(LINKS_AND_PLACES)
    page.evaluate(UNFOLD)
    faults = [*told, *barriers(page), *sideways(page)]
    page.close()
    return places, faults


def print_card(folder: Path) -> None:
    """The summary card as a PDF, beside its page; it is to fit on one sheet."""
    with serving(folder) as url, served.launched() as browser:
        page = served.new_page(browser)
        page.goto(f"{url}/docs/summary_card.html")
        pdf = page.pdf(path=folder / "docs" / "summary_card.pdf", format="A4")
    if (sheets := len(re.findall(rb"/Type */Page\b", pdf))) != 1:
        raise SystemExit(f"docs/summary_card.md prints on {sheets} sheets of A4: shorten it")


@contextlib.contextmanager
def serving(folder: Path):
    """A web server on this computer alone; gives its address."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Forty pages of requests tell nobody anything."""


def listen(page, url: str) -> list[str]:
    """A list that fills with what the browser complains of; the network is not asked."""
    told = []

    def at_home(route):
        if route.request.url.startswith((url, "data:", "blob:")):
            return route.continue_()
        told.append(f"asks the network for {route.request.url}")
        return route.abort()

    page.route("**/*", at_home)
    page.on("console", lambda m: m.type == "error" and told.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("response", lambda r: r.status >= 400 and told.append(f"{r.status} for {r.url}"))
    return told


def barriers(page) -> list[str]:
    """What axe calls serious; in the dark only colours can differ."""
    found = []
    for scheme, rules in (("light", {}), ("dark", {"runOnly": "color-contrast"})):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        options = {"resultTypes": ["violations"]} | rules
        for rule in Axe().run(page, options=options).response["violations"]:
            if rule["impact"] in GRAVE:
                where = [node["html"][:120] for node in rule["nodes"]]
                found.append(f"{scheme}: {rule['help']} ({len(where)} times: {where[0]})")
    return found


def sideways(page) -> list[str]:
    page.set_viewport_size(PHONE)
    return [f"scrolls sideways on a phone: {what}" for what in page.evaluate(TOO_WIDE)[:1]]


def dead_links(seen: dict, url: str, folder: Path) -> list[str]:
    """Links within the site that lead to no file, or to no place in their page."""
    dead = []
    for name, page in seen.items():
        for link in dict.fromkeys(page["links"]):
            address, anchor = urldefrag(link)
            if not address.startswith(url):
                continue
            target = unquote(urlsplit(address).path).lstrip("/")
            if not (folder / target).is_file():
                dead.append(f"{name}: the link to {target} leads nowhere")
            elif anchor.startswith("/"):  # how reveal.js numbers slides
                continue
            elif anchor and unquote(anchor) not in seen.get(target, page)["places"]:
                dead.append(f"{name}: {target} has no place called {unquote(anchor)}")
    return dead


if __name__ == "__main__":
    sys.exit(main())

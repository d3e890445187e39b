"""Take the README's picture of the lab: docs/10_sna_lab.png, from a real browser.

python tools/lab_picture.py
"""

import sys
import tempfile

import served

TASK = "poetry_hard"
PICTURE = served.ROOT / "docs" / "10_sna_lab.png"


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        served.voila(served.copy_of_notebooks(folder)) as url,
        served.launched() as browser,
    ):
        page = served.new_page(browser)
        # High enough for all of the search: a picture of one element shows what is in sight.
        page.set_viewport_size({"width": 1280, "height": 1240})
        served.open_lab(page, served.voila, url)
        # Not the planted model: the picture would tell where to look.
        served.load_model(page, "minnow")
        served.control(page, "task").locator("select").select_option(TASK)
        page.wait_for_timeout(2000)
        page.get_by_role("button", name="Search", exact=True).click()
        page.locator(".sna-lab", has_text="held-out prompts").wait_for()
        page.get_by_role("button", name="Show the winner").click()
        page.wait_for_timeout(3000)
        page.locator(".sna-lab").scroll_into_view_if_needed()
        page.evaluate("window.scrollTo(0, document.querySelector('.sna-lab').offsetTop)")
        page.screenshot(path=PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())

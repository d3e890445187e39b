"""What `make app` tells Voilà, beside its own flags; the tests' server is told the same.

In Voilà closing a page ends its kernel: the page asks for that, and proves by a cookie that it is
the server's own. Voilà (0.5) never sets this cookie, so that it refuses its own pages, and every
reload leaves a kernel of half a gigabyte behind.
"""

import os
import re


def prepare(handler, notebook, cwd):
    """Give the page its cookie, and leave out what is of no use on a page without code."""
    handler.xsrf_token  # noqa: B018 (reading it sets the cookie)
    for cell in notebook.cells:
        cell.source = re.sub(r"\[!\[Open in Colab\].*\n*", "", cell.source)
        cell.source = cell.source.replace("\nsna.setup()", "")  # prints versions
    return notebook


os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # of its kernels, above the page
c = get_config()  # noqa: F821 (traitlets has it)
c.VoilaConfiguration.prelaunch_hook = prepare
# Where the page could not ask, as when the browser crashed: kernels that no page is connected to.
c.MappingKernelManager.cull_interval = 60
c.MappingKernelManager.cull_idle_timeout = 3600

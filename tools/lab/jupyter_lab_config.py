"""How JupyterLab opens the course: `JUPYTER_CONFIG_PATH=tools/lab python -m jupyterlab`.

Its root is the course's folder, so that links to data and docs work; the first page is the first
notebook; and nobody is asked whether they want news (labconfig).
"""

from pathlib import Path

c = get_config()  # noqa: F821, Jupyter gives it
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[2])
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"

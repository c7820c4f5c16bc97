"""Open the course: `python start.py` makes the environment, installs, and starts JupyterLab on the notebooks.

The one line for people without make, on Windows too; `make lab` and `make test` call it as well.
This file alone must be readable by any old Python, so that an old one can say what it needs.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "The course needs Python 3.11 or newer and this is Python %s: install a newer one and name it, "
        "as in `make lab PYTHON=python3.12` or `python3.12 start.py`." % sys.version.split()[0]
    )

from tools.environment import main

sys.exit(main(sys.argv[1:]))

"""Update the versions of Colab's packages from a list that a person has downloaded.

`make colab FREEZE=FILE` runs this. FILE is the output of `!pip freeze` in a new notebook on Colab,
or `pip-freeze.txt` of the repository googlecolab/backend-info.
"""

import sys
from pathlib import Path

from tests.platforms.table import update_versions

if __name__ == "__main__":
    changes = update_versions("colab", Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("\n".join(changes) or "Nothing has changed.")
    print("Check the Python version of [colab] too: `!python --version` in the same notebook.")

"""Write the images: `python -m tests.screenshots`.

`guide` or `tour` writes one of the two sets, and `--folder DIR` writes into folders in another one.
The images stay the same from run to run: times and IDs that would differ are replaced.
"""

import argparse
import tempfile
from pathlib import Path

from tests.chromium import CHROMIUM, launched
from tests.screenshots import FOLDER, IMAGES, TOUR_FOLDER, TOUR_IMAGES, guide, tour
from tests.screenshots.windows import Images

SETS = {"guide": (guide.write, FOLDER, IMAGES), "tour": (tour.write, TOUR_FOLDER, TOUR_IMAGES)}


def main() -> None:
    """Create the courses, and write their images."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help="guide or tour; default: both")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit(
            "Chromium is missing: install it, for example with apt-get install chromium."
        )
    for name in arguments.sets or SETS:
        write, folder, names = SETS[name]
        folder = arguments.folder / name if arguments.folder else folder
        with tempfile.TemporaryDirectory() as temporary, launched() as browser:
            write(Path(temporary, "course"), browser, Images(folder, names))
        if missing := names - {path.name for path in folder.glob("*.png")}:
            raise SystemExit(f"not written: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()

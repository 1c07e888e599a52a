"""The images in the guide for instructors: an example class, and what a browser shows of it."""

from tests.submissions import ROOT

FOLDER = ROOT / "docs" / "images"
IMAGES = {
    "mark-list.png",
    "mark-one.png",
    "formgrader-list.png",
    "feedback.png",
    "statistics.png",
    "report.png",
}

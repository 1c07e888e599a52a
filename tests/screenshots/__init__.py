"""Images of what a browser shows, for the guide for instructors and for the site's tour."""

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
# The site is public: these images show an assignment that was written for it.
TOUR = ROOT / "course" / "instructor" / "site" / "pages" / "instructors.md"
TOUR_FOLDER = TOUR.parent / "tour"
TOUR_IMAGES = {
    "edit.png",
    "release.png",
    "mark.png",
    "feedback.png",
    "statistics.png",
    "report.png",
}

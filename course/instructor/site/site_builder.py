"""Building the site with Sphinx and MyST-NB, from the public tree alone."""

import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from course.errors import CourseError
from course.instructor.release.public_address import PublicAddress
from course.instructor.sandbox.worker_pool import available_cores
from course.instructor.site import (
    demonstrations,
    glossary,
    kept_figures,
    math_font,
    notebook_page,
    opening_facts,
    text_pages,
)

MARKER = ".course-site"  # in a built site, so that a later build may replace it
ARCHIVE = "building-cnns-with-keras.zip"
PROJECT = "Building CNNs with Keras"
STUDENTS_GUIDE = "docs/students.md"
IMAGES = "_images"
TOUR_IMAGES = Path(__file__).parent / "pages" / "tour"  # of the page for instructors
ZIP_DATE = (2020, 1, 1, 0, 0, 0)  # the same for each build, so that equal trees give equal archives

SETTINGS = {
    "project": PROJECT,
    "html_title": PROJECT,
    "language": "en",
    "extensions": ["myst_nb", "course.instructor.site.sphinx_extension"],
    "html_theme": "furo",
    "html_math_renderer": "mathml",
    "html_css_files": ["site.css"],
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_use_index": False,
    "highlight_language": "none",
    "myst_enable_extensions": ["attrs_inline", "deflist", "dollarmath"],
    "myst_heading_anchors": 4,
    "myst_update_mathjax": False,
    "nb_execution_mode": "off",  # the demonstrations have run already
    "nb_merge_streams": True,
    "suppress_warnings": ["mystnb.unknown_mime_type", "myst.header"],
}


def check_folder(directory: Path, root: Path) -> None:
    """Raise CourseError if a folder is not suitable for the site of a course directory.

    It must be new, empty, or an earlier site, and outside the course directory or in `build/`.
    """
    resolved, course = directory.resolve(), root.resolve()
    inside = resolved.is_relative_to(course)
    if inside and resolved.relative_to(course).parts[:1] != ("build",):
        raise CourseError(f"{directory} is in the course directory: choose a folder in build/.")
    if inside and resolved.relative_to(course) == Path("build"):
        raise CourseError(f"{directory} contains other results: choose a folder in it.")
    if course.is_relative_to(resolved):
        raise CourseError(f"{directory} contains the course directory: choose a new folder.")
    if resolved.exists() and not resolved.is_dir():
        raise CourseError(f"{directory} is a file: choose a new folder.")
    if resolved.exists() and any(resolved.iterdir()) and not (resolved / MARKER).is_file():
        raise CourseError(
            f"{directory} is not empty and is not an earlier site: choose a new folder, because"
            " building the site replaces all files in it."
        )


def build(
    files: Mapping[str, bytes], directory: Path, address: PublicAddress
) -> tuple[int, list[str]]:
    """Build the site of a public tree in a folder.

    Returns the number of pages, and the assignments whose kept figures are not those of their code.
    `files` maps the paths in the tree to their content. The site is built in a folder beside
    `directory`, which it then replaces, so that a killed build leaves the old site or none.
    """
    target = directory.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name}.new")
    shutil.rmtree(staging, ignore_errors=True)  # a killed build can leave it behind
    try:
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary, "source")
            source.mkdir()
            outdated = _write_pages(source, files, address)
            # MyST-NB writes a folder beside the one with the pages, too.
            _run_sphinx(source, staging / "html", Path(temporary, "doctrees"))
        math_font.write(staging / "html")
        _add_downloads(staging / "html", files)
        shutil.rmtree(target, ignore_errors=True)
        (staging / "html").rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return len(list(target.glob("*.html"))), outdated


def _write_pages(source: Path, files: Mapping[str, bytes], address: PublicAddress) -> list[str]:
    """Write the pages from which Sphinx builds the site; return the outdated assignments."""
    paths = {
        PurePosixPath(path).parts[1]: path
        for path in files
        if path.startswith("release/") and path.endswith(".ipynb")
    }
    notebooks = {
        name: nbformat.reads(files[path].decode(), as_version=4) for name, path in paths.items()
    }
    _check_address(files, paths, address)
    facts = [opening_facts.read(name, notebook) for name, notebook in notebooks.items()]
    definitions = glossary.definitions(notebooks)
    launch = {
        name: address.launch_addresses(path) if address.is_set else {}
        for name, path in paths.items()
    }
    _add_outputs(notebooks)
    outdated = [
        name for name, notebook in notebooks.items() if not kept_figures.add_outputs(notebook, name)
    ]
    for name, notebook in notebooks.items():
        terms = [each for each in definitions if each.name == name]
        page = notebook_page.render(name, paths[name], notebook, launch[name], terms, notebooks)
        (source / f"{name}.ipynb").write_text(page, encoding="utf-8")
    guide = files[STUDENTS_GUIDE].decode()
    colab = {name: links["Colab"] for name, links in launch.items() if links}
    pages = {
        "index": text_pages.landing(facts, colab, paths, guide, ARCHIVE),
        "grading": text_pages.grading(facts, guide),
        "glossary": text_pages.glossary(definitions),
        "instructors": text_pages.instructors(facts, address.url if address.is_set else None),
        "students": text_pages.students(guide, bool(colab)),
    }
    for name, text in pages.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.copytree(TOUR_IMAGES, source / TOUR_IMAGES.name)
    images = source / "extra" / IMAGES
    images.mkdir(parents=True)
    for each in facts:
        if each.figure:
            (images / f"{each.name}.png").write_bytes(each.figure)
    return outdated


def _check_address(
    files: Mapping[str, bytes], paths: Mapping[str, str], address: PublicAddress
) -> None:
    """Raise CourseError if the install cells do not have the address that the buttons open."""
    others = [name for name, path in paths.items() if address.url.encode() not in files[path]]
    if address.is_set and others:
        raise CourseError(
            "release/ was compiled with another address than that of nbgrader_config.py"
            f" ({', '.join(others)}): run course release, and build the site again."
        )


def _add_outputs(notebooks: Mapping[str, NotebookNode]) -> None:
    """Run the demonstrations of several notebooks at a time."""
    with ThreadPoolExecutor(available_cores()) as pool:
        jobs = [
            pool.submit(demonstrations.add_outputs, notebook, name)
            for name, notebook in notebooks.items()
        ]
        for job in jobs:
            job.result()


def _run_sphinx(source: Path, output: Path, doctrees: Path) -> None:
    """Build the HTML pages; raise CourseError if Sphinx warns, such as about a broken link."""
    from sphinx.application import Sphinx

    warnings = io.StringIO()
    extra = {
        "html_favicon": str(Path(__file__).parent / "static" / "icon.svg"),
        "html_static_path": [str(Path(__file__).parent / "static")],
        "html_extra_path": [str(source / "extra")],
        "exclude_patterns": ["extra"],
    }
    app = Sphinx(
        source, None, output, doctrees, "html", SETTINGS | extra, status=None, warning=warnings
    )
    app.build(force_all=True)
    if problems := warnings.getvalue().strip().splitlines():
        problem = problems[0].replace(f"{source}/", "")
        raise CourseError(
            f"Sphinx reports {len(problems)} problems, the first of which is: {problem} Correct it,"
            " and build the site again."
        )


def _add_downloads(site: Path, files: Mapping[str, bytes]) -> None:
    """Add the notebooks with their accompanying files, and an archive of the public tree."""
    for path, content in files.items():
        if path.startswith("release/"):
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_bytes(content)
    with zipfile.ZipFile(site / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(f"{PurePosixPath(ARCHIVE).stem}/{path}", ZIP_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    # GitHub Pages would otherwise leave out the folders whose names start with an underscore.
    (site / ".nojekyll").touch()
    (site / ".buildinfo").unlink(missing_ok=True)
    shutil.rmtree(site / "_sources", ignore_errors=True)
    (site / MARKER).write_text("Written by course site, which replaces all files here.\n")

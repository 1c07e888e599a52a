"""`course site` on the whole course: what the site contains, reveals, requests, and looks like."""

import ast
import copy
import functools
import http.server
import re
import textwrap
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from fontTools import ttLib
from nbgrader import utils

from course.instructor.site import glossary, references
from course.plotting import result_figure
from tests.chromium import needs_chromium
from tests.conftest import BIN, run_command
from tests.instructor.grading.secrets import (
    HIDDEN,
    cells_of,
    digits,
    expected_in,
    numbers_in,
)
from tests.instructor.release.secret_search import (
    MARKERS,
    instructor_modules,
    search,
    secrets,
)
from tests.submissions import ROOT

bs4 = pytest.importorskip("bs4")
pytest.importorskip("furo", reason="needs pip install '.[site]'")
pytest.importorskip("ziamath", reason="needs pip install '.[site]'")
pytestmark = pytest.mark.slow

NAMES = sorted(path.parent.name for path in ROOT.glob("release/*/*.ipynb"))
GUIDES = ["glossary", "grading", "index", "instructors", "students"]
MAX_SECONDS = 180


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site of the whole course once, within the time that it may take."""
    directory = tmp_path_factory.mktemp("site") / "site"
    start = time.monotonic()
    done = run_command(BIN / "course", "-C", ROOT, "site", directory)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < MAX_SECONDS
    return directory


@pytest.fixture(scope="module")
def pages(site):
    """Return the parsed pages by their names."""
    return {
        path.name: bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(site.glob("*.html"))
    }


def test_there_is_a_page_for_each_assignment_and_guide(pages):
    assert sorted(pages) == sorted(f"{name}.html" for name in [*NAMES, *GUIDES, "search"])


def test_no_hidden_test_solution_or_mark_scheme_is_in_the_site(site, pages, tmp_path):
    secret_lines, modules = secrets(ROOT), instructor_modules(ROOT)
    assert len(secret_lines) > 500
    for name, page in pages.items():  # without the tags that highlight code
        (tmp_path / f"{name}.txt").write_text(page.get_text(), encoding="utf-8")
        attributes = [str(tag.get("alt", "")) + str(tag.get("href", "")) for tag in page.find_all()]
        (tmp_path / f"{name}.attributes.txt").write_text("\n".join(attributes), encoding="utf-8")
    for archive in site.glob("*.zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(tmp_path / "archive")
    assert search(site, secret_lines, modules) == []
    assert search(tmp_path, secret_lines, modules) == []


def test_no_page_contains_a_value_that_a_hidden_check_expects(pages):
    checked = 0
    for name in NAMES:
        released = "\n".join(cell["source"] for cell in cells_of(ROOT / "release" / name))
        source = "\n".join(cell["source"] for cell in cells_of(ROOT / "source" / name))
        trees = [ast.parse(textwrap.dedent(region)) for region in HIDDEN.findall(source)]
        expected = {value for tree in trees for value in expected_in(tree) if digits(value) > 2}
        secret = expected - numbers_in(released)
        checked += len(secret)
        shown = pages[f"{name}.html"].select_one("article").get_text()
        assert not secret & numbers_in(shown), name
    assert checked > 5


def test_no_page_contains_the_code_of_a_check(site, pages):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    checked = 0
    for name in NAMES:
        (path,) = (ROOT / "release" / name).glob("*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        others = squeezed(*(cell.source for cell in notebook.cells if not is_check(cell)))
        shown = squeezed(pages[f"{name}.html"].get_text(), index)
        for cell in filter(is_check, notebook.cells):
            lines = {squeezed(line) for line in cell.source.splitlines()[1:]}
            lines = {line for line in lines if len(line) >= 10 and line not in others}
            assert lines
            assert not [line for line in lines if line in shown], (name, cell.id)
            checked += 1
    assert checked > 50


def squeezed(*texts):
    return re.sub(r"\s+", "", "".join(texts))


def is_check(cell):
    return utils.is_grade(cell) and not utils.is_solution(cell)


def test_a_check_and_other_cells_without_interest_are_one_line(pages):
    for name in NAMES:
        steps = [each.get_text() for each in pages[f"{name}.html"].select("p.step")]
        assert steps[0] == "Install the course package. Run this cell first, in the notebook."
        assert any(step.startswith("Check exercise 1") for step in steps)
        assert steps[-1].startswith("Pack the submission. Run this cell last")


def test_collapsed_code_says_what_it_is(pages):
    summaries = [each for page in pages.values() for each in page.select("details.hide > summary")]
    assert len(summaries) > 10
    assert all(each.get_text().startswith("Code: ") for each in summaries)


def test_a_page_says_at_its_top_where_to_run_the_notebook_and_which_cells_are_yours(pages):
    for name in NAMES:
        page = pages[f"{name}.html"]
        box = page.select_one("h1 + div.reading")
        assert "To run it, change it, and be graded, download it." in box.get_text()
        assert box.select_one("a[download]")
        code = any("run.choose(" in each.get_text() for each in page.select("pre"))
        assert not code or box.find("a", href="students.html#profiles")
        notebook = nbformat.read(next((ROOT / "release" / name).glob("*.ipynb")), as_version=4)
        answers = [cell for cell in notebook.cells if utils.is_solution(cell)]
        labels = [each.get_text() for each in page.select("p.yours")]
        expected = ["Your code" if c.cell_type == "code" else "Your answer" for c in answers]
        assert labels == expected


def test_the_search_finds_a_solution_that_a_page_contains(tmp_path):
    secret_lines = secrets(ROOT)
    line = next(iter(secret_lines))
    (tmp_path / "page.html").write_text(f"<pre>{line}</pre>", encoding="utf-8")
    assert search(tmp_path, secret_lines, set())


def test_answers_and_checks_have_no_outputs(pages):
    for name in NAMES:
        text = pages[f"{name}.html"].get_text()
        assert not MARKERS.search(text)
        lines = "Not yet:", "Traceback (most recent call last)", "This cell cannot read", "warning:"
        for line in lines:
            outputs = pages[f"{name}.html"].select(".cell_output")
            assert outputs and not any(line in output.get_text() for output in outputs)


def test_the_landing_page_shows_the_results_that_the_notebooks_contain(site, pages):
    shown = {image["src"] for image in pages["index.html"].select(".results img")}
    assert shown == {f"_images/{name}.png" for name in NAMES}
    for name in NAMES:
        image = (site / "_images" / f"{name}.png").read_bytes()
        assert image == result_figure.image_path(name).read_bytes()
        link = pages["index.html"].find("a", href=f"_images/{name}.png")
        assert link.img["alt"] == result_figure.alt_text(name)


def test_each_figure_on_the_landing_page_has_a_caption_for_beginners(pages):
    captions = pages["index.html"].select(".results figcaption")
    assert len(captions) == len(NAMES)
    for caption in captions:
        assert caption.a["href"] in pages
        assert 5 <= len(caption.p.get_text().split()) <= 30
        assert not re.search(r"MAC|L2|ReLU|tensor|epoch|seed", caption.p.get_text())


def test_the_landing_page_answers_the_first_questions(pages):
    headings = [each.get_text().rstrip("¶#") for each in pages["index.html"].select("h2")]
    questions = ["What you will be able to do", "What you build", "How long it takes"]
    questions += ["Start on a laptop", "How grading works"]
    assert [each for each in headings if each in questions] == questions
    text = pages["index.html"].get_text()
    assert "156 points" in text and "about 90 minutes" in text
    assert "eight JupyterLab notebooks" in text and "version" not in text


def test_without_a_public_address_pages_promise_no_platform(pages):
    landing = pages["index.html"].select_one("article")
    assert not landing.select('a[href*="colab.research.google.com"]')
    assert "Save a copy in Drive" not in landing.get_text()
    assert "Colab buttons on your instructor's page" in landing.get_text().replace("’", "'")
    assert "badges in the notebooks of this site do not work" in pages["students.html"].get_text()
    commands = [each.get_text() for each in landing.select("ol pre")]
    assert "python3 -m venv .venv" in commands[0] and "jupyter lab" in commands[1]
    assert "buttons on these pages" not in pages["instructors.html"].get_text()
    for name, page in pages.items():
        prose = copy.copy(page)
        for code in prose.select("pre"):  # the install cell is what the download contains
            assert "YOUR_ORGANIZATION" not in code.get_text() or "%pip install" in code.get_text()
            code.decompose()
        assert "YOUR_ORGANIZATION" not in str(prose), name
    for name in NAMES:
        assert "your instructor has to set it" in pages[f"{name}.html"].get_text()


def test_the_rules_about_grading_are_on_one_page(pages):
    rule = "The outputs in your notebook are not graded."
    assert [name for name, page in pages.items() if rule in page.get_text()] == ["grading.html"]
    links = {link["href"] for link in pages["students.html"].select("article a")}
    assert {"grading.html#the-rules", "grading.html#reading-a-check"} <= links


def test_the_points_by_a_program_and_by_a_person_add_up_to_those_of_the_notebooks(pages):
    rows = [row.select("td") for row in pages["grading.html"].select("table")[0].select("tr")[1:]]
    points = {
        row[0].get_text(): tuple(int(each.get_text()) for each in row[1:] if row) for row in rows
    }
    assert points["01-convolution"] == (20, 4, 24)
    assert points.pop("All") == tuple(sum(each) for each in zip(*points.values(), strict=True))
    assert all(program + person == total for program, person, total in points.values())


def test_the_page_about_grading_begins_with_what_to_upload(pages):
    text = pages["grading.html"].select_one("article").get_text()
    assert text.index("What to upload") < text.index("Points")
    assert pages["grading.html"].select_one('article a[href="students.html#submit-your-work"]')


def test_the_landing_page_says_what_you_need_to_know_in_whole_words(pages):
    rows = pages["index.html"].select(".assignments tbody tr")
    assert all(row.select("td")[1].get_text().strip()[0].isupper() for row in rows)
    assert "x[:, 1:]" in pages["index.html"].get_text()


def test_the_menu_has_the_numbers_of_the_assignments(pages):
    links = pages["index.html"].select(".sidebar-tree .toctree-l1 > a")
    assert [link.get_text()[:2] for link in links][:8] == [name[:2] for name in NAMES]


def test_the_student_guide_has_a_list_of_its_sections(pages):
    headings = pages["students.html"].select("article h2")
    links = pages["students.html"].select("article h1 ~ ul")[0].select("a")
    assert [link.get_text() for link in links] == [each.contents[0] for each in headings]


def test_the_tour_shows_its_images_and_they_open_in_full_size(site, pages):
    links = pages["instructors.html"].select("article a.image-reference")
    tour = ROOT / "course" / "instructor" / "site" / "pages" / "tour"
    assert {Path(link["href"]).name for link in links} == {path.name for path in tour.iterdir()}
    for link in links:
        image = link.select_one("img")
        assert image["src"] == link["href"] and len(image["alt"]) > 30
        assert (site / link["href"]).read_bytes() == (tour / Path(link["href"]).name).read_bytes()


def test_an_animation_is_a_strip_of_steps_that_says_so(pages):
    notes = [
        each
        for each in pages["01-convolution.html"].select("p.others")
        if "this is an animation" in each.get_text()
    ]
    assert len(notes) >= 4
    assert all(note.find_previous("img") for note in notes)
    assert not pages["01-convolution.html"].select(".cell_output script")


def test_demonstrations_have_figures_and_the_figures_have_texts(pages):
    for name in NAMES:
        images = pages[f"{name}.html"].select(".cell_output img")
        assert images, name
        assert all(image["alt"].strip() for image in images)
        assert all(image.parent["href"] == image["src"] for image in images)
        assert not any("object at" in image["alt"] for image in images)


def test_a_missing_figure_is_announced_where_it_would_be(pages):
    for name in NAMES:
        cells = pages[f"{name}.html"].select("div.cell")
        drawing = [cell for cell in cells if re.search(r"^plotting\.", cell.get_text(), re.M)]
        assert drawing
        for cell in drawing:
            later = [each.get_text() for each in cell.select(".cell_output .later")]
            is_announced = any(text.startswith("Figure") for text in later)
            assert is_announced != bool(cell.select(".cell_output img")), cell.get_text()
        for cell in pages[f"{name}.html"].select("div.cell:has(.later)"):
            assert re.search(r"plotting\.|questions\.ask|\.table\(", cell.get_text())


def test_missing_tables_and_questions_are_announced(pages):
    announced = [
        [later.get_text().partition(":")[0] for later in pages[f"{name}.html"].select(".later")]
        for name in NAMES
    ]
    assert all("Table" in kinds for kinds in announced[1:])
    assert "Questions" in announced[0] and "Questions" in announced[2]


def test_formulas_are_mathml_and_no_page_has_an_unconverted_one(pages):
    assert pages["01-convolution.html"].select("math")
    for name, page in pages.items():
        prose = copy.copy(page.select_one("article"))
        for code in prose.select("pre, code") if prose else []:
            code.decompose()
        assert not prose or not re.search(r"\$[^$\n]+\$|\\frac", prose.get_text()), name


def test_the_glossary_has_the_terms_and_links_to_their_definitions(pages):
    terms = {each.get_text() for each in pages["glossary.html"].select("dt")}
    expected = {"Kernel", "Stride", "Softmax", "Receptive field", "Residual block", "Head"}
    assert expected <= terms
    assert len(terms) > 50
    assert not terms & {"Play", "Predict", "All", "Why", "Augmentation", "Dead", "Significant"}
    links = pages["glossary.html"].select("dd a.internal")
    assert all("#" in link["href"] for link in links) and len(links) == len(terms)


def test_the_glossary_links_to_the_first_place_where_a_term_is_bold(pages):
    links = {
        entry.get_text(): entry.find_next("dd").select_one("a")["href"]
        for entry in pages["glossary.html"].select("dt")
    }
    bold = {}
    for name in NAMES:
        for each in pages[f"{name}.html"].select("article section strong"):
            if not each.find_parent("table"):
                bold.setdefault(each.get_text().lower(), (f"{name}.html", each))
    checked = 0
    for term, link in links.items():
        name, _, anchor = link.partition("#")
        target = pages[name].find(id=anchor)
        assert len(target.get_text()) <= len(term) + 20, "an anchor is the term itself"
        if term.lower() in bold and target.strong and target.get_text().lower() == term.lower():
            first, place = bold[term.lower()]
            assert first == name and place.find_parent("span")["id"] == anchor, term
            checked += 1
    assert checked > 50


def test_terms_that_are_not_bold_are_in_the_glossary_too(pages):
    terms = {each.get_text() for each in pages["glossary.html"].select("dt")}
    expected = {"Accuracy", "Activation", "Baseline", "Confidence interval", "Optimizer", "Seed"}
    assert expected | {"Standard deviation", "Underfitting"} <= terms


def test_notebooks_and_sections_that_a_page_mentions_are_links(pages):
    page = pages["04-mlp-vs-cnn.html"].select_one("article")
    links = {(link.get_text(), link["href"]) for link in page.select("a.reference")}
    assert {
        ("notebook 01", "01-convolution.html"),
        ("02", "02-mnist.html"),
        ("section 3", "#what-a-dense-layer-learns"),
        ("7", "#two-larger-networks"),
    } <= links


def test_code_formulas_links_and_unknown_numbers_are_not_references():
    known = references.Targets({"02": "02-mnist.ipynb"}, {"3": "#3-a"})
    for text in (
        "`section 3`",
        "$section 3$",
        "[section 3](x)",
        "## 3 Section 3",
        "```\nnotebook 02\n```",
        "    notebook 02",
        "section 3.1",
        "section 3 of the paper",
        "section 4",
        "notebook 09",
        "(02-mnist)",
        "<summary>Section 3</summary>",
    ):
        assert references.link(text, known) == text
    linked = "In [notebook 02](02-mnist.ipynb), sections 1, [3](#3-a), and 4 ([02](02-mnist.ipynb))"
    assert references.link("In notebook 02, sections 1, 3, and 4 (02)", known) == linked


def test_each_term_of_the_glossary_is_bold_in_a_notebook_and_each_bold_term_is_defined():
    notebooks = {
        path.parent.name: nbformat.read(path, as_version=4)
        for path in sorted(ROOT.glob("release/*/*.ipynb"))
    }
    assert glossary.undefined_terms(notebooks) == []
    assert glossary.unused_terms(notebooks) == []
    opening, text = (nbformat.v4.new_markdown_cell(each) for each in ("# A", "A **foo bar** is."))
    other = nbformat.v4.new_notebook(cells=[opening, text])
    assert glossary.undefined_terms({"01-small": other}) == ["foo bar"]
    assert "Kernel" in glossary.unused_terms({"01-small": other})


def test_every_link_and_anchor_in_the_site_exists(site, pages):
    ids = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    checked = 0
    for name, page in pages.items():
        for link in page.find_all(href=True) + page.find_all(src=True):
            address = urlsplit(link.get("href") or link.get("src"))
            if address.scheme or address.netloc:
                assert address.scheme in ("https", "data"), address
                continue
            target = unquote(address.path) or name
            assert (site / target).is_file(), (name, target)
            if address.fragment and target in ids:
                fragment = unquote(address.fragment)
                assert fragment in ids[target] | {""}, (name, target, fragment)
            checked += 1
    assert checked > 500


def test_the_downloads_are_what_students_get(site):
    for path in ROOT.glob("release/*/*.ipynb"):
        assert (site / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    with zipfile.ZipFile(site / "building-cnns-with-keras.zip") as archive:
        names = archive.namelist()
    assert "building-cnns-with-keras/requirements.txt" in names
    assert not any("/instructor" in name or "/source/" in name for name in names)


def test_the_font_of_the_formulas_is_in_the_site_with_its_license(site):
    font = ttLib.TTFont(site / "_static" / "math.woff")
    assert "MATH" in font  # what stretches roots and brackets
    assert {ord("x"), 0x1D465, ord("⌊"), ord("√"), ord("∑")} <= font.getBestCmap().keys()
    assert "SIL Open Font License" in font["name"].getDebugName(13)
    assert (site / "_static" / "math.woff").stat().st_size < 150_000


def test_figures_that_need_no_answer_are_shown_with_real_images(pages):
    for name, cells in {
        "01-convolution": ["A 1 × 1 filter computes a weighted sum"],
        "02-mnist": ["Each row shows one digit", "The weights of each digit"],
        "04-mlp-vs-cnn": ["Each row shows twelve photos of one class"],
        "06-dropout-batchnorm": ["No regularization"],
    }.items():
        alts = [image["alt"] for image in pages[f"{name}.html"].select(".cell_output img")]
        assert all(any(title in alt for alt in alts) for title in cells), (name, alts)
    notes = [each.get_text() for each in pages["02-mnist.html"].select(".others")]
    assert "From our run in the cpu profile. “Your” in a figure means this run." in notes


def test_pages_load_nothing_from_other_servers(pages):
    for name, page in pages.items():
        loaded = [tag["src"] for tag in page.find_all(src=True)]
        loaded += [tag["href"] for tag in page.find_all("link", href=True)]
        assert not [each for each in loaded if urlsplit(each).netloc], name


def test_pages_have_one_title_labels_and_headings_for_screen_readers(pages):
    for name, page in pages.items():
        assert page.html["lang"] == "en"
        assert len(page.select("h1")) == 1, name
        assert all(image.get("alt") is not None for image in page.select("img")), name
        asides = [each.get("aria-label") for each in page.select("aside")]
        assert None not in asides and len(set(asides)) == len(asides), name
        assert all(each.get("aria-level") for each in page.select("[role=heading]")), name
        assert all(each.get_text(strip=True) for each in page.select("th")), name
        article = page.select_one("article") or page
        assert all(each.get("tabindex") == "0" for each in article.select("pre")), name


@pytest.fixture(scope="module")
def address(site):
    """Serve the site on loopback; return the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_every_page_fits_a_phone_and_requests_nothing_else(browser, address, pages, scripts):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=scripts
    )
    page, requested, problems = context.new_page(), [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: problems.append((str(error),)))
    page.on("requestfailed", lambda request: problems.append((request.url, request.failure)))
    for name in pages:
        page.goto(address + name)
        if name != "search.html":
            assert page.locator("article h1").is_visible()
        if scripts:
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    context.close()
    # Opening the next page cancels the request for the icon of the previous one.
    assert [each for each in problems if each[1:] != ("net::ERR_ABORTED",)] == []
    assert len(requested) > len(pages)
    assert all(url.startswith((address, "data:")) for url in requested)


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("start", ["glossary.html", "01-convolution.html"])
def test_a_link_to_a_late_section_of_a_new_page_ends_at_its_heading(browser, address, start):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address + start)
    section = "#going-further-optional"
    if start == "glossary.html":
        page.evaluate("target => location.assign(target)", f"01-convolution.html{section}")
    else:
        page.locator(f'.toc-tree a[href="{section}"]').click()
    page.wait_for_url(f"{address}01-convolution.html{section}")
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)  # the page scrolls smoothly
    assert 0 <= page.locator(f"{section} h2").bounding_box()["y"] < 800 / 3
    context.close()


def test_images_have_their_final_size_before_they_are_loaded(pages):
    for name, page in pages.items():
        for image in page.select("img"):
            assert image["width"].isdigit() and image["height"].isdigit(), name
            assert "loading" not in image.attrs, name


@pytest.mark.browser
@needs_chromium
def test_a_table_of_numbers_fits_a_phone(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{address}grading.html")
    table = page.locator(".table-wrapper").first
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")
    context.close()


@pytest.mark.browser
@needs_chromium
def test_a_laptop_shows_the_contents_of_a_page_and_88_characters_of_code(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}04-mlp-vs-cnn.html")
    contents = page.locator(".toc-drawer").bounding_box()
    text = page.locator("article").bounding_box()
    assert contents["x"] >= text["x"] + text["width"] and contents["x"] + contents["width"] <= 1280
    code = page.locator("div.cell_input pre").first
    code.evaluate("(each, line) => { each.textContent = line }", "x" * 88)
    assert code.evaluate("each => each.scrollWidth <= each.clientWidth")
    context.close()


@pytest.mark.browser
@needs_chromium
def test_collapsed_code_has_a_triangle_and_is_as_large_as_other_code(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}01-convolution.html")
    summary = page.locator("details.hide > summary").first
    assert summary.evaluate("each => getComputedStyle(each).display") == "list-item"
    summary.click()
    code = page.locator("details.hide[open] pre").first
    assert code.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") >= 13
    context.close()


@pytest.mark.browser
@needs_chromium
def test_the_colors_follow_the_system_and_figures_stay_readable(browser, address):
    colors = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, java_script_enabled=True)
        page = context.new_page()
        page.goto(f"{address}01-convolution.html")
        read = "selector => getComputedStyle(document.querySelector(selector)).backgroundColor"
        colors[scheme] = page.evaluate(read, "body")
        assert page.evaluate(read, ".cell_output img") == "rgb(255, 255, 255)"
        context.close()
    assert colors["light"] != colors["dark"]


@pytest.mark.browser
@needs_chromium
def test_the_first_result_for_how_to_submit_is_the_section_that_explains_it(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}search.html?q=how+to+submit")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=20_000)
    assert first.get_attribute("href").startswith("students.html#")
    context.close()


@pytest.mark.browser
@needs_chromium
def test_the_search_finds_a_term_without_a_network(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}search.html?q=receptive")
    page.locator("#search-results li a", has_text="VGG-16").first.wait_for(timeout=20_000)
    context.close()

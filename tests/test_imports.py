"""Imports between the folders of `course/` run one way, as CONTRIBUTING.md shows."""

import ast

import pytest

from tests.submissions import ROOT

INSTRUCTOR = ROOT / "course" / "instructor"
# A folder or module may import those of the rows below its own, and the student package.
ROWS = [
    {"cli"},
    {"students"},
    {"leaderboard", "marking", "site", "watch"},
    {
        *("doctor", "evidence_measurement", "export", "feedback", "regression", "similarity"),
        "statistics",
    },
    {"collect"},
    {"grading"},
    {"gradebook"},
    {"lateness", "release", "student_text"},
    {"analysis", "roster", "sandbox"},
    {
        *("course_dir", "csv_files", "file_lock", "pages", "provided_files", "shortened_list"),
        *("submission_time", "thread_safe_parsing", "unfinished_change"),
    },
]
ROW_OF = {name: number for number, names in enumerate(ROWS) for name in names}
NAMES = sorted(path.stem for path in INSTRUCTOR.iterdir() if not path.name.startswith("__"))


def imported_modules(path):
    """Return the dotted names of the modules that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def instructor_parts(modules):
    """Return the folders or modules of `course/instructor/` among dotted names."""
    parts = [name.split(".") for name in modules]
    return {part[2] for part in parts if part[:2] == ["course", "instructor"] and len(part) > 2}


def files_of(name):
    folder = INSTRUCTOR / name
    return folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]


def test_every_folder_of_the_instructor_has_its_row():
    assert set(NAMES) == set(ROW_OF)


@pytest.mark.parametrize("name", NAMES)
def test_imports_run_one_way(name):
    for path in files_of(name):
        for other in instructor_parts(imported_modules(path)) - {name}:
            assert ROW_OF[name] < ROW_OF[other], f"{path} imports {other}"


def test_the_student_package_imports_nothing_of_the_instructor():
    paths = [path for path in (ROOT / "course").rglob("*.py") if INSTRUCTOR not in path.parents]
    assert len(paths) > 40
    for path in paths:
        assert not instructor_parts(imported_modules(path)), path


def test_no_modules_import_each_other_in_a_circle():
    """Follow imports at the top of modules from each module; none leads back to it."""
    graph = {}
    for path in (ROOT / "course").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        graph[name] = imported_modules(path)
    modules = set(graph)

    def targets(name):
        for target in graph[name]:
            module = target if target in modules else target.rpartition(".")[0]
            if module in modules and module != name:
                yield module

    done = set()

    def visit(name, way):
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in targets(name):
                visit(target, [*way, name])
            done.add(name)

    for name in sorted(modules):
        visit(name, [])

"""JUnit XML, which CI servers read, with one suite per run and one case per verdict."""

from pathlib import Path
from xml.etree import ElementTree

from course.files import write_atomically
from course.instructor.regression.checked_run import CheckedRun
from course.instructor.sandbox.cell_execution import printable


def write_junit(path: Path, checked_runs: list[CheckedRun]) -> None:
    """Write the verdicts on runs as JUnit XML."""
    suites = ElementTree.Element("testsuites")
    for each in checked_runs:
        run = each.run
        name = f"{run.assignment} {run.setting} seed {run.seed} {run.backend}"
        suite = ElementTree.SubElement(suites, "testsuite", name=name, time=str(run.seconds))
        cases = [("runs to its end", run.error, "failure")]
        for verdict in each.verdicts:
            if verdict.state in ("new", "not compared"):
                cases.append((verdict.name, verdict.reason, "skipped"))
            else:
                reason = verdict.reason if verdict.failed else None
                cases.append((verdict.name, reason, "failure"))
        for label, reason, outcome in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=label, time="0")
            if reason:
                ElementTree.SubElement(case, outcome, message=printable(reason))
        suite.set("tests", str(len(cases)))
        for outcome, key in (("failure", "failures"), ("skipped", "skipped")):
            suite.set(key, str(sum(bool(reason) and it == outcome for _, reason, it in cases)))
    ElementTree.indent(suites)
    write_atomically(path, ElementTree.tostring(suites, encoding="unicode", xml_declaration=True))

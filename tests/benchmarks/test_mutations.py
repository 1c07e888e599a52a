"""The catalogue of mutations, and its program with one mutation."""

import dataclasses
import json

import pytest

from tests.benchmarks.mutations import __main__ as program
from tests.benchmarks.mutations.catalogue import MUTATIONS
from tests.submissions import ROOT, source_cells


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_the_text_to_replace_occurs_once(mutation):
    if mutation.is_of_package:
        text = (ROOT / mutation.place).read_text(encoding="utf-8")
    else:
        text = source_cells(mutation.assignment)[mutation.place]
    assert text.count(mutation.old) == 1
    changed = text.replace(mutation.old, mutation.new)
    compile(changed, mutation.place, "exec")


def test_there_are_mutations_of_every_notebook_and_of_the_package():
    assert len({each.name for each in MUTATIONS}) == len(MUTATIONS) >= 60
    assert len({each.assignment for each in MUTATIONS}) == 8
    assert sum(each.is_of_package for each in MUTATIONS) >= 4


@pytest.mark.slow
def test_a_wrong_number_of_parameters_is_noticed(tmp_path, capsys):
    results = tmp_path / "results.json"
    arguments = ["--only", "03 valid padding", "--results", str(results)]
    assert program.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "smoke notices 1 of 1 mutations" in printed
    (found,) = json.loads(results.read_text(encoding="utf-8")).values()
    assert found["smoke"] and found["smoke without references"]
    assert program.main(arguments) == 0  # this time from the file
    assert "noticed:" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message", "only_by_reference"),
    [
        ("01 average instead of max pooling", "relative_change_after_one_pixel_shift[1]", False),
        ("02 learning rate × 3", "train_model shows", True),
        ("02 transposed confusion matrix", "show-confusion shows a different figure", True),
    ],
)
def test_a_sample_of_mistakes_is_noticed(name, message, only_by_reference):
    (mutation,) = (each for each in MUTATIONS if each.name == name)
    found = program.find_messages(mutation, "smoke")
    assert found["smoke"].startswith(message)
    assert (not found["smoke without references"]) == only_by_reference


@pytest.mark.slow
def test_without_a_mistake_nothing_is_noticed():
    (first, *_) = (each for each in MUTATIONS if each.assignment == "02-mnist")
    same = dataclasses.replace(first, new=first.old)
    assert program.find_messages(same, "smoke") == {"smoke": "", "smoke without references": ""}

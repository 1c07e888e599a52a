"""Figures of transfer learning: which layers are frozen or trained."""

import pytest

from course import plotting

STACKS = {
    "features": [("block 1", "frozen"), ("head", "new")],
    "fine-tuning": [("block 1", "frozen"), ("block 2", "tuned"), ("head", "tuned")],
}


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_each_part_has_a_box_and_each_state_a_name():
    figure = plotting.frozen_and_trained(STACKS, title="Two ways")
    assert len(figure.axes[0].patches) == 5
    assert sorted(texts(figure)) == sorted(
        ["features", "fine-tuning", "block 1", "head", "block 1", "block 2", "head"]
    )
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "trained before, frozen",
        "trained before, trained further",
        "trained from random weights",
    ]
    assert figure.axes[0].get_title(loc="left") == "Two ways"


def test_a_state_without_boxes_is_not_in_the_legend():
    (legend,) = plotting.frozen_and_trained({"scratch": [("head", "new")]}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["trained from random weights"]


@pytest.mark.parametrize(
    ("stacks", "words"), [({}, "at least one"), ({"a": [("head", "cold")]}, "got 'cold'")]
)
def test_wrong_states_are_rejected(stacks, words):
    with pytest.raises(ValueError, match=words):
        plotting.frozen_and_trained(stacks)

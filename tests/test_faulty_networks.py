"""Networks with one fault each: every repair but the right one leaves the fault visible."""

import numpy as np
import pytest

from course import faulty_networks
from course.datasets import load_mnist
from course.errors import CourseError

FAULT_OF = faulty_networks._FAULT_OF


@pytest.fixture(scope="module", params=range(6))
def ten(request):
    (images, labels), _ = load_mnist("smoke", request.param)
    return images[:10], labels[:10]


def passes(result):
    """Return whether both checks pass, with the bounds of the notebook's check."""
    is_right = abs(result["loss"][0] - np.log(10)) < 0.5
    return is_right and result["loss"][-1] < 0.1 and result["correct"][-1] == 10


def test_the_three_networks_have_different_faults():
    assert set(FAULT_OF) == set(faulty_networks.NAMES)
    assert len(set(FAULT_OF.values())) == 3 and set(FAULT_OF.values()) < set(faulty_networks.FAULTS)


def test_a_network_without_a_fault_passes_both_checks(ten):
    result = faulty_networks.train(None, *ten)
    assert passes(result)
    assert len(result["loss"]) == len(result["correct"]) == faulty_networks.STEPS + 1


@pytest.mark.parametrize("name", faulty_networks.NAMES)
@pytest.mark.parametrize("repair", [None, *faulty_networks.FAULTS])
def test_only_the_right_repair_makes_a_network_pass(ten, name, repair):
    result = faulty_networks.train(name, *ten, repair=repair)
    assert passes(result) == (repair == FAULT_OF[name])
    assert np.isfinite(result["loss"]).all()


def test_each_fault_has_its_own_signature(ten):
    results = {fault: faulty_networks._train(fault, *ten) for fault in faulty_networks.FAULTS}
    first = {fault: result["loss"][0] for fault, result in results.items()}
    # Only unscaled inputs change the loss before the first step.
    assert first.pop("inputs") > 20
    assert all(abs(loss - np.log(10)) < 0.5 for loss in first.values())
    # A learning rate that is too large makes the loss jump up.
    assert max(results["learning rate"]["loss"][:10]) > 20
    # With softmax applied twice, the smallest loss is that of the scores 1, 0, ..., 0.
    least = -np.log(np.e / (np.e + 9))
    assert round(least, 2) == 1.46 and round(np.e / (np.e + 9), 2) == 0.23
    assert least < results["softmax"]["loss"][-1] < 1.8
    assert results["softmax"]["correct"][-1] == 10
    # A network memorizes wrong labels as well.
    assert results["labels"]["loss"][-1] < 0.2 and results["labels"]["correct"][-1] == 10
    # If all weights are zero, only the last biases learn: with one image per class, nothing.
    assert results["weights"]["loss"][-1] == pytest.approx(np.log(10), abs=0.35)


@pytest.mark.parametrize("fault", [None, "softmax"])
def test_the_loss_falls_in_each_of_the_first_steps(ten, fault):
    losses = faulty_networks._train(fault, *ten)["loss"][:20]
    assert (np.diff(losses) < 0).all()


def test_unknown_names_are_refused():
    images, labels = np.zeros((1, 28, 28)), np.array([0])
    with pytest.raises(CourseError, match="no network 'D': use one of A, B, C"):
        faulty_networks.train("D", images, labels)
    with pytest.raises(CourseError, match="no fault 'loss': use one of inputs, labels,"):
        faulty_networks.train("A", images, labels, repair="loss")

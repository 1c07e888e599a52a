"""The forkserver of the tests: one for all of them, because it takes seconds to start."""

import pytest

from course.instructor.sandbox import bubblewrap
from course.instructor.sandbox.forkserver_client import Forkserver, shared_forkserver
from tests.instructor.sandbox import open_kernel

SECRET = "COURSE_TEST_SECRET"


@pytest.fixture
def forkserver(monkeypatch):
    """Return the shared forkserver, or a new one if it ended after a long time without a kernel."""
    if problem := bubblewrap.isolation_problem():
        pytest.skip(problem)
    monkeypatch.setenv(SECRET, "hunter2")
    forkserver = shared_forkserver()
    forkserver.wait_until_ready()
    return forkserver


@pytest.fixture
def kernel(forkserver):
    with open_kernel(forkserver) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def unisolated_forkserver():
    """Return a forkserver whose kernels run without a sandbox."""
    with Forkserver(isolated=False) as forkserver:
        forkserver.wait_until_ready()
        yield forkserver

"""The zygote of the tests: one for all of them, since it takes seconds to start."""

import pytest

from course.instructor.sandbox import bubblewrap
from course.instructor.sandbox.forkserver_client import Zygote, shared_zygote
from tests.instructor.sandbox import kernel_of

SECRET = "COURSE_TEST_SECRET"


@pytest.fixture(scope="session")
def zygote():
    if problem := bubblewrap.problem():
        pytest.skip(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, "hunter2")
        zygote = shared_zygote()
        zygote.wait_until_ready()
    return zygote


@pytest.fixture
def kernel(zygote):
    with kernel_of(zygote) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def open_zygote():
    """Return one without a sandbox."""
    with Zygote(isolated=False) as zygote:
        zygote.wait_until_ready()
        yield zygote

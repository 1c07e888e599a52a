"""Jupyter kernels that a forkserver forks, used through Jupyter's own interfaces."""

import asyncio
import os
import time

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course.instructor.regression.kernel_provisioner import ForkserverKernelManager
from course.instructor.sandbox.forkserver_client import notebook_forkserver
from tests.instructor.sandbox import running, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ready():
    notebook_forkserver(os.environ).wait_until_ready()


def executed(*cells, timeout=30, **environment):
    """Run cells in a forked kernel with additions to the environment; return the notebook."""

    class Manager(ForkserverKernelManager):
        def start_kernel(self, **options):
            return super().start_kernel(**options | {"env": os.environ | environment})

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    client = NotebookClient(notebook, timeout=timeout, kernel_manager_class=Manager)
    client.execute()
    return notebook


def printed(notebook):
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )


def test_keras_is_preloaded_and_figures_are_drawn():
    start = time.monotonic()
    notebook = executed(
        "import time; start = time.time(); import keras; print(time.time() - start)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
    )
    assert time.monotonic() - start < 6
    assert float(printed(notebook)) < 1, "keras is imported in the kernel"
    assert any("image/png" in output.get("data", {}) for output in notebook.cells[1].outputs)
    assert not [
        out for cell in notebook.cells for out in cell.outputs if out.get("name") == "stderr"
    ]


def test_keras_is_not_patched():
    # In grading, short training runs are not traced.
    notebook = executed(
        "from keras.src.backend.tensorflow import trainer",
        "print(trainer.TFEpochIterator.__module__)",
    )
    assert printed(notebook).strip() == "keras.src.backend.tensorflow.trainer"


def test_a_kernel_has_its_own_environment_and_random_numbers():
    source = "import os, numpy; print(os.environ['TF_NUM_INTRAOP_THREADS'], numpy.random.rand())"
    one = printed(executed(source, TF_NUM_INTRAOP_THREADS="3")).split()
    other = printed(executed(source, TF_NUM_INTRAOP_THREADS="2")).split()
    assert (one[0], other[0]) == ("3", "2")
    assert one[1] != other[1]


def test_errors_and_time_limits_are_those_of_an_ordinary_kernel():
    with pytest.raises(CellExecutionError, match="so") as caught:
        executed("raise ValueError('so')")
    assert caught.value.ename == "ValueError"
    with pytest.raises(CellTimeoutError):
        executed("import time; time.sleep(60)", timeout=1)


def test_a_kernel_that_dies_is_detected():
    with pytest.raises(DeadKernelError):
        executed("import os; os._exit(3)")


def test_a_kernel_leaves_no_process():
    source = "import os, subprocess; print(os.getpid(), subprocess.Popen(['sleep', '1000']).pid)"
    processes = {int(each) for each in printed(executed(source)).split()}
    assert len(processes) == 2
    assert wait_until(lambda: not running(processes))


def test_a_kernel_can_be_interrupted():
    async def interrupt():
        manager = ForkserverKernelManager()
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        # The text shows that the cell is running: an earlier interrupt would not reach it.
        client.execute("import time\nprint('running')\nwhile True: time.sleep(0.01)")
        while (await client.get_iopub_msg(timeout=30))["msg_type"] != "stream":
            pass
        await manager.interrupt_kernel()
        reply = await client.get_shell_msg(timeout=30)
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return reply["content"]["ename"], await manager.is_alive()

    assert asyncio.run(interrupt()) == ("KeyboardInterrupt", False)

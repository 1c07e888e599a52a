"""Jupyter kernels that a zygote forks, through Jupyter's own door."""

import asyncio
import os
import time

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course.instructor.sandbox.forkserver_client import notebook_zygote
from course.instructor.sandbox.jupyter import WarmKernelManager
from tests.instructor.sandbox import living, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ready():
    notebook_zygote(os.environ).wait_until_ready()


def executed(*cells, timeout=30, **environment):
    """Run cells in a warm kernel and return the notebook; `environment` is added to ours."""

    class Manager(WarmKernelManager):
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


def test_keras_is_there_at_once_and_figures_are_drawn():
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


def test_keras_is_as_it_is_for_a_student():
    # In grading, short trainings are not traced and Adam is one operation.
    notebook = executed(
        "import keras; print(keras.optimizers.Adam.update_step.__module__)",
        "from keras.src.backend.tensorflow import trainer",
        "print(trainer.TFEpochIterator.__module__)",
    )
    assert printed(notebook).split() == [
        "keras.src.optimizers.adam",
        "keras.src.backend.tensorflow.trainer",
    ]


def test_a_kernel_has_the_environment_and_random_numbers_of_its_own():
    source = "import os, numpy; print(os.environ['TF_NUM_INTRAOP_THREADS'], numpy.random.rand())"
    one = printed(executed(source, TF_NUM_INTRAOP_THREADS="3")).split()
    other = printed(executed(source, TF_NUM_INTRAOP_THREADS="2")).split()
    assert (one[0], other[0]) == ("3", "2")
    assert one[1] != other[1]


def test_an_error_and_a_time_limit_are_those_of_any_kernel():
    with pytest.raises(CellExecutionError, match="so") as caught:
        executed("raise ValueError('so')")
    assert caught.value.ename == "ValueError"
    with pytest.raises(CellTimeoutError):
        executed("import time; time.sleep(60)", timeout=1)


def test_a_kernel_that_dies_is_noticed():
    with pytest.raises(DeadKernelError):
        executed("import os; os._exit(3)")


def test_a_kernel_leaves_no_process():
    source = "import os, subprocess; print(os.getpid(), subprocess.Popen(['sleep', '1000']).pid)"
    processes = {int(each) for each in printed(executed(source)).split()}
    assert len(processes) == 2
    assert until(lambda: not living(processes))


def test_a_kernel_can_be_interrupted():
    async def interrupt():
        manager = WarmKernelManager()
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        client.execute("import time\nwhile True: time.sleep(0.01)")
        while (await client.get_iopub_msg(timeout=10))["msg_type"] != "execute_input":
            pass
        await manager.interrupt_kernel()
        reply = await client.get_shell_msg(timeout=10)
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return reply["content"]["ename"], await manager.is_alive()

    assert asyncio.run(interrupt()) == ("KeyboardInterrupt", False)

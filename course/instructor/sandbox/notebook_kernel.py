"""What runs in a kernel for a notebook of our own: an ordinary Jupyter kernel."""

import os

from course.instructor.sandbox import messages


def serve(data, limits):
    """Say which process this is, learn where to listen, and be a Jupyter kernel to the end."""
    import random

    import numpy
    from ipykernel.kernelapp import IPKernelApp

    # Each kernel is forked from the same state.
    random.seed()
    numpy.random.seed()
    messages.send(data, {"process": os.getpid()})
    order, _ = messages.receive(data, 0)
    IPKernelApp.launch_instance(
        # No history: its database would be shared with the other kernels.
        argv=["-f", order["connection_file"], "--HistoryManager.enabled=False"]
    )

"""Preloaded processes that run cells, sandboxed for submissions.

A *forkserver* imports Keras once and forks *kernels*. For submissions it runs inside bubblewrap,
and each kernel enters its own namespaces and mounts its own scratch folder. Modules:

bubblewrap         builds the bubblewrap command; checks that this machine can isolate kernels
cell_error         the error of a cell, as plain data
eager_steps        patches Keras so that short training runs are not traced
execute            runs cells in IPython; errors and output are plain data
executor           runs notebooks in parallel, on this machine or on a Dask cluster
forkserver         the preloaded process: imports, forks and kills kernels
forkserver_client  starts and shares forkservers; starts kernels
hardening          the restrictions that a kernel puts on itself before it runs any cell
jupyter            Jupyter provisioner for kernels that a forkserver forks
kernel_client      requests to one kernel, and the reason why it ended
limits             resource limits of a kernel
messages           message format: a JSON header and blocks of bytes
seccomp            the system calls that a kernel must not make
"""

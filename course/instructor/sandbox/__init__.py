"""Warm, sandboxed kernels: processes that have Keras imported and can touch nothing.

A *zygote* imports once, inside bubblewrap, and forks. Each *kernel* that it forks enters namespaces
of its own, mounts its own scratch and then runs cells that it gets over one socket. Modules:

host      the caller's side: `Zygote`, `Kernel`
sandbox   the bubblewrap command line, and whether this machine can run it
zygote    what runs inside: imports, forks, kills
confine   what a forked kernel does to itself before it runs a line of anybody's
syscalls  the system calls it may not make
shell     running cells in IPython, with errors and output as data
wire      messages: a JSON header and blocks of bytes
limits    what a kernel may use
"""

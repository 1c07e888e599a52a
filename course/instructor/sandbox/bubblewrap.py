"""The bubblewrap command around a zygote, and whether this machine can run it."""

import os
import platform
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from course.instructor.sandbox import seccomp
from course.instructor.sandbox.limits import SCRATCH

KIT, ENVIRONMENT = "/opt/kit", "/opt/environment"
HOW_TO_INSTALL = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap)"


def command(arguments, devices=()):
    """Return the command that runs Python with arguments inside the sandbox.

    Inside are the system's programs and libraries, the interpreter, its packages and the package
    `course`, all read-only, and empty places that a kernel mounts its own scratch over. There is no
    network, no process but its own, and none of the course directory.

    Parameters
    ----------
    arguments : list of str
        What Python is to run.
    devices : sequence of str
        Paths of devices to let in, such as "/dev/nvidia0".
    """
    words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-net"]
    words += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "kernel"]
    if os.geteuid() == 0:
        # To become nobody inside; a limit on processes does not bind root.
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    # TensorFlow needs a writable /tmp; a bind below it must come later.
    words += [
        "--perms",
        "1777",
        "--tmpfs",
        "/tmp",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--dir",
        SCRATCH,
    ]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/alternatives"):
        words += ["--ro-bind-try", path, path]
    python = sys.executable
    base = Path(sys.base_prefix)
    # Made one by one: what bubblewrap makes on the way to a bind is for root alone.
    for folder in [*reversed(base.parents), Path(KIT).parent, Path(KIT)]:
        if folder != Path("/") and not folder.is_relative_to("/usr"):
            words += ["--dir", str(folder)]
    if not base.is_relative_to("/usr"):
        words += ["--ro-bind", str(base), str(base)]
    if sys.prefix != sys.base_prefix:
        # At a fixed place: where a virtual environment lies tells where the course lies.
        words += ["--ro-bind", sys.prefix, ENVIRONMENT]
        python = str(Path(ENVIRONMENT, "bin", "python"))
    package = Path(__file__).parents[2]
    words += ["--ro-bind", str(package), f"{KIT}/course"]
    for device in devices:
        words += ["--dev-bind", device, device]
    if devices:
        words += ["--ro-bind", "/sys", "/sys"]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH]
    words += ["--clearenv"]
    for name, value in environment(Path(python).parent).items():
        words += ["--setenv", name, value]
    return [*words, python, "-s", "-P", *arguments]


def environment(programs, home="/tmp", kit=KIT):
    """Return the environment of a zygote: nothing of the caller's, who may keep secrets there."""
    return {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(kit),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "KERAS_BACKEND": "tensorflow",
        "MPLBACKEND": "agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Each kernel has a core; several threads for small pictures cost more than they bring.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def is_linux():
    """Return whether this is Linux, whose processes kernels are made of."""
    return sys.platform.startswith("linux")


@lru_cache
def problem():
    """Return why this machine cannot isolate a kernel, with what to do about it, or None."""
    if not is_linux() or platform.machine() not in seccomp.ARCHITECTURES:
        return (
            "isolation needs Linux on x86-64 or ARM64: grade in a virtual machine or container that"
            " has it"
        )
    if not shutil.which("bwrap"):
        return f"bubblewrap, which isolates submissions, is missing: {HOW_TO_INSTALL}"
    probe = subprocess.run(
        command(["-c", _PROBE]), capture_output=True, text=True, timeout=60, check=False
    )
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
        if "execvp" in reason or "bind" in reason.lower():
            return (
                f"the interpreter {sys.executable} cannot be started in isolation ({reason}): let"
                " every user read it, its packages and the folders above them, or make the virtual"
                " environment with another one, such as the system's"
            )
        return (
            f"bubblewrap cannot isolate here ({reason}): allow user namespaces (sysctl"
            " user.max_user_namespaces; on Ubuntu 24.04 an AppArmor profile for bwrap; in a"
            " container, start that with --privileged or --security-opt seccomp=unconfined)"
        )
    return None


# What a kernel will do to itself, tried once.
_PROBE = """
import os
from course.instructor.sandbox import hardening
from course.instructor.sandbox.limits import Limits
hardening.leave_root()
hardening.enter_namespaces()
if os.fork() == 0:
    hardening.limit(Limits())
    hardening.mount_own(Limits())
    hardening.drop_rights()
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]) and 1)
"""

"""The bubblewrap command for a forkserver, and a check that this machine can isolate kernels."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from course.instructor.sandbox.limits import SCRATCH

# Fixed paths inside the sandbox: the real ones would reveal where the course directory is.
PACKAGE_ROOT, ENVIRONMENT = "/opt/packages", "/opt/environment"
INSTALL_HINT = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap)"
ARCHITECTURES = ("x86_64", "aarch64")  # whose system calls seccomp.py can filter


def command(
    arguments: Sequence[str], devices: Sequence[str] = (), outlives_caller: bool = False
) -> list[str]:
    """Return the command that runs Python with these arguments inside the sandbox.

    Unless it `outlives_caller`, the sandbox ends with the thread that started it.

    The sandbox contains, read-only, the system's programs and libraries, the interpreter, its
    packages, the package `course`, and empty folders over which a kernel mounts its own. It has no
    network, no processes but its own, and nothing from the course directory. `devices` are the
    paths of devices to expose, such as "/dev/nvidia0".
    """
    options = [] if outlives_caller else ["--die-with-parent"]
    options += ["--new-session", "--unshare-pid", "--unshare-net"]
    options += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "kernel"]
    if os.geteuid() == 0:
        # Needed to become nobody in the sandbox: the limit on processes does not apply to root.
        options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    # TensorFlow needs a writable /tmp; binds below it must come later.
    options += ["--perms", "1777", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
    # /dev/full reads like /dev/zero, but cannot be mapped as shared memory, which no limit counts.
    options += ["--dev-bind", "/dev/full", "/dev/zero"]
    options += ["--dir", SCRATCH, "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for file in ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/alternatives"):
        options += ["--ro-bind-try", file, file]
    python = sys.executable
    base = Path(sys.base_prefix)
    # Parent folders that bubblewrap creates implicitly for a bind are readable by root only.
    for folder in [*reversed(base.parents), Path(PACKAGE_ROOT).parent, Path(PACKAGE_ROOT)]:
        if folder != Path("/") and not folder.is_relative_to("/usr"):
            options += ["--dir", str(folder)]
    if not base.is_relative_to("/usr"):
        options += ["--ro-bind", str(base), str(base)]
    if sys.prefix != sys.base_prefix:
        options += ["--ro-bind", sys.prefix, ENVIRONMENT]
        python = str(Path(ENVIRONMENT, "bin", "python"))
    package = Path(__file__).parents[2]
    options += ["--ro-bind", str(package), f"{PACKAGE_ROOT}/course"]
    for device in devices:
        options += ["--dev-bind", device, device]
    if devices:
        options += ["--ro-bind", "/sys", "/sys"]
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH, "--clearenv"]
    for name, value in environment(Path(python).parent).items():
        options += ["--setenv", name, value]
    return ["bwrap", *options, python, "-s", "-P", *arguments]


def environment(
    programs: Path, home: Path | str = "/tmp", package_root: Path | str = PACKAGE_ROOT
) -> dict[str, str]:
    """Return a forkserver's environment, without the caller's variables, which may be secret."""
    return {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(package_root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        # Without them, getpass.getuser() fails: there is no /etc/passwd.
        "LOGNAME": "student",
        "USER": "student",
        "LANG": "C.UTF-8",
        "KERAS_BACKEND": "tensorflow",
        "MPLBACKEND": "agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Each kernel uses one core; with small images, more threads cost more than they gain.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Workers of joblib, which scikit-learn starts, end here: psutil finds no process in /proc.
        # With this, their tasks run one after another, in the kernel's own process.
        "JOBLIB_MULTIPROCESSING": "0",
    }


def is_linux() -> bool:
    """Return True on Linux, the only system on which kernels can run."""
    return sys.platform.startswith("linux")


@lru_cache
def isolation_problem() -> str | None:
    """Return why this machine cannot isolate a kernel and how to fix that, or None if it can."""
    if not is_linux() or platform.machine() not in ARCHITECTURES:
        return (
            "isolation needs Linux on x86-64 or ARM64: grade in a virtual machine or container that"
            " has it"
        )
    if not shutil.which("bwrap"):
        return f"bubblewrap, which isolates submissions, is missing: {INSTALL_HINT}"
    probe = subprocess.run(
        command(["-c", _PROBE]), capture_output=True, text=True, timeout=60, check=False
    )
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
        if "execvp" in reason or "bind" in reason.lower():
            return (
                f"the interpreter {sys.executable} cannot be started in isolation ({reason}): make"
                " it, its packages, and their parent folders readable by every user, or create the"
                " virtual environment with another interpreter, such as the system's"
            )
        if "seccomp" in probe.stderr:
            return (
                f"the system call filter cannot be installed ({reason}): install libseccomp"
                " 2.5.2 or newer (Debian, Ubuntu: apt-get install libseccomp2) and run pip install"
                " pyseccomp"
            )
        if "mount_setattr: Function not implemented" in reason:
            return "isolation needs Linux 5.12 or newer: update this machine's operating system"
        return (
            f"bubblewrap cannot isolate here ({reason}): allow user namespaces (sysctl"
            " user.max_user_namespaces; on Ubuntu 24.04 an AppArmor profile for bwrap; in a"
            " container, its options, which docs/instructors/container.md lists)"
        )
    return None


# The steps by which a kernel isolates itself.
_PROBE = """
import os
from course.instructor.sandbox import hardening, seccomp
from course.instructor.sandbox.limits import Limits
hardening.drop_root()
hardening.enter_namespaces()
if os.fork() == 0:
    hardening.set_limits(Limits())
    hardening.mount_private_filesystems(Limits())
    hardening.drop_privileges()
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]) and 1)
"""

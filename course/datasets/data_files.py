"""Locating, downloading, and reading datasets."""

import errno
import os
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from course.errors import CourseError

# Seconds without a response after which a download is canceled.
TIMEOUT = 10
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def data_directory():
    """Return the path of the folder with the datasets.

    It is the environment variable COURSE_DATA_DIR if that is set, and otherwise a folder in the
    user's cache. The folder might not exist yet; a download creates it.
    """
    if chosen := os.environ.get("COURSE_DATA_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        variable, default = "LOCALAPPDATA", "~/AppData/Local"
    elif sys.platform == "darwin":
        variable, default = "XDG_CACHE_HOME", "~/Library/Caches"
    else:
        variable, default = "XDG_CACHE_HOME", "~/.cache"
    return Path(os.environ.get(variable) or default).expanduser() / "cnn-course"


def find_or_download(
    name: str, address: str | None, create: Callable[[Path], Path], alternative: str = ""
) -> Path:
    """Return the path of a dataset's file or folder; download it if it is missing.

    Parameters
    ----------
    name : str
        The name of the file or folder in the data directory, such as "mnist.npz".
    address : str or None
        The URL that `create` downloads from. None if `create` converts another dataset.
    create : callable
        Called with an empty folder; returns the path of the finished file or folder in it. If it
        fails or is interrupted, the data directory stays unchanged; a failure raises CourseError.
    alternative : str
        Another remedy for a failed download, with which the error message ends.
    """
    directory = data_directory()
    path = directory / name
    try:
        if path.exists():
            return path
        directory.mkdir(parents=True, exist_ok=True)
        # In the same directory, so that moving the finished file is atomic.
        folder = tempfile.TemporaryDirectory(prefix=".download-", dir=directory)
    except OSError as error:
        raise _cannot_write(name, directory, error) from None
    with folder:
        try:
            if address:
                _check_connection(address)
            finished = _with_timeout(create, Path(folder.name))
        except CourseError:
            raise  # from the dataset that this one is created from
        except Exception as error:
            # Keras and urllib fail in many ways; only a full disk has a different remedy.
            local = address is None or getattr(error, "errno", None) in _DISK_FULL
            if isinstance(error, OSError) and local:
                raise _cannot_write(name, directory, error) from None
            raise _cannot_create(name, directory, address, error, alternative) from None
        try:
            finished.replace(path)
        except OSError as error:
            raise _cannot_write(name, directory, error) from None
    return path


def fetch(folder: Path, name: str, address: str, **options: Any) -> Path:
    """Download a file into a folder with `keras.utils.get_file` and return the path it returns."""
    import keras  # takes seconds to import

    path = keras.utils.get_file(name, address, cache_dir=str(folder), cache_subdir="", **options)
    return Path(path)


def read_arrays(path, image_shape, label_shape=()):
    """Return the uint8 arrays (x_train, y_train), (x_test, y_test) in a dataset's .npz file.

    `image_shape` and `label_shape` are the shapes of one image and one label. CourseError is raised
    if the file cannot be read, an array has the wrong shape or type, or a label is above 9.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ARRAYS}
    except MemoryError:
        raise  # not the file's fault
    except PermissionError:
        raise CourseError(
            f"{path} is not readable: change its permissions and run this cell again."
        ) from None
    except Exception as error:
        # The damage determines which error zipfile, zlib, or NumPy raises.
        reason = "it is not a complete .npz file"
        if isinstance(error, KeyError):
            reason = "an array is missing: the file must contain " + ", ".join(ARRAYS)
        raise _damaged(path, reason) from None
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        count = len(images) if images.ndim else 1
        for name, shape in ((f"x_{part}", image_shape), (f"y_{part}", label_shape)):
            array, expected = arrays[name], (count, *shape)
            if array.dtype != np.uint8 or array.shape != expected or array.size == 0:
                got = f"{array.dtype} of shape {array.shape}"
                raise _damaged(path, f"{name} is {got}, not uint8 of shape {expected}")
        if labels.max() > 9:
            raise _damaged(path, f"y_{part} has the label {labels.max()}, but the largest is 9")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _cannot_create(
    name: str, directory: Path, address: str | None, error: Exception, alternative: str
) -> CourseError:
    """Return the error for a dataset that cannot be downloaded or converted."""
    failure, retry = f"created ({error!r})", "run this cell again"
    if address:
        failure = f"downloaded from {address}"
        retry = f"check your internet connection and {retry}"
    *others, last = filter(
        None,
        [
            retry,
            f"copy {name} from another machine into that folder",
            f"set COURSE_DATA_DIR to a folder that contains {name}",
            alternative,
        ],
    )
    return CourseError(
        f"{name} is not in {directory} and could not be {failure}: {'; '.join(others)}; or {last}."
    )


def _damaged(path: Path, reason: str) -> CourseError:
    """Return the error for a damaged file."""
    return CourseError(
        f"{path} is damaged ({reason}): delete it and run this cell again to download it."
    )


def _cannot_write(name: str, directory: Path, error: OSError) -> CourseError:
    """Return the error for a file that cannot be saved in the data directory."""
    return CourseError(
        f"{name} cannot be saved in {directory} ({error.strerror}): set COURSE_DATA_DIR to a folder"
        " that you can write to."
    )


def _check_connection(address: str) -> None:
    """Raise OSError if the host of a URL does not respond.

    urllib would wait TIMEOUT seconds for each of the host's addresses, and there can be a dozen.
    This function tries one IPv4 and one IPv6 address.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme in urllib.request.getproxies():
        return  # only the proxy is contacted
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    first_per_family = {family: str(address[0]) for family, *_, address in reversed(found)}
    for host in first_per_family.values():
        try:
            return socket.create_connection((host, port), TIMEOUT).close()
        except OSError:
            continue
    raise ConnectionError(f"{parts.hostname} does not respond")


def _with_timeout(create: Callable[[Path], Path], folder: Path) -> Path:
    """Call `create(folder)` with a socket timeout; Keras has no setting for one."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        return create(folder)
    finally:
        socket.setdefaulttimeout(before)

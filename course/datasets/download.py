"""Where data sets lie, how they get there, and how they are read."""

import errno
import os
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from course.errors import CourseError

# Seconds without an answer after which a download is given up.
TIMEOUT = 10
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def data_directory():
    """Return the folder of the data sets: COURSE_DATA_DIR, else one in the user's cache.

    Returns
    -------
    pathlib.Path
        It need not exist; a download creates it.
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


def find_or_download(name, address, make, instead=""):
    """Return the path of a data set's file or folder, which is fetched if it is not there yet.

    Parameters
    ----------
    name : str
        Its name in the data directory, such as "mnist.npz".
    address : str or None
        Where `make` downloads from; errors name it. None where it makes the file of another one.
    make : callable
        Called with an empty folder (a Path); downloads, and returns the path of the finished file
        in that folder. Where it fails or is interrupted, the data directory gets no file.
    instead : str
        What else there is to do where nothing can be downloaded: the end of a sentence.

    Returns
    -------
    pathlib.Path
        The file or folder.

    Raises
    ------
    CourseError
        If there is neither file nor network, or the data directory cannot be written.
    """
    directory = data_directory()
    path = directory / name
    try:
        if path.exists():
            return path
        directory.mkdir(parents=True, exist_ok=True)
        # In the same directory, so that the finished file is moved in one step: whoever looks sees
        # the whole file or none.
        folder = tempfile.TemporaryDirectory(prefix=".download-", dir=directory)
    except OSError as error:
        raise _cannot_write(name, directory, error) from None
    with folder:
        try:
            if address:
                _knock(address)
            finished = _with_timeout(make, Path(folder.name))
        except CourseError:
            raise  # of the file that this one is made of
        except Exception as error:
            # Keras and urllib fail in many ways; only a full disk needs another mend.
            local = address is None or getattr(error, "errno", None) in _DISK_FULL
            if isinstance(error, OSError) and local:
                raise _cannot_write(name, directory, error) from None
            raise CourseError(
                f"{name} is not in {directory} and could not be downloaded from {address}: connect"
                f" to the network and run this again, or put {name} from a machine that has it into"
                f" that folder, or set COURSE_DATA_DIR to the folder that holds it{instead}."
            ) from None
        try:
            finished.replace(path)
        except OSError as error:
            raise _cannot_write(name, directory, error) from None
    return path


def read_arrays(path, image_shape, label_shape=()):
    """Read a data set's file and check what is in it.

    Parameters
    ----------
    path : pathlib.Path
        An .npz file with the arrays x_train, y_train, x_test and y_test of uint8.
    image_shape, label_shape : tuple of int
        Shape of one image, and of one label as the file keeps it; labels go from 0 to 9.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray of uint8

    Raises
    ------
    CourseError
        If the file cannot be read, or is not what it should be.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ARRAYS}
    except MemoryError:
        raise  # not the file's fault
    except PermissionError:
        raise CourseError(f"{path} may not be read: give yourself the right to read it.") from None
    except Exception as error:
        # What is damaged decides whether zipfile, zlib or NumPy stumbles over it, and how.
        raise _damaged(path, _reason(error)) from None
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        _check(path, f"x_{part}", images, (images.shape[0] if images.ndim else 1, *image_shape))
        _check(path, f"y_{part}", labels, (len(images), *label_shape))
        if labels.max() > 9:
            raise _damaged(path, f"y_{part} has the label {labels.max()}, not only 0 to 9")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _check(path, name, array, shape):
    if array.dtype != np.uint8 or array.shape != shape or array.size == 0:
        got = f"{array.dtype} of shape {array.shape}"
        raise _damaged(path, f"{name} is {got}, not uint8 of shape {shape}")


def _reason(error):
    if isinstance(error, KeyError):
        return "an array is missing: it should hold " + ", ".join(ARRAYS)
    return "it is not a whole .npz file"


def _damaged(path, reason):
    return CourseError(
        f"{path} is damaged ({reason}): delete it and run this again, so that it is fetched anew."
    )


def _cannot_write(name, directory, error):
    return CourseError(
        f"{name} cannot be kept in {directory} ({error.strerror}): set COURSE_DATA_DIR to a folder"
        " that you can write to."
    )


def _knock(address):
    """Raise OSError where the machine behind an address does not answer.

    urllib would wait TIMEOUT seconds for each of the machine's addresses, of which there can be a
    dozen; one of each kind, IPv4 and IPv6, tells enough.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme in urllib.request.getproxies():
        return  # then the proxy answers, and its address is one
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    first_of_kind = {place[0]: place[4][:2] for place in reversed(found)}
    for place in first_of_kind.values():
        try:
            return socket.create_connection(place, TIMEOUT).close()
        except OSError:
            continue
    raise ConnectionError(f"{parts.hostname} does not answer")


def _with_timeout(make, folder):
    """Call `make(folder)` while sockets give up after TIMEOUT; Keras offers no such setting."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        return make(folder)
    finally:
        socket.setdefaulttimeout(before)

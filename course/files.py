"""Files: those below a folder, and those that are seen whole or not at all."""

import os
from pathlib import Path


def files_below(folder, ignore=lambda name: False, max_bytes=64 * 2**20, too_large=None):
    """Yield the plain files below a folder as (relative path, content).

    Symbolic links are left out, wherever they point, and so is each file that would take all that
    came so far beyond `max_bytes`; the list `too_large` gets its (relative path, bytes).
    """
    taken = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not Path(parent, name).is_symlink()]
        for name in sorted(names):
            path = Path(parent, name)
            if ignore(name) or path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            if taken + size <= max_bytes:
                taken += size
                yield str(path.relative_to(folder)), path.read_bytes()
            elif too_large is not None:
                too_large.append((str(path.relative_to(folder)), size))


def write_whole(path, content, sync=False):
    """Write a file beside its place and put it there; where that fails, nothing has changed.

    Its folder is made.

    Parameters
    ----------
    path : Path
    content : bytes or str
        Text becomes UTF-8.
    sync : bool
        Wait until the disk has it, so that it is whole after a power cut too.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise

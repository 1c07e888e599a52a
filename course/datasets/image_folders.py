"""Folders of pictures, one subfolder a class, looked through before a network learns from them."""

import importlib.util
from pathlib import Path

from course.errors import CourseError

# What keras.utils.image_dataset_from_directory reads; it passes over all else without a word.
READABLE = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG")  # the same, as Pillow tells them from the content
GREY = ("1", "L", "LA", "I", "I;16", "F")  # modes of Pillow


def check_folder(folder, classes=2):
    """Look through a folder of pictures, print what is in it, and stop where something is wrong.

    Parameters
    ----------
    folder : pathlib.Path or str
        With a subfolder for each class.
    classes : int
        How many there must be.

    Returns
    -------
    dict of int
        Name of each class, in the alphabetical order in which Keras numbers them, to its number of
        pictures.

    Raises
    ------
    CourseError
        If the folder is not there, has another number of classes or one without pictures, or holds
        a picture that cannot be read to its end.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder: give one with a subfolder for each class.")
    names = sorted(each.name for each in folder.iterdir() if each.is_dir())
    if len(names) != classes:
        found = ", ".join(names) if names else "none"
        raise CourseError(
            f"{folder} must hold {classes} subfolders, one a class, but has {len(names)} ({found}):"
            f" {'move the others away' if len(names) > classes else 'add what is missing'}."
        )
    counts, notes = {}, []
    for name in names:
        paths = sorted(each for each in (folder / name).rglob("*") if each.is_file())
        pictures = [path for path in paths if path.suffix.lower() in READABLE]
        if not pictures:
            raise CourseError(
                f"{folder / name} holds no picture that Keras reads ({', '.join(READABLE)}): put"
                " some in, or remove the folder."
            )
        counts[name] = len(pictures)
        modes = {path: _mode(path) for path in pictures}
        grey = [path for path, mode in modes.items() if mode in GREY]
        printed = [path for path, mode in modes.items() if mode == "CMYK"]
        other = [path for path in paths if path not in modes]
        notes += _note(grey, "grey", "three equal channels are made of its one")
        notes += _note(printed, "in CMYK, the colours of print", "they are turned into RGB")
        notes += _note(other, "of a kind that Keras does not read", "nothing is made of it")
    print(f"{folder.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    for note in notes:
        print(f"  {note}")
    return counts


def batch_format():
    """Return what `keras.utils.image_dataset_from_directory` has to be told beside all else.

    Returns
    -------
    dict
        Empty where TensorFlow makes the batches, which is also so where Keras itself runs on JAX;
        {"format": "grain"} where there is no TensorFlow. Keras releases before `format` came know
        nothing but TensorFlow, and are not to be told.
    """
    return {} if importlib.util.find_spec("tensorflow") else {"format": "grain"}


def _mode(path):
    """Return how a picture keeps its colours, in Pillow's words, after reading all of it."""
    from PIL import Image  # not needed by those who only load arrays

    try:
        with Image.open(path) as picture:
            mode, kind = picture.mode, picture.format
            # JPEG files can be read at a fraction of their size, which is as good for a test.
            picture.draft("RGB", (32, 32))
            picture.load()
    except Exception as error:  # Pillow fails in many ways
        reason = "it is empty" if path.stat().st_size == 0 else _reason(error)
        raise CourseError(
            f"{path} is not a whole picture ({reason}): remove it, or put a sound copy in its"
            " place."
        ) from None
    if kind not in FORMATS:
        raise CourseError(
            f"{path} is a {kind} file under another name, which Keras does not read: save it as"
            " JPEG or PNG."
        )
    return mode


def _reason(error):
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is of no known kind"
    return str(error) or type(error).__name__


def _note(paths, what, then):
    if not paths:
        return []
    which = paths[0].name if len(paths) == 1 else f"{len(paths):,} files, such as {paths[0].name},"
    return [f"{which} {'is' if len(paths) == 1 else 'are'} {what}: {then}."]

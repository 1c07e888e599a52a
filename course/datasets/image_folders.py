"""Folders of images with one subfolder per class: checking and reading them."""

from pathlib import Path

import numpy as np

from course.errors import CourseError

# The files that `read_images` and keras.utils.image_dataset_from_directory read; they skip all
# others.
READABLE = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG")  # the same file types, as Pillow names them
GRAYSCALE_MODES = ("1", "L", "LA", "I", "I;16", "F")  # as Pillow names them


def check_folder(folder, classes=2):
    """Check a folder of images and print a summary of its contents.

    Parameters
    ----------
    folder : pathlib.Path or str
        A folder with one subfolder per class.
    classes : int
        The expected number of classes.

    Returns
    -------
    dict of int
        Maps the name of each class to its number of images. The names are in alphabetical order,
        the order in which Keras numbers the classes.

    Raises
    ------
    CourseError
        If the folder is missing, has the wrong number of classes, or contains a class without
        images or a damaged image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder: pass one that has one subfolder per class.")
    names = sorted(each.name for each in folder.iterdir() if each.is_dir())
    if len(names) != classes:
        found = f"{len(names)} ({', '.join(names)})" if names else "none"
        extra = "move the extra ones out of it"
        remedy = extra if len(names) > classes else "add the missing ones"
        raise CourseError(
            f"{folder} must have {classes} subfolders, one per class, but has {found}: {remedy}."
        )
    counts, notes = {}, []
    for name in names:
        paths = sorted(each for each in (folder / name).rglob("*") if each.is_file())
        images = [path for path in paths if path.suffix.lower() in READABLE]
        if not images:
            raise CourseError(
                f"{folder / name} has no image that Keras can read ({', '.join(READABLE)}): add"
                " some, or remove the folder."
            )
        counts[name] = len(images)
        modes = {path: _mode(path) for path in images}
        gray = [path for path, mode in modes.items() if mode in GRAYSCALE_MODES]
        cmyk = [path for path, mode in modes.items() if mode == "CMYK"]
        other = [path for path in paths if path not in modes]
        notes += _note(gray, "grayscale", "Keras copies the channel three times")
        notes += _note(
            cmyk, "in CMYK, the color space of print", "Keras converts the colors to RGB"
        )
        notes += _note(other, "of a type that Keras does not read", "skipped")
    print(f"{folder.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    for note in notes:
        print(f"  {note}")
    return counts


def read_images(folder, side):
    """Read a folder of images with one subfolder per class, and scale all images to a square.

    Parameters
    ----------
    folder : pathlib.Path or str
        A folder that `check_folder` accepts.
    side : int
        Width and height of the result, in pixels. The whole image is scaled, so its proportions
        can change.

    Returns
    -------
    images : ndarray of uint8, (n, side, side, 3)
        Values from 0 to 255, sorted by class and then by file name.
    labels : ndarray of uint8, (n,)
        Class of each image: the number of its subfolder in alphabetical order, starting at 0.

    Notes
    -----
    `keras.utils.image_dataset_from_directory` reads the same folders in batches, which is necessary
    if the images do not fit into memory. Without TensorFlow, it needs the package grain.
    """
    from PIL import Image  # not needed to load arrays

    names = sorted(each.name for each in Path(folder).iterdir() if each.is_dir())
    images, labels = [], []
    for label, name in enumerate(names):
        for path in sorted((Path(folder) / name).rglob("*")):
            if path.suffix.lower() in READABLE:
                with Image.open(path) as image:
                    scaled = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
                images.append(np.asarray(scaled))
                labels.append(label)
    return np.stack(images), np.array(labels, "uint8")


def _mode(path: Path) -> str:
    """Read a whole image file and return the image's color mode, as Pillow names it."""
    from PIL import Image  # not needed to load arrays

    try:
        with Image.open(path) as image:
            mode, file_format = image.mode, image.format
            # Decode a JPEG file at a fraction of its size, which suffices to find damage.
            image.draft("RGB", (32, 32))
            image.load()
    except Exception as error:  # Pillow fails in many ways
        reason = "it is empty" if path.stat().st_size == 0 else _reason(error)
        raise CourseError(
            f"{path} is not a complete image ({reason}): delete it, or replace it with an intact"
            " copy."
        ) from None
    if file_format not in FORMATS:
        raise CourseError(
            f"{path} is a {file_format} file despite its name, and Keras cannot read it: save it as"
            " JPEG or PNG."
        )
    return mode


def _reason(error: Exception) -> str:
    """Return the reason why an image cannot be read."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "its format is unknown"
    return str(error) or type(error).__name__


def _note(paths: list[Path], description: str, effect: str) -> list[str]:
    """Return a list with one sentence about some files, or an empty list if there are no files."""
    if not paths:
        return []
    first, count = paths[0].name, len(paths)
    subject = f"{first} is" if count == 1 else f"{count:,} files, such as {first}, are"
    return [f"{subject} {description}: {effect}."]

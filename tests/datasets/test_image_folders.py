import io
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from course import datasets
from course.errors import CourseError


def make_image(mode="RGB", size=(40, 30)):
    """Return an image whose left half is light red and whose right half is dark."""
    pixels = np.full((size[1], size[0], 3), (220, 60, 60), "uint8")
    pixels[:, size[0] // 2 :] = (20, 20, 30)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def folder(tmp_path):
    """A folder with two images of cats and two of dogs."""
    for name in ("cats", "dogs"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in (1, 2):
            make_image().save(tmp_path / "train" / name / f"{name[:-1]}.{number}.jpg")
    return tmp_path / "train"


def read(folder):
    """Return the images that Keras reads, shape (n, 16, 16, 3), in the order of their names."""
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(16, 16), shuffle=False, verbose=False
    )
    return np.concatenate([np.asarray(images) for images, _ in dataset])


def test_the_images_of_an_intact_folder_are_counted(folder, capsys):
    assert datasets.check_folder(folder) == {"cats": 2, "dogs": 2}
    assert capsys.readouterr().out == "train: 2 cats, 2 dogs\n"


def test_a_truncated_image_is_named(folder):
    path = folder / "dogs" / "dog.2.jpg"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value).startswith(f"{path} is not a complete image (image file is truncated")
    assert str(caught.value).endswith("): delete it, or replace it with an intact copy.")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"no image", "its format is unknown")]
)
def test_a_file_that_is_not_an_image_is_named(folder, content, reason):
    path = folder / "cats" / "cat.1.jpg"
    path.write_bytes(content)
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert f"{path} is not a complete image ({reason})" in str(caught.value)


def test_an_image_of_another_format_with_a_readable_name_is_named(folder):
    make_image().save(folder / "cats" / "cat.1.jpg", format="WEBP")
    with pytest.raises(CourseError, match=r"cat\.1\.jpg is a WEBP file despite its name.*JPEG"):
        datasets.check_folder(folder)


def test_an_empty_class_is_named(folder):
    for path in (folder / "dogs").iterdir():
        path.rename(path.with_suffix(".webp"))
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value) == (
        f"{folder / 'dogs'} has no image that Keras can read (.bmp, .gif, .jpeg, .jpg, .png):"
        " add some, or remove the folder."
    )


def test_a_third_class_is_named(folder):
    (folder / "birds").mkdir()
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value) == (
        f"{folder} must have 2 subfolders, one per class, but has 3 (birds, cats, dogs): move"
        " the extra ones out of it."
    )


@pytest.mark.parametrize(("remove", "found"), [(["dogs"], "1 (cats)"), (["cats", "dogs"], "none")])
def test_a_missing_class_is_an_error(folder, remove, found):
    for name in remove:
        (folder / name).rename(folder.parent / name)
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value) == (
        f"{folder} must have 2 subfolders, one per class, but has {found}: add the missing ones."
    )


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(
        CourseError, match=r"photos is not a folder: pass one that has one subfolder"
    ):
        datasets.check_folder(tmp_path / "photos")


def test_more_classes_are_checked_if_requested(folder):
    (folder / "birds").mkdir()
    make_image().save(folder / "birds" / "bird.png")
    assert list(datasets.check_folder(folder, classes=3)) == ["birds", "cats", "dogs"]


def test_grayscale_images_are_reported_and_get_three_equal_channels(folder, capsys):
    make_image("L").save(folder / "cats" / "cat.1.jpg")
    datasets.check_folder(folder)
    output = capsys.readouterr().out
    assert "  cat.1.jpg is grayscale: Keras copies the channel three times.\n" in output
    gray, color = read(folder)[:2]
    assert np.array_equal(gray[..., 0], gray[..., 2]) and color[4, 4, 0] > color[4, 4, 2] + 100

    make_image("L").save(folder / "cats" / "cat.2.jpg")
    datasets.check_folder(folder)
    assert "  2 files, such as cat.1.jpg, are grayscale: Keras" in capsys.readouterr().out


def test_images_in_the_colors_of_print_are_reported_and_converted_to_rgb(folder, capsys):
    make_image("CMYK").save(folder / "dogs" / "dog.1.jpg")
    datasets.check_folder(folder)
    output = capsys.readouterr().out
    assert (
        "dog.1.jpg is in CMYK, the color space of print: Keras converts the colors to RGB.\n"
        in output
    )
    images = read(folder)
    left = images[2:, :, :6].mean(axis=(1, 2))  # away from the edge, where JPEG loses most
    assert np.abs(left[0] - left[1]).max() < 4 and np.abs(left[0] - (220, 60, 60)).max() < 4


def test_files_that_keras_skips_are_reported(folder, capsys):
    (folder / "cats" / "notes.txt").write_text("of 2013")
    datasets.check_folder(folder)
    output = capsys.readouterr().out
    assert "notes.txt is of a type that Keras does not read: skipped." in output
    assert len(read(folder)) == 4


def test_images_in_nested_folders_count_as_keras_counts_them(folder):
    nested = folder / "cats" / "kittens"
    nested.mkdir()
    (nested / "cat.3.png").write_bytes(png())
    assert datasets.check_folder(folder)["cats"] == 3
    assert len(read(folder)) == 5


def png():
    content = io.BytesIO()
    make_image().save(content, format="PNG")
    return content.getvalue()


def test_images_are_read_as_keras_reads_them(folder):
    make_image("L").save(folder / "cats" / "cat.0.png")
    (folder / "dogs" / "notes.txt").write_text("skipped")
    images, labels = datasets.read_images(folder, 16)
    assert images.shape == (5, 16, 16, 3) and images.dtype == labels.dtype == np.uint8
    assert labels.tolist() == [0, 0, 0, 1, 1]
    # Pillow averages the pixels that it combines, and Keras does not: the edge differs.
    difference = np.abs(images.astype(float) - read(folder))
    assert difference[:, :, [0, 1, 2, -3, -2, -1]].max() < 12


def test_images_of_the_right_size_are_not_changed(tmp_path):
    folder = datasets.cats_and_dogs("synthetic", seed=3) / "train"
    images, labels = datasets.read_images(folder, 32)
    assert images.shape == (60, 32, 32, 3) and labels.sum() == 30
    with Image.open(sorted((folder / "dogs").iterdir())[4]) as image:
        assert np.array_equal(images[34], np.asarray(image))


def test_images_are_read_without_tensorflow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert len(datasets.read_images(folder, 16)[0]) == 4

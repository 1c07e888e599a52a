import io

import keras
import numpy as np
import pytest
from PIL import Image

from course import datasets
from course.errors import CourseError


def picture(mode="RGB", size=(40, 30)):
    """Return a picture with an edge down its middle, left half light red, right half dark."""
    pixels = np.full((size[1], size[0], 3), (220, 60, 60), "uint8")
    pixels[:, size[0] // 2 :] = (20, 20, 30)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def folder(tmp_path):
    """A folder with two cats and two dogs."""
    for name in ("cats", "dogs"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in (1, 2):
            picture().save(tmp_path / "train" / name / f"{name[:-1]}.{number}.jpg")
    return tmp_path / "train"


def read(folder):
    """Return what Keras makes of a folder: pictures (n, 16, 16, 3) in the order of their names."""
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(16, 16), shuffle=False, verbose=False
    )
    return np.concatenate([np.asarray(images) for images, _ in dataset])


def test_a_sound_folder_is_counted(folder, capsys):
    assert datasets.check_folder(folder) == {"cats": 2, "dogs": 2}
    assert capsys.readouterr().out == "train: 2 cats, 2 dogs\n"


def test_a_picture_that_breaks_off_is_named(folder):
    path = folder / "dogs" / "dog.2.jpg"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value).startswith(f"{path} is not a whole picture (image file is truncated")
    assert str(caught.value).endswith("): remove it, or put a sound copy in its place.")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"no picture", "it is of no known kind")]
)
def test_a_file_that_is_no_picture_is_named(folder, content, reason):
    path = folder / "cats" / "cat.1.jpg"
    path.write_bytes(content)
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert f"{path} is not a whole picture ({reason})" in str(caught.value)


def test_a_picture_of_another_kind_under_a_name_that_keras_reads_is_named(folder):
    picture().save(folder / "cats" / "cat.1.jpg", format="WEBP")
    with pytest.raises(CourseError, match=r"cat\.1\.jpg is a WEBP file under another name.*JPEG"):
        datasets.check_folder(folder)


def test_an_empty_class_is_named(folder):
    for path in (folder / "dogs").iterdir():
        path.rename(path.with_suffix(".webp"))
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value) == (
        f"{folder / 'dogs'} holds no picture that Keras reads (.bmp, .gif, .jpeg, .jpg, .png): put"
        " some in, or remove the folder."
    )


def test_a_third_class_is_named(folder):
    (folder / "birds").mkdir()
    with pytest.raises(CourseError) as caught:
        datasets.check_folder(folder)
    assert str(caught.value) == (
        f"{folder} must hold 2 subfolders, one a class, but has 3 (birds, cats, dogs): move the"
        " others away."
    )


@pytest.mark.parametrize("remove", [["dogs"], ["cats", "dogs"]])
def test_a_missing_class_is_told(folder, remove):
    for name in remove:
        (folder / name).rename(folder.parent / name)
    with pytest.raises(CourseError, match=r"must hold 2 subfolders.*: add what is missing\."):
        datasets.check_folder(folder)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(CourseError, match=r"photos is not a folder: give one with a subfolder"):
        datasets.check_folder(tmp_path / "photos")


def test_more_classes_are_checked_where_more_are_asked_for(folder):
    (folder / "birds").mkdir()
    picture().save(folder / "birds" / "bird.png")
    assert list(datasets.check_folder(folder, classes=3)) == ["birds", "cats", "dogs"]


def test_grey_pictures_are_told_and_get_three_equal_channels(folder, capsys):
    picture("L").save(folder / "cats" / "cat.1.jpg")
    datasets.check_folder(folder)
    said = capsys.readouterr().out
    assert "  cat.1.jpg is grey: three equal channels are made of its one.\n" in said
    grey, colour = read(folder)[:2]
    assert np.array_equal(grey[..., 0], grey[..., 2]) and colour[4, 4, 0] > colour[4, 4, 2] + 100

    picture("L").save(folder / "cats" / "cat.2.jpg")
    datasets.check_folder(folder)
    assert "  2 files, such as cat.1.jpg, are grey: three" in capsys.readouterr().out


def test_pictures_in_the_colours_of_print_are_told_and_turned_into_rgb(folder, capsys):
    picture("CMYK").save(folder / "dogs" / "dog.1.jpg")
    datasets.check_folder(folder)
    said = capsys.readouterr().out
    assert "dog.1.jpg is in CMYK, the colours of print: they are turned into RGB.\n" in said
    images = read(folder)
    left = images[2:, :, :6].mean(axis=(1, 2))  # away from the edge, where JPEG loses most
    assert np.abs(left[0] - left[1]).max() < 4 and np.abs(left[0] - (220, 60, 60)).max() < 4


def test_files_that_keras_passes_over_are_told(folder, capsys):
    (folder / "cats" / "notes.txt").write_text("of 2013")
    datasets.check_folder(folder)
    said = capsys.readouterr().out
    assert "notes.txt is of a kind that Keras does not read: nothing is made of it." in said
    assert len(read(folder)) == 4


def test_pictures_in_folders_below_count_as_keras_counts_them(folder):
    below = folder / "cats" / "kittens"
    below.mkdir()
    (below / "cat.3.png").write_bytes(png())
    assert datasets.check_folder(folder)["cats"] == 3
    assert len(read(folder)) == 5


def png():
    content = io.BytesIO()
    picture().save(content, format="PNG")
    return content.getvalue()


def test_grain_makes_the_batches_only_where_there_is_no_tensorflow(monkeypatch):
    assert datasets.batch_format() == {}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert datasets.batch_format() == {"format": "grain"}

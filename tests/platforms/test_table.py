"""The table of platforms: its rows, the declared minimum, and updates from Colab's list."""

import shutil

import pytest
from packaging.requirements import Requirement

from tests.platforms.table import TABLE, declared_minimum, read_platforms, update_versions

COLAB_LIST = """\
absl-py==1.4.0
H5PY==3.17.0
ipykernel==6.17.1
ipython==7.34.0
jax @ file:///jax-0.8.0.whl
jax==0.8.0
jupyter_client==7.4.9
keras==3.14.0
matplotlib==3.10.0
numpy==2.1.3
pandas==2.2.3
pillow==11.3.0
scipy==1.16.3
tensorflow==2.21.0+colab
tornado==6.5.7
tqdm==4.67.3
traitlets==5.7.1
"""


def test_every_platform_of_the_guide_is_in_the_table():
    platforms = read_platforms()
    assert {"colab", "kaggle", "paperspace", "newest", "minimum", "jax", "torch"} == {*platforms}
    assert platforms["kaggle"].packages == platforms["colab"].packages
    assert platforms["kaggle"].has_colab_modules
    assert not platforms["paperspace"].has_colab_modules


@pytest.mark.parametrize("name", ["colab", "paperspace"])
def test_the_versions_of_an_image_are_exact(name):
    for line in read_platforms()[name].packages:
        assert line == "ipykernel" or str(Requirement(line).specifier).startswith("=="), line


def test_the_minimum_has_the_oldest_version_of_every_requirement(tmp_path):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        '[project]\ndependencies = ["keras>=3.10", "tqdm>=4.66"]\n'
        '[project.optional-dependencies]\ninstructor = ["tensorflow-cpu>=2.18; sys_platform > 1",'
        ' "tensorflow>=2.18"]\n'
    )
    expected = ["ipykernel", "keras==3.10", "tqdm==4.66", "tensorflow-cpu==2.18"]
    assert declared_minimum(pyproject) == expected


def test_an_update_replaces_versions_and_nothing_else(tmp_path):
    table = shutil.copy(TABLE, tmp_path / TABLE.name)
    before = table.read_text()
    changes = update_versions("colab", COLAB_LIST, table)
    assert [change.split("==")[0] for change in changes] == [
        "h5py",
        "jax",
        "keras",
        "tensorflow-cpu",
    ]
    after = table.read_text()
    assert len(before.splitlines()) == len(after.splitlines())
    assert '"tensorflow-cpu==2.21.0",' in after and "# Kaggle's image is built from" in after
    assert read_platforms(table)["kaggle"].packages == read_platforms(table)["colab"].packages
    assert update_versions("colab", COLAB_LIST, table) == []


def test_a_list_without_a_package_of_the_table_is_refused(tmp_path):
    table = shutil.copy(TABLE, tmp_path / TABLE.name)
    before = table.read_text()
    with pytest.raises(ValueError, match=r"does not contain keras: remove it from platforms\.toml"):
        update_versions("colab", COLAB_LIST.replace("keras==3.14.0\n", ""), table)
    assert table.read_text() == before

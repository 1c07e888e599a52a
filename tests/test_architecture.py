from tests import architecture


def test_the_tree_in_contributing_is_fresh():
    assert architecture.GUIDE.read_text(encoding="utf-8") == architecture.guide_with(
        architecture.tree()
    ), "run make tree"


def test_every_folder_and_module_has_its_line():
    package = architecture.ROOT / "course"
    assert len(architecture.tree().splitlines()) == len(list(package.rglob("*.py")))

"""Names in a message."""

from course.instructor.shortened_list import shorten_list


def test_a_list_has_the_first_names_and_the_number_of_the_others():
    assert shorten_list(["ada", "bob", "cy"], 3) == "ada, bob, cy"
    assert shorten_list({"ada": 1, "bob": 2, "cy": 3}, 2) == "ada, bob, and 1 more"
    assert shorten_list([], 2) == ""

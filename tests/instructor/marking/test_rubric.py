"""Mark schemes are read as rubric items and guidance, however their Markdown is written."""

from textwrap import dedent

import pytest

from course.instructor.marking.rubric import MAX_LABEL, parse_mark_scheme, unreadable_items

QUESTION = "### Exercise 9: why? (4 points)\n\nWhy?\n\n- **+1** This is not in the mark scheme.\n"


def scheme_of(text):
    """Return the mark scheme with this text, as the cell of a question contains it."""
    text = dedent(text).strip("\n")
    return parse_mark_scheme(
        f"{QUESTION}\n=== BEGIN MARK SCHEME ===\n\n{text}\n\n=== END MARK SCHEME ===\n\n- **+1** No"
    )


def labels(text):
    return [item.label for item in scheme_of(text).items]


def points(text):
    return [item.points for item in scheme_of(text).items]


def only_item(text):
    (item,) = scheme_of(text).items
    return item


def test_a_mark_scheme_has_items_and_guidance():
    found = scheme_of("""
        Two points for each difference.

        - **+1** Local connectivity: each value is computed from a small patch.
        - **+0.5** Parameter sharing: all positions use the same weights.
        - **−0.5** Only the effect (fewer weights), without a property of images.
        - **-1** Contradicts the results.

        Don't deduct points for "translation invariant".
        """)
    assert [(item.points, item.label, item.text) for item in found.items] == [
        (
            1.0,
            "Local connectivity",
            "Local connectivity: each value is computed from a small patch.",
        ),
        (0.5, "Parameter sharing", "Parameter sharing: all positions use the same weights."),
        (
            -0.5,
            "Only the effect (fewer weights), without a property of images",
            "Only the effect (fewer weights), without a property of images.",
        ),
        (-1.0, "Contradicts the results", "Contradicts the results."),
    ]
    assert found.guidance == (
        'Two points for each difference.\n\nDon\'t deduct points for "translation invariant".'
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        QUESTION,
        "=== BEGIN MARK SCHEME ===\n=== END MARK SCHEME ===",
        "=== BEGIN MARK SCHEME ===",
        "=== END MARK SCHEME ===\n- **+1** No",
    ],
)
def test_a_cell_without_a_mark_scheme_has_an_empty_one(source):
    found = parse_mark_scheme(source)
    assert (found.items, found.guidance) == ([], "")


def test_prose_is_guidance():
    prose = "One point for a pair.\n\n- a list, *too*\n- 2 more\n- +1 without bold"
    found = scheme_of(prose)
    assert (found.items, found.guidance) == ([], prose)


def test_several_mark_schemes_in_one_cell_are_read_in_order():
    region = "=== BEGIN MARK SCHEME ===\r\n- **+{}** Part {}.\r\n=== END MARK SCHEME ===\r\n"
    found = parse_mark_scheme(region.format(1, "a") + "between\r\n" + region.format(2, "b"))
    assert [(item.points, item.label) for item in found.items] == [(1.0, "Part a"), (2.0, "Part b")]
    assert found.guidance == ""


# ---- the key -------------------------------------------------------------------------------


def test_the_key_of_an_item_depends_only_on_its_label():
    key = only_item("- **+1** A drawback: averaging discards positions.").key
    assert key == only_item("* **−0.5** A drawback: of any kind.").key
    assert key != only_item("- **+1** A benefit: averaging discards positions.").key
    assert key == "f49f6d2388cdf533"


def test_items_with_the_same_label_have_different_keys():
    first, second, third = scheme_of("- **+1** The same: a\n- **+1** The same: b\n- **+1** c").items
    assert first.label == second.label
    assert len({first.key, second.key, third.key}) == 3
    assert first.key == only_item("- **+1** The same").key


# ---- the points ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [("+1", 1), ("+0.5", 0.5), ("+10", 10), ("-0.25", -0.25), ("−2", -2), ("+0", 0), ("-0", 0)],
)
def test_points_are_signed_decimal_numbers(written, read):
    for text in (f"- **{written}** Why", f"1. __{written}__ Why"):
        assert points(text) == [read]
        assert str(points(text)[0]) == str(float(read))
        assert labels(text) == ["Why"]


@pytest.mark.parametrize(
    "written",
    [
        "**+½**",
        "**+0,5**",
        "**+1 point**",
        "**+1:**",
        "**+ 1**",
        "**+.5**",
        "**+1e3**",
        "**+1/2**",
        "**–0.5**",
        "**±1**",
        "**+12345**",
        "**+١**",
        "*+1*",
        "**+1**and",
    ],
)
def test_points_that_cannot_be_read_make_the_item_guidance(written):
    text = f"- **+1** One.\n- {written} Two.\n  More."
    assert labels(text) == ["One"]
    assert scheme_of(text).guidance == f"- {written} Two.\nMore."
    source = f"=== BEGIN MARK SCHEME ===\n{text}\n=== END MARK SCHEME ==="
    assert unreadable_items(source) == [f"{written} Two."[:40]]


def test_a_list_item_that_begins_with_another_word_in_bold_is_guidance():
    text = "- **3 × 3 kernels** count.\n- **a** also.\n- *no* points for b."
    assert scheme_of(text).items == []
    assert unreadable_items(f"=== BEGIN MARK SCHEME ===\n{text}\n=== END MARK SCHEME ===") == []


# ---- the label -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Part a, the choice: a reason.", "Part a, the choice"),
        ("Part a, the choice:\n  a reason.", "Part a, the choice"),
        ("A drawback. Example: averaging.", "A drawback"),
        ("How to find out? Several seeds.", "How to find out?"),
        ("Uses e.g. the shift curve. More.", "Uses e.g. the shift curve"),
        ("At most 0.5 points", "At most 0.5 points"),
        ("A ratio of 3:4 is stated", "A ratio of 3:4 is stated"),
        ("The type `x: int` is given: why.", "The type `x: int` is given"),
        ("The shape $f: A. B$ is given: why.", "The shape $f: A. B$ is given"),
        ("**Local connectivity:** each value.", "Local connectivity"),
        ("**Local.** Each value.", "Local"),
        ("Reasons:\n  - one\n  - two", "Reasons"),
        ("Reasons\n  - one: a\n  - two", "Reasons"),
        ("Reasons\n\n  More: text.", "Reasons"),
        ("A code block\n  ```\n  a: b\n  ```", "A code block"),
        ("A   label\n  over lines: text", "A label over lines"),
    ],
)
def test_the_label_is_the_text_up_to_a_colon_or_the_end_of_a_sentence(text, label):
    assert labels(f"- **+1** {text}") == [label]


def test_a_label_that_never_ends_is_shortened():
    (label,) = labels(f"- **+1** {'word ' * 100}")
    assert label.endswith("word…")
    assert MAX_LABEL - 5 < len(label) <= MAX_LABEL + 1
    assert labels(f"- **+1** {'w' * 1000}") == ["w" * MAX_LABEL + "…"]


def test_an_item_without_text_has_an_empty_label():
    assert [(item.label, item.text) for item in scheme_of("- **+1**").items] == [("", "")]


def test_the_text_of_an_item_can_begin_on_the_next_line():
    text = "- **+1**\n  A drawback: averaging."
    assert [(item.label, item.text) for item in scheme_of(text).items] == [
        ("A drawback", "A drawback: averaging.")
    ]
    assert unreadable_items(f"=== BEGIN MARK SCHEME ===\n{text}\n=== END MARK SCHEME ===") == []


# ---- what belongs to an item ---------------------------------------------------------------


def test_continuation_lines_belong_to_the_item():
    found = scheme_of("""
        - **+1** A drawback: averaging
          discards the positions
        of features.

          A second paragraph with $a_1$.
        - **+1** Another.

        Guidance.
        """)
    assert [item.text for item in found.items] == [
        "A drawback: averaging\ndiscards the positions\nof features.\n\n"
        "A second paragraph with $a_1$.",
        "Another.",
    ]
    assert found.guidance == "Guidance."


def test_a_nested_list_belongs_to_the_item():
    found = scheme_of("""
        1. **+1** Reasons:
            - a loop
                - **bold**
            - a crossbar

            1. first
        2. **+1** Another.
        - a list item of the same level is guidance
        """)
    assert [item.text for item in found.items] == [
        "Reasons:\n - a loop\n     - **bold**\n - a crossbar\n\n 1. first",
        "Another.",
    ]
    assert found.guidance == "- a list item of the same level is guidance"


def test_items_in_a_nested_list_are_items():
    found = scheme_of("""
        - The first difference:
            - **+1** The difference: a
            - **+1** Its property: b
        - **+2** The second difference: c
            - **−1** No property: d

        Guidance.
        """)
    assert [(item.points, item.text) for item in found.items] == [
        (1, "The difference: a"),
        (1, "Its property: b"),
        (2, "The second difference: c"),
        (-1, "No property: d"),
    ]
    assert found.guidance == "- The first difference:\n\nGuidance."


def test_code_blocks_contain_no_items():
    code = "```python\n- **+1** No\n\n# - **+1** No\n```"
    indented = code.replace("\n", "\n  ").replace("  \n", "\n")
    found = scheme_of(
        f"{code}\n- **+1** Yes: as in\n\n  {indented}\n- **+1** Also\n\n~~~\n- **+1** No"
    )
    assert [item.text for item in found.items] == [f"Yes: as in\n\n{code}", "Also"]
    assert found.guidance == f"{code}\n\n~~~\n- **+1** No"


def test_an_open_code_block_ends_with_its_item():
    assert labels("- **+1** One\n  ```\n  code\n- **+1** Two") == ["One", "Two"]


@pytest.mark.parametrize("block", ["### Guidance", "> quoted", "---", "- listed", "```\ncode\n```"])
def test_a_block_that_is_not_indented_ends_the_item(block):
    found = scheme_of(f"- **+1** One\n{block}")
    assert [item.text for item in found.items] == ["One"]
    assert found.guidance == block


def test_a_formula_over_several_lines_belongs_to_the_item():
    text = "- **+1** The error: $$\n  \\sqrt{p}\n  + 1: a\n  $$\n- **−1** None"
    assert [item.text for item in scheme_of(text).items] == [
        "The error: $$\n\\sqrt{p}\n+ 1: a\n$$",
        "None",
    ]


def test_a_long_mark_scheme_is_read_in_linear_time():
    assert len(scheme_of("- **+1** One: `a$ \n" * 20_000).items) == 20_000

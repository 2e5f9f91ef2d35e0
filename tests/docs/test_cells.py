"""Code cells of the tutorials as files for type checkers."""

from docs.extensions import cells


def test_lines_of_code_keep_their_numbers():
    page = (
        "# Title\n\n```{code-cell} ipython3\nx = 1\n```\n\ntext\n\n```{code-cell}\nprint(x)\n```\n"
    )
    assert cells.code(page).splitlines() == ["", "", "", "x = 1", "", "", "", "", "", "print(x)"]


def test_options_of_a_cell_are_not_code():
    page = "```{code-cell} ipython3\n:tags: [remove-stderr]\n\nx = 1\n```\n"
    assert cells.code(page).splitlines() == ["", "", "", "x = 1"]


def test_other_blocks_are_not_code():
    assert cells.code("```python\nx = 1\n```\n\n```\nprints\n```\n").strip() == ""


def test_every_tutorial_has_code_that_compiles(tmp_path):
    files = cells.write(tmp_path)
    pages = {path.stem for path in cells.TUTORIALS.glob("*.md")} - {"index"}
    assert {path.stem for path in files} == pages
    for path in files:
        compile(path.read_text("utf-8"), path, "exec")


def test_no_cell_hides_from_a_type_checker(tmp_path):
    for path in cells.write(tmp_path):
        text = path.read_text("utf-8")
        assert "type: ignore" not in text
        assert "Any" not in text.split()

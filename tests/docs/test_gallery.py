"""The gallery's pages, without running the programs."""

import pytest

from docs.extensions import gallery


def test_every_program_is_found():
    names = gallery.programs()
    assert {"digits", "circuits", "studies/stdp", "mnist/mnist_torch"} <= set(names)
    assert "shared/plots" not in names
    folders = [gallery.folder_of(name) for name in names]
    assert folders == sorted(folders, key=list(gallery.FOLDERS).index)


def test_those_of_the_makefile_run():
    assert {"circuits", "studies/spikeprop_xor"} <= gallery.run_here() <= set(gallery.programs())


def test_pictures_that_are_shown_exist(tmp_path):
    assert not gallery.run_here() & gallery.SHOWN.keys()
    for name, pictures in gallery.SHOWN.items():
        one = gallery.example(name, None, tmp_path)
        assert [path.exists() for path in one.pictures] == [True] * len(pictures)


@pytest.mark.parametrize("printed", [None, "3 lines\nof ``` \ntext"])
def test_a_page_has_docstring_output_and_source(tmp_path, printed):
    one = gallery.Example("studies/x", "Do x.", "More.", printed, [tmp_path / "studies-x-a-b.png"])
    text = gallery.page(one)
    assert text.startswith("# studies/x\n\nDo x.\n\n```text\nMore.\n```")
    assert "](images/studies-x-a-b.png)" in text
    assert "../../examples/studies/x.py" in text
    assert ("It did not run" in text) == (printed is None)
    assert "[What" in text
    assert ":link: studies-x\n" in gallery.card(one)


def test_pages_that_an_example_wrote_are_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    (tmp_path / "ask.html").write_text("<!doctype html>")
    name = gallery.keep_page(tmp_path / "ask.html")
    assert (tmp_path / "build" / "pages" / name).read_text() == "<!doctype html>"
    one = gallery.Example("ask", "Ask.", "", "", [], (name,))
    assert f'<a href="../{name}">Open ask.html</a>' in gallery.page(one)


def test_output_is_kept_until_a_source_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    monkeypatch.setattr(gallery, "EXAMPLES", tmp_path)
    (tmp_path / "x.py").write_text("import time; print(time.perf_counter_ns())")
    first = gallery.run("x", "one")
    assert gallery.run("x", "one") == first
    assert gallery.run("x", "two") != first


def test_a_program_that_fails_is_a_warning(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    monkeypatch.setattr(gallery, "EXAMPLES", tmp_path)
    monkeypatch.setattr(gallery.logger, "warning", lambda *args, **_: said.append(args))
    (tmp_path / "x.py").write_text("raise SystemExit('wrong')")
    assert gallery.run("x", "key") is None
    assert "wrong" in said[0][2]

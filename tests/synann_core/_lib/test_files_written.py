"""Files are written whole or not at all, and stay what they were: links, owners, modes."""

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from functools import partial

import pytest

import synann_core as syn
from synann_core._lib import files
from synann_core._lib.files import write_whole
from synann_core.export import load_json, save_json
from tests.synann_core._lib.test_files import model, same, saved

__all__ = ["saved"]  # a fixture


@pytest.fixture(params=["nameless", "named", "unlinkable"])
def system(request, monkeypatch):
    """Systems with files that have no name until they are complete, and without."""

    def refuse(*arguments, **options):
        raise OSError("not supported")

    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    elif request.param == "unlinkable":
        monkeypatch.setattr(os, "link", refuse)
    return request.param


def test_a_failed_save_keeps_the_old_file_and_nothing_else(saved, monkeypatch, system):
    before = saved.read_bytes()

    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        model().save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_save_that_breaks_off_leaves_nothing_behind(saved, monkeypatch, error, system):
    before = saved.read_bytes()

    def break_off(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", break_off)
    with pytest.raises(error):
        model().save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saving_onto_a_folder_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        model().save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_what_is_no_path_is_a_type_error():
    uses = model().save, model().load, syn.SynaMLP.from_file, load_json, partial(save_json, model())
    for use in uses:
        for path in (5, None, b"model"):
            with pytest.raises(TypeError, match=r"`path` must be a str or an os.PathLike of one"):
                use(path)
        for path in ("a\0b", ""):
            with pytest.raises(ValueError, match=r"`path` must name a file\. Received: "):
                use(path)


def test_saving_into_a_missing_folder_names_what_was_asked_for(tmp_path):
    for path in (tmp_path / "none" / "model.safetensors", f"{tmp_path}/new/"):
        with pytest.raises(
            FileNotFoundError, match=re.escape(f"No such file or directory: '{path}'")
        ):
            model().save(path)
    assert not os.listdir(tmp_path)


def test_a_saved_file_has_the_usual_permissions(saved, system):
    saved.unlink()
    model().save(saved)
    plain = saved.parent / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o2755])
def test_a_file_keeps_its_mode(saved, mode, system):
    saved.chmod(mode)
    model(seed=3).save(saved)
    assert stat.S_IMODE(saved.stat().st_mode) == mode
    assert same(syn.SynaMLP.from_file(saved).weights, model(seed=3).weights)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_keeps_its_owner(saved, system):
    os.chown(saved, 12, 34)
    model().save(saved)
    assert (saved.stat().st_uid, saved.stat().st_gid) == (12, 34)


def test_who_may_not_give_files_away_keeps_them(saved, monkeypatch, system):
    def refuse(*arguments):
        raise PermissionError("not yours")

    monkeypatch.setattr(os, "fchown", refuse)
    saved.chmod(0o640)
    model(seed=3).save(saved)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640
    assert same(syn.SynaMLP.from_file(saved).weights, model(seed=3).weights)


def test_a_link_stays_a_link(saved, system):
    """Also one to a link, from another folder, and one whose target is not there yet."""
    folder = saved.parent / "links"
    folder.mkdir()
    links = [folder / "first", folder / "second", folder / "new"]
    for link, to in zip(links, (f"../{saved.name}", "first", "../new"), strict=True):
        link.symlink_to(to)
    for seed, (link, target) in enumerate(
        [(links[0], saved), (links[1], saved), (links[2], saved.with_name("new"))]
    ):
        model(seed=seed).save(link)
        assert all(link.is_symlink() for link in links)
        assert not target.is_symlink()
        assert same(syn.SynaMLP.from_file(target).weights, model(seed=seed).weights)
    assert sorted(os.listdir(folder)) == ["first", "new", "second"]
    assert sorted(os.listdir(saved.parent)) == ["links", saved.name, "new"]


def test_links_in_a_circle_are_an_error_and_stay(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        model().save(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").is_symlink()


def test_other_names_of_the_file_keep_the_old_content(saved):
    other = saved.with_name("other")
    os.link(saved, other)
    before = saved.read_bytes()
    model(seed=3).save(saved)
    assert other.read_bytes() == before
    assert saved.read_bytes() != before


@pytest.mark.parametrize("length", [240, 255])
def test_names_may_be_as_long_as_the_system_allows(tmp_path, length, system):
    for name in ("a" * length, "ä" * (length // 2)):  # of two bytes each
        for seed in range(2):
            model(seed=seed).save(tmp_path / name)
        assert same(syn.SynaMLP.from_file(tmp_path / name).weights, model(seed=1).weights)
    assert len(os.listdir(tmp_path)) == 2


def test_the_present_folder(tmp_path, monkeypatch, system):
    monkeypatch.chdir(tmp_path)
    write_whole("x", b"numbers")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"numbers"


KILLED = """
import os, signal, sys
from synann_core._lib import files

def kill(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)

os.fsync = kill
files.write_whole(sys.argv[1], bytes(10**6))
"""


def test_a_killed_process_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    if not files._write_nameless(tmp_path / "try", b"", path):
        pytest.skip("this file system has no files without names")
    (tmp_path / "try").unlink()
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == ["x"]
    assert path.read_bytes() == b"old"


def test_many_saves_at_once_leave_one_whole_file(tmp_path, system):
    contents = [bytes([i]) * 200_000 for i in range(8)]
    threads = [
        threading.Thread(target=write_whole, args=(tmp_path / "x", content))
        for content in contents * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "x").read_bytes() in contents
    assert os.listdir(tmp_path) == ["x"]


def test_what_is_not_a_regular_file_is_written_to(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, b"numbers")
    reader.join(timeout=10)
    assert received == [b"numbers"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)

"""Progress with and without tqdm."""

import builtins

import pytest

from synann_core.tabular.classifier.progress import Progress


def run(epochs, *, shown, done=None):
    with Progress("training", epochs, shown=shown) as progress:
        for k in range(epochs if done is None else done):
            progress.advance(loss=1.0 / (k + 1))


def test_a_bar_where_tqdm_is_installed(capsys):
    run(4, shown=True, done=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training:" in err
    assert "3/4" in err
    assert "loss=0.3333" in err


def test_lines_where_it_is_not(capsys, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "tqdm":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    run(20, shown=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0] == "training: epoch 2 of 20, loss 0.5000"
    assert lines[-1] == "training: epoch 20 of 20, loss 0.0500"
    run(3, shown=True)
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("epochs", [0, 30])
def test_nothing_is_shown_unless_it_is_wanted(capsys, epochs):
    run(epochs, shown=False)
    assert capsys.readouterr() == ("", "")

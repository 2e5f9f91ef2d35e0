"""Names that are imported when they are first used."""

import sys
import types

import pytest

from synann_core._lib.later import names_for_later


@pytest.fixture
def package(monkeypatch):
    made = types.ModuleType("made_up")
    monkeypatch.setitem(sys.modules, "made_up", made)
    return made


def test_a_name_is_looked_up_once(package):
    get, listed = names_for_later("made_up", {"sqrt": "math"})
    assert "sqrt" in listed()
    assert get("sqrt")(4.0) == 2.0
    assert package.sqrt is get("sqrt")
    with pytest.raises(AttributeError, match="module 'made_up' has no attribute 'cube'"):
        get("cube")


def test_where_scikit_learn_is_hidden_its_names_are_not_listed(package, monkeypatch):
    _, listed = names_for_later("made_up", {"A": "sklearn.base"}, extra="tabular")
    assert "A" in listed()
    for stand_in in (None, types.ModuleType("sklearn")):
        monkeypatch.setitem(sys.modules, "sklearn", stand_in)
        assert "A" not in listed()


def test_what_to_install_is_said_of_scikit_learn_alone(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.nothing", None)
    homes = {"A": "sklearn.nothing", "B": "no_such_module"}
    get, _ = names_for_later("made_up", homes, extra="tabular")
    with pytest.raises(ImportError, match=r'`A` needs scikit-learn: .*"synann\[tabular\]"'):
        get("A")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        get("B")
    with pytest.raises(ModuleNotFoundError, match="sklearn"):
        names_for_later("made_up", homes)[0]("A")

"""The API reference: names without a docstring are refused, shared names have one page."""

import functools
from pathlib import Path

import pytest

from docs.extensions import reference

ROOT = Path(__file__).parents[2]
MODULES = {*reference.MODULES}


@pytest.fixture(autouse=True)
def core_alone(monkeypatch):
    """Modules of the core: the adapters' would import torch and Keras for nothing."""
    kept = {k: v for k, v in reference.MODULES.items() if "torch" not in k and "keras" not in k}
    monkeypatch.setattr(reference, "MODULES", kept)
    reference.public_names.cache_clear()
    yield
    reference.public_names.cache_clear()


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(
        reference.logger, "warning", lambda text, *args, **_: said.append(text % args)
    )
    return said


def test_a_name_without_a_docstring_is_a_warning(warnings):
    reference.check_docstring(None, "function", "synann.f", None, None, ["", " "])
    assert warnings == ["function synann.f has no docstring"]


def test_a_docstring_is_none(warnings):
    reference.check_docstring(None, "function", "synann.f", None, None, ["Do it."])
    assert warnings == []


def test_a_constant_without_a_comment_is_a_warning(warnings, monkeypatch):
    monkeypatch.setattr(reference, "comment_of", lambda name, value: [])
    reference.constant("synann.plot.TEXT")
    assert warnings == ["synann.plot.TEXT has no comment with #:"]


def test_a_constant_shows_its_comment(warnings):
    text = reference.constant("synann.layer.Gate")
    assert "Literal['sigmoid', 'softmax', 'exp']" in text
    assert "How activations become numbers" in text
    assert warnings == []


def test_a_shared_name_has_one_page():
    names = reference.public_names()
    assert names["synann"]["SynapseGraph"] == "synann.SynapseGraph"
    assert names["synann.graph"]["SynapseGraph"] == "synann.SynapseGraph"
    assert names["synann.graph"]["Circuit"] == "synann.graph.Circuit"


def test_every_public_module_has_a_page():
    paths = [p.relative_to(ROOT).with_suffix("") for p in (ROOT / "synann").rglob("[!_]*.py")]
    found = {".".join(path.parts) for path in paths}
    assert "synann.torch.exchange" in found
    assert found - MODULES == {"synann.extending"}  # it has one as synann_core.extending


def test_members_are_ours_and_inherited_from_ours():
    class Base:
        __module__ = "synann_core.base"

        def fit(self):
            pass

        def set_fit_request(self):
            pass

    class Foreign:
        def foreign(self):
            pass

    class Model(Base, Foreign):
        __module__ = "synann_core.model"
        size = 3

        @property
        def width(self):
            return 1

        @functools.cached_property
        def depth(self):
            return 1

        def _hidden(self):
            pass

    assert reference.own_members(Model) == ["width", "depth", "fit"]


def test_an_alias_of_a_class_has_the_docstring_of_the_class():
    text = reference.page_of("synann_core.extending.NeuronPlan")
    assert ".. py:class:: NeuronPlan" in text
    assert len(text.splitlines()) > 8

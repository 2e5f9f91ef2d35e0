"""The option --backend."""

import pytest

from shared import backends


def test_a_missing_backend_gives_one_line(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(backends.importlib, "import_module", missing)
    with pytest.raises(SystemExit, match=r'pip install -e "\.\[cupy\]"') as caught:
        backends.backend_array("cupy")
    assert "\n" not in str(caught.value)

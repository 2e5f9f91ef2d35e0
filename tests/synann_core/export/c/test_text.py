"""Numbers and names in C."""

import ctypes

import numpy as np
import pytest

from synann_core.export import save_c
from tests.export_models import compiled, fitted


@pytest.mark.parametrize("value", [0.1, -1e-40, 3.0, 0.0, -0.0, 2.0**-149, 3.4e38, 1 / 3, np.pi])
def test_numbers_are_exact(value, dtype, tmp_path):
    from synann_core.export.c.text import literal

    source = tmp_path / "x.c"
    real = {"float32": "float", "float64": "double"}[dtype]
    source.write_text(f"extern {real} x;\n{real} x = {literal(value, dtype)};\n")
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    got = number.in_dll(compiled(source), "x").value
    assert np.dtype(dtype).type(got).tobytes() == np.dtype(dtype).type(value).tobytes()


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a;b", "ä", "a" * 42, "a\n", None, 3])
def test_a_name_that_c_lacks_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"`name`.*Received"):
        save_c(fitted(hidden=3)[0], tmp_path / "x.c", name=name)
    assert not list(tmp_path.iterdir())

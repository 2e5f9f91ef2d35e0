"""The handlers that XLA calls: their view of its structures, and the arguments they refuse."""

import re
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synann_core
from synann_core.contraction import jax_primitives
from synann_core.native.host import kernels

OURS = Path(synann_core.__file__).parent / "native" / "xla.h"
THEIRS = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
HANDLERS = ("log_product", "tangent", "gradients")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    assert jax_primitives._primitives()


def layout(header, structures, constants, folder):
    """Offsets and sizes of the fields, and the constants, as a compiler sees them."""
    blocks = []
    for name, fields in structures.items():
        lines = [
            f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof(x.{field}));'
            for field in fields
        ]
        blocks.append(f"{{ {name} x; {' '.join(lines)} }}")
    numbers = [f'printf("{name} %d\\n", (int){name});' for name in constants]
    source = folder / "layout.c"
    source.write_text(
        f'#include <stdio.h>\n#include "{header}"\n'
        f"int main(void) {{ {' '.join(blocks)} {' '.join(numbers)} return 0; }}\n",
        encoding="utf-8",
    )
    subprocess.run(["gcc", "-w", "-o", folder / "layout", source], check=True)
    done = subprocess.run([folder / "layout"], check=True, capture_output=True, text=True)
    return done.stdout.split("\n")


def test_structures_are_those_of_jaxlib(tmp_path):
    text = OURS.read_text(encoding="utf-8")
    structures = {}
    for body, name in re.findall(r"typedef struct(?: \w+)? \{(.*?)\n\} (\w+);", text, re.DOTALL):
        fields = []
        for declaration in body.split(";")[:-1]:
            if function := re.search(r"\(\*(\w+)(?:\[\d+\])?\)", declaration):
                fields.append(function.group(1))
            else:
                fields += re.findall(r"(\w+)\s*(?:,|$)", declaration)
        structures[name] = [field for field in fields if field != "unused"]
    constants = re.findall(r"(XLA_FFI_\w+) = \d+,", text)
    constants.remove("XLA_FFI_API_MINOR")  # the oldest that has what we use
    assert len(structures) == 15
    assert len(constants) == 10
    assert "XLA_FFI_ThreadPool_NumThreads" in structures["XLA_FFI_Api"]
    ours = layout(OURS, structures, constants, tmp_path)
    assert ours == layout(THEIRS, structures, constants, tmp_path)
    assert len(ours) > 60


def call(name, *arrays, results, **options):
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results]
    found = jax.ffi.ffi_call(f"synann_{name}", shapes)(*arrays, **options)
    return [np.asarray(a) for a in found]


def right():
    """Arguments of `gradients` that are right."""
    y, beta, t = jnp.full((3, 4), 0.5), jnp.full((2, 4), 0.5), jnp.ones((3, 2))
    return {
        "arrays": [y, beta, t],
        "results": [((3, 4), y.dtype), ((2, 4), y.dtype)],
        "floor": np.float64(1e-16),
    }


def changed(**changes):
    given = right()
    for key, change in changes.items():
        given[key] = change(given[key])
    arrays = given.pop("arrays")
    return call("gradients", *arrays, **given)


def test_right_arguments_are_taken():
    gy, gbeta = changed()
    assert np.allclose(gy, -2 * 0.5 / 0.75)
    assert np.allclose(gbeta, -3 * 0.5 / 0.75)
    float32 = changed(
        arrays=lambda given: [a.astype("float32") for a in given],
        results=lambda given: [(shape, "float32") for shape, _ in given],
    )
    assert np.allclose(float32[0], gy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arrays": lambda a: a[:2]}, "wrong number of arrays"),
        ({"arrays": lambda a: [*a, a[0]]}, "wrong number of arrays"),
        ({"results": lambda r: r[:1]}, "wrong number of arrays"),
        ({"arrays": lambda a: [a[0].astype("float32"), *a[1:]]}, "the same dtype"),
        ({"arrays": lambda a: [a[0].astype("int64"), *a[1:]]}, "float32 or float64"),
        ({"arrays": lambda a: [x.astype("bfloat16") for x in a]}, "float32 or float64"),
        ({"results": lambda r: [(r[0][0], "float32"), r[1]]}, "the same dtype"),
        ({"arrays": lambda a: [a[0][0], *a[1:]]}, "2 axes"),
        ({"arrays": lambda a: [a[0], a[1][None], a[2]]}, "2 axes"),
        ({"arrays": lambda a: [a[0][:, :3], *a[1:]]}, "shapes must fit"),
        ({"arrays": lambda a: [a[0], a[1], a[2].T]}, "shapes must fit"),
        ({"results": lambda r: r[::-1]}, "shapes must fit"),
        ({"floor": np.float32}, "float64 attribute"),
        ({"floor": lambda _: "0"}, "float64 attribute"),
        ({"floor": lambda _: np.ones(2)}, "float64 attribute"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(Exception, match=message) as error:
        changed(**changes)
    assert "INVALID_ARGUMENT" in str(error.value)


@pytest.mark.parametrize("name", HANDLERS)
def test_calls_without_a_floor_are_refused(name):
    given = right()
    with pytest.raises(Exception, match=r"floor|number of arrays"):
        call(name, *given["arrays"], results=given["results"])


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_are_capsules(name):
    handler = getattr(kernels, f"xla_{name}")
    assert "xla._CUSTOM_CALL_TARGET" in repr(handler)

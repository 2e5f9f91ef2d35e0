"""C files: compiled without a warning by gcc, they compute what the models compute."""

import re
import subprocess

import numpy as np
import pytest

from synann_core.export import save_c, save_c_learner
from synann_core.graph import SynapseGraph
from tests.export_models import broken, compiled, fitted, spiking, strong


def test_a_file_has_no_heap_and_no_library(tmp_path):
    """Beside math.h nothing is included, and beside its functions nothing is called."""
    save_c(fitted()[0], tmp_path / "net.c", name="net")
    save_c_learner(0.0, np.full((3, 4), 0.5), tmp_path / "layer.c")
    for name in ("net", "layer"):
        text = (tmp_path / f"{name}.c").read_text()
        assert re.findall(r"#include.*", text) == ["#include <math.h>"]
        subprocess.run(["gcc", "-c", "-o", tmp_path / "o", tmp_path / f"{name}.c"], check=True)
        found = subprocess.run(["nm", "-u", tmp_path / "o"], check=True, capture_output=True)
        needed = {line.split()[-1] for line in found.stdout.decode().splitlines()}
        assert needed <= {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", "expf", "logf", "log1pf",
                          "expm1f"}  # fmt: skip


def test_a_file_may_be_included_twice_and_beside_another(tmp_path):
    for name in ("one", "two"):
        save_c(fitted(hidden=3)[0], tmp_path / f"{name}.c", name=name)
    program = tmp_path / "program.c"
    program.write_text('#include "one.c"\n#include "two.c"\n#include "one.c"\n')
    compiled(program)


def large():
    edges = np.full(20_001, 1), np.zeros(20_001, int)
    return SynapseGraph.from_arrays(1, 1, inhibitory=edges)


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (
            lambda p: save_c(fitted(hidden=3)[0], p, dtype="int32"),
            ValueError,
            "`dtype` must be one of .*'float64', 'int8', 'int16'",
        ),
        (lambda p: save_c(fitted(hidden=3)[0], p, levels=9), TypeError, "`levels` must be None"),
        (
            lambda p: save_c(SynapseGraph(), p, dtype="int8"),
            TypeError,
            "`model` must be a SynaMLP in",
        ),
        (lambda p: save_c(spiking(), p, dtype="int16"), TypeError, "`model` must be a SynaMLP"),
        (lambda p: save_c(fitted(hidden=3)[0], p, space="surprisal"), ValueError, "`space`"),
        (lambda p: save_c(SynapseGraph(), p, space="log"), ValueError, "`space`"),
        (lambda p: save_c(SynapseGraph(), p, params=([], [1.0])), ValueError, "`beta`"),
        (lambda p: save_c(large(), p), ValueError, "`model`.*20000 synapses"),
        (lambda p: save_c({}, p), TypeError, "`model`"),
        (lambda p: save_c(broken("output.bias", np.nan), p), ValueError, "`model`.*finite"),
        (lambda p: save_c(broken("output.bias", 1e39), p), ValueError, "`model`.*float32"),
        (lambda p: save_c(strong(), p), ValueError, "`alpha`.*float32"),
        (lambda p: save_c_learner(0.0, np.ones(3), p), ValueError, "`gamma`.*shape"),
        (lambda p: save_c_learner(0.0, np.ones((0, 3)), p), ValueError, "`gamma`.*empty"),
        (lambda p: save_c_learner(0.0, -np.ones((2, 3)), p), ValueError, "`gamma`.*≥ 0"),
        (lambda p: save_c_learner(0.0, np.full((2, 3), np.inf), p), ValueError, "`gamma`.*finite"),
        (lambda p: save_c_learner(np.zeros(3), np.ones((2, 3)), p), ValueError, "`theta`.*shape"),
        (lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min=0.0), ValueError, "gamma_min"),
        (lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min="1"), TypeError, "gamma_min"),
        (
            lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min=1e-50),
            ValueError,
            r"`gamma_min` must be in \(0, inf\)",
        ),
        (lambda p: save_c_learner(0.0, [[0.5]], p), TypeError, "`gamma` must be an array"),
        (lambda p: save_c_learner([0.5], np.ones((1, 1)), p), TypeError, "`theta` must be an"),
    ],
)
def test_bad_input_is_refused(write, error, message, tmp_path):
    with pytest.raises(error, match=f"{message}.*Received"):
        write(tmp_path / "x.c")
    assert not list(tmp_path.iterdir())

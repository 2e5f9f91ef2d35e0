"""What a type checker tells a user: a script with good lines and bad ones goes through mypy."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from synann_core._lib.typing import Array

ROOT = Path(__file__).resolve().parents[3]

# Each line that mypy must refuse ends with the code of its error; all others must pass.
SCRIPT = """
import numpy as np
import synann_core as syn
from synann_core.graph import Circuit, SynapseGraph
from synann_core.spiking import LIF, Layer, SpikingNetwork

y, beta = np.random.rand(3, 4), np.random.rand(2, 4)
T = syn.log_transmission(y, beta)
T.flags  # an array of NumPy in, an array of NumPy out
syn.synapse_tensor(1.0, y, 1.0, beta).tolist()
gy, gbeta = syn.log_transmission_vjp(y, beta, 1.0)
gy.sum() + gbeta.sum()
syn.odds(0.5).item()  # with numbers alone it is NumPy
syn.synapse_tensor("a", y, 1.0, beta)  # arg-type
syn.log_transmission(y, [[0.5]])  # type-var
syn.log_transmission(y)  # call-arg
model = syn.SynaMLP(4, 8, 2, layer="synapse", gate="softmax")
syn.SynaMLP(4, 8, 2, layer="synaps")  # arg-type
syn.SynaMLP(4, 8, 2, gate="relu")  # arg-type
syn.SynaMLP("4", 8, 2)  # arg-type
model.predict(y)
graph = SynapseGraph()
graph.input("x")
graph.synapse("z", excitatory="x", inhibitory={"x": 0.5})
graph.synapse(1.5, excitatory="x")  # arg-type
compiled = graph.compile()
compiled(y, space="surprisal").flags
compiled(y, space="surprisals")  # arg-type
Circuit(compiled, {"x": "z"})  # arg-type
LIF(0.9, reset="subtract")
LIF(0.9, reset="substract")  # arg-type
"""


def test_what_mypy_says_of_a_user_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, "--warn-unreachable", str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not result.stderr, result.stderr
    found = dict(re.findall(r"script\.py:(\d+): error: .*\[([\w-]+)\]$", result.stdout, re.M))
    lines = enumerate(SCRIPT.splitlines(), 1)
    wanted = {str(k): m[1] for k, line in lines if (m := re.search(r"  # ([a-z]+-[a-z]+)$", line))}
    assert found == wanted, result.stdout


def test_arrays_of_every_library_have_what_the_protocol_says():
    import array_api_strict
    import jax.numpy
    import torch

    bookkeeping = {"__dict__", "__module__", "__parameters__", "__weakref__"}
    names = {name for name in vars(Array) if not name.startswith("_abc")} - set(vars(object))
    used = {name for name in names - bookkeeping if hasattr(np.ndarray, name)}
    assert len(used) > 15
    for make in (np.ones, torch.ones, jax.numpy.ones, array_api_strict.ones):
        array = make((2, 3))
        assert not {name for name in used if not hasattr(array, name)}

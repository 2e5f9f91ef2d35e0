"""Spiking networks in C: the spikes and membranes of Python, step by step, and clean compilers."""

import ctypes
import itertools
import re
import subprocess

import numpy as np
import pytest

from synann_core.export import save_c
from synann_core.spiking import LIF, Layer, SpikingNetwork, leaky_integrator
from tests.export_models import call, compiled
from tests.export_models import spiking as never_firing
from tests.synann_core.spiking.network.cases import NETWORKS, make

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
SHARED = [*STRICT, "-O2", "-shared", "-fPIC"]
SANITIZED = [*STRICT, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def wrapper(network, real):
    """C functions that run a network and keep what it puts out at every step."""
    outs = ["out" if layer.neuron.order == "article" else "spikes" for layer in network.layers]
    copies = "".join(
        f"        for (int i = 0; i < {layer.units}; i++) {{\n"
        f"            *out++ = state.{out}_{k}[i];\n"
        f"            *out++ = state.membrane_{k}[i];\n        }}\n"
        for k, (layer, out) in enumerate(zip(network.layers, outs, strict=True))
    )
    return f"""#include "net.c"
static net_state state;
void trace(const {real} *x, int steps, int features, {real} *out);
int predict(const {real} *x);
void scores({real} *out);
void trace(const {real} *x, int steps, int features, {real} *out)
{{
    net_init(&state);
    for (int t = 0; t < steps; t++) {{
        net_step(&state, x + t * features);
{copies}    }}
}}
int predict(const {real} *x) {{ return net_predict(&state, x); }}
void scores({real} *out)
{{
    for (int i = 0; i < {network.classes}; i++) {{
        out[i] = state.membrane_sum[i];
        out[{network.classes} + i] = state.spike_count[i];
        out[{2 * network.classes} + i] = state.first_spike[i];
    }}
}}
"""


def written(network, folder, dtype, flags=SHARED):
    """The compiled functions."""
    save_c(network, folder / "net.c", name="net", dtype=dtype)
    real = "float" if dtype == "float32" else "double"
    (folder / "program.c").write_text(wrapper(network, real))
    return compiled(folder / "program.c", flags)


def traced(library, network, sequence):
    """Spikes and membranes of every layer, (steps, units), of one sequence."""
    sequence = np.ascontiguousarray(sequence)
    units = [layer.units for layer in network.layers]
    out = np.empty((len(sequence), sum(units), 2), sequence.dtype)
    call(library.trace, sequence, len(sequence), network.in_features, out)
    return np.split(out, np.cumsum(units)[:-1], axis=1)


def check(network, x, folder, dtype, limit):
    """Every sample of x, (steps, samples, features), beside Python."""
    library = written(network, folder, dtype)
    x = x.astype(dtype)
    wanted = network.run(x)
    for sample in range(x.shape[1]):
        for found, (spikes, membranes) in zip(
            traced(library, network, x[:, sample]), wanted, strict=True
        ):
            np.testing.assert_array_equal(found[..., 0], spikes[:, sample])
            np.testing.assert_allclose(found[..., 1], membranes[:, sample], rtol=limit, atol=limit)


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind, dtype, tmp_path):
    network, x, _ = make(kind, sequence=True)
    if dtype == "float32":
        network.weights = {key: w.astype(dtype) for key, w in network.weights.items()}
    check(network, x, tmp_path, dtype, 1e-13 if dtype == "float64" else 1e-5)


RULES = [
    {"order": order, "reset": reset, "fires": fires}
    for order, reset, fires in itertools.product(
        ("article", "snntorch", "immediate"), ("subtract", "zero", "none"), (">", ">=")
    )
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: " ".join(rule.values()))
def test_every_rule_of_neurons(rule, tmp_path):
    """With all parts that a neuron can have, one number a neuron, and a first spike at rest."""
    rng = np.random.default_rng(1)
    neuron = LIF(
        rng.random(6),
        0.4 + rng.random(6),
        rng.random(6) / 2,
        rng.normal(0, 0.3, (6, 6)),
        gain=0.7,
        rest=0.5,
        reset_to=0.1,
        adaptation=0.2,
        adaptation_decay=0.8,
        **rule,
    )
    network = SpikingNetwork(4, [Layer(6, neuron), Layer(3, LIF(0.9, 0.3, **rule))])
    check(network, 2 * rng.random((12, 5, 4)), tmp_path, "float64", 1e-13)
    spikes = network.run(rng.random((12, 5, 4)))[0][0]
    assert 0.02 < spikes.mean() < 0.98


def test_predictions_and_scores(tmp_path):
    network, x, _ = make("learned")
    library = written(network, tmp_path, "float64")
    found = np.empty((3, network.classes))
    for row, want in zip(x, network.predict(x), strict=True):
        assert library.predict(row.ctypes.data_as(ctypes.c_void_p)) == want
        call(library.scores, found)
        for scores, readout in zip(found, ("membrane", "count", "first_spike"), strict=True):
            wanted = network.decision_function(row[None], readout=readout)[0]
            np.testing.assert_allclose(scores, wanted, rtol=1e-13, atol=1e-13)


def test_a_readout_without_threshold(tmp_path):
    network = SpikingNetwork(3, [Layer(4), Layer(2, leaky_integrator(0.9, order="article"))])
    check(network, 3 * np.random.default_rng(0).random((9, 2, 3)), tmp_path, "float64", 1e-13)


def test_a_neuron_that_never_fires(tmp_path):
    network = never_firing()
    check(network, np.random.default_rng(0).random((9, 2, 3)), tmp_path, "float64", 1e-13)


@pytest.mark.parametrize("order", ["snntorch", "immediate"])
def test_nothing_is_taken_for_a_spike_that_cannot_be(order, tmp_path):
    neurons = [LIF(0.9, np.array(t), order=order) for t in ([0.3, np.inf], [np.inf, np.inf])]
    network = SpikingNetwork(3, [Layer(2, neuron) for neuron in neurons])
    x = np.random.default_rng(0).random((9, 2, 3))
    assert all(np.isfinite(membranes).all() for _, membranes in network.run(x))
    check(network, x, tmp_path, "float64", 1e-13)


def test_sanitizers_find_nothing(tmp_path):
    """Many steps, with inputs that are not numbers among them, from one call to the next."""
    network, x, _ = make("learned", sequence=True)
    save_c(network, tmp_path / "net.c", name="net", dtype="float64")
    rows = x[:, 0]
    rows = np.concatenate([rows, np.full((1, 5), np.nan), np.full((1, 5), 1e308), rows])
    values = ", ".join("NAN" if np.isnan(v) else float(v).hex() for v in rows.ravel())
    main = f"""#include <stdio.h>
{wrapper(network, "double")}
int main(void)
{{
    static const double x[] = {{{values}}};
    static double out[{2 * 13 * len(rows)}];
    trace(x, {len(rows)}, 5, out);
    for (int i = 0; i < {2 * 13 * 7}; i++)
        printf("%a\\n", out[i]);
    return predict(x) >= 0 ? 0 : 1;
}}
"""
    (tmp_path / "main.c").write_text(main)
    program = tmp_path / "main"
    subprocess.run(["gcc", *SANITIZED, "-o", program, tmp_path / "main.c", "-lm"], check=True)
    run = subprocess.run([program], check=True, capture_output=True, text=True)
    assert not run.stderr
    found = np.array([float.fromhex(line) for line in run.stdout.split()]).reshape(7, 13, 2)
    wanted = np.concatenate([a[0][:, 0] for a in network.run(x)], axis=-1)
    np.testing.assert_array_equal(found[..., 0], wanted)


def test_a_file_has_no_heap_and_no_library(tmp_path):
    save_c(make("synapse")[0], tmp_path / "net.c", name="net")
    text = (tmp_path / "net.c").read_text()
    assert re.findall(r"#include.*", text) == ["#include <math.h>"]
    subprocess.run(["gcc", "-c", "-o", tmp_path / "o", tmp_path / "net.c"], check=True)
    found = subprocess.run(["nm", "-u", tmp_path / "o"], check=True, capture_output=True)
    needed = {line.split()[-1] for line in found.stdout.decode().splitlines()}
    assert needed <= {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", "logf", "log1pf"}


def test_weights_that_the_dtype_cannot_hold(tmp_path):
    network, _, _ = make("article's")
    network.weights["0.bias"][0] = 1e200
    with pytest.raises(ValueError, match="`model` must hold finite numbers, also in float32"):
        save_c(network, tmp_path / "net.c")
    with pytest.raises(TypeError, match="`params` must be None for a SpikingNetwork"):
        save_c(network, tmp_path / "net.c", params=1)
    assert not list(tmp_path.iterdir())

"""Where graphs of tensorflow call the compiled kernels, and that they are right elsewhere."""

import keras
import numpy as np
import pytest
from keras import ops

import synann_core as syn
from synann_core import tensor, transmission
from synann_core.contraction import native
from synann_keras import Synapse, _ops
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import BACKEND, FLOAT32, gradients, network, to_numpy

if BACKEND != "tensorflow":
    pytest.skip("graphs of tensorflow", allow_module_level=True)

import tensorflow as tf

from synann_keras import _tensorflow as xp

pytestmark = [
    pytest.mark.needs_kernels,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def calls(monkeypatch):
    """Names of the kernels' functions that graphs have called."""
    called = []
    for name in ("forward", "vjp"):
        function = getattr(native, name)

        def noted(*arguments, name=name, function=function, **options):
            called.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(native, name, noted)
    return called


def problem(shape, m, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    y, beta = rng.random(shape), rng.random((m, shape[-1]))
    return y.astype(dtype), beta.astype(dtype), rng.normal(size=(*shape[:-1], m)).astype(dtype)


def evaluated(y, beta, grad):
    """Log-transmission and its gradients by tensorflow."""
    y, beta, grad = map(tf.constant, (y, beta, grad))
    with tf.GradientTape() as tape:
        tape.watch((y, beta))
        value = _ops.evaluate(transmission._log_transmission, (y,), (beta,))
    return value, *tape.gradient(value, (y, beta), grad)


def log_transmission(y):
    """Of fixed strengths, as a function of rows of 6."""
    beta = tf.constant(problem((1, 6), 4)[1])
    return _ops.evaluate(transmission._log_transmission, (y,), (beta,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_are_those_of_numpy(calls, monkeypatch, dtype):
    """Also on one thread, of factors that are 0 or outside the domain, and of no rows."""
    for shape, m in (((3, 6), 4), ((0, 6), 4), ((300, 100), 90)):
        y, beta, grad = problem(shape, m, dtype)
        if len(y) == 3:
            y[0, 0] = beta[0, 0] = 1.0
            y[1, 0] = 1.5
        want = (syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, grad))
        for threads in ("1", ""):
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            calls.clear()
            got = evaluated(y, beta, grad)
            assert sorted(calls) == ["forward", "vjp"]
            for value, wanted in zip(got, want, strict=True):
                np.testing.assert_array_equal(value.numpy(), wanted)


def test_bits_in_surprisal_space(calls):
    """Of a contraction whose factors come with their 1 − y and 1 − β."""
    v, gamma, _ = problem((3, 6), 4)
    got = _ops.evaluate(surprisal_value, (tf.constant(v),), (tf.constant(gamma),))
    assert calls == ["forward"]
    assert_close(to_numpy(got), syn.surprisal_synapse_tensor(np.float32(0), v, 0.0, gamma), FLOAT32)


def surprisal_value(v, gamma, *, xp):

    return tensor._surprisal_synapse_tensor(0.0, v, 0.0, gamma, xp=xp)


@pytest.mark.parametrize("shape", [(3, 6), (2, 0, 6), (6,)])
def test_graphs_for_any_number_of_rows(calls, shape):
    signature = [tf.TensorSpec([None] * (len(shape) - 1) + [6], tf.float32)]
    graph = tf.function(log_transmission, input_signature=signature)
    y, beta = problem(shape, 4)[0], problem((1, 6), 4)[1]
    got = graph(tf.constant(y)).numpy()
    assert calls == ["forward"]
    np.testing.assert_array_equal(got, syn.log_transmission(y, beta))


def test_training(calls):
    """The same losses whether XLA compiles a step, which then has no kernels, or not."""
    rng = np.random.default_rng(0)
    y, target = rng.random((8, 2, 6)), rng.random((8, 2, 3))
    losses = []
    for compiled in (True, False):
        calls.clear()
        model = network(output="surprisal")
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=compiled)
        history = model.fit(y, target, epochs=2, batch_size=8, verbose=0).history
        losses.append(history["loss"])
        if compiled:
            assert calls == []
        else:  # of the layer, and of the cell in either time step
            assert calls.count("forward") == calls.count("vjp") == 2 * (1 + 2)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][1] < losses[0][0]


def test_graphs_inside_those_that_xla_compiles(calls):
    """One traced graph serves callers of both kinds."""
    y = tf.constant(problem((3, 6), 4)[0])
    inner = tf.function(log_transmission)
    want = inner(y)
    assert calls == ["forward"]

    @tf.function(jit_compile=True)
    def outer(y):
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = inner(y)
        return value, tape.gradient(value, y)

    got = outer(y)
    assert calls == ["forward"]
    assert_close(to_numpy(got[0]), to_numpy(want), 32 * FLOAT32)
    with tf.GradientTape() as tape:
        tape.watch(y)
        value = inner(y)
    slope = tape.gradient(value, y)
    assert calls == ["forward", "forward", "vjp"]
    assert_close(to_numpy(got[1]), to_numpy(slope), 32 * FLOAT32)


def test_saved_models_have_the_operations(calls, tmp_path):
    """Whoever loads one has no kernels; a graph itself looks for them when it runs."""
    module = tf.Module()
    module.f = tf.function(log_transmission, input_signature=[tf.TensorSpec([None, 6], tf.float32)])
    y = problem((3, 6), 4)[0]
    want = module.f(y).numpy()
    assert calls == ["forward"]
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert_close(loaded.f(y).numpy(), want, 32 * FLOAT32)
    assert calls == ["forward"]
    # As in another process, a worker say.
    with tf.device("CPU:0"):
        mark = {"dtype": tf.bool, "shape": [], "shared_name": xp._process_mark()}
        tf.raw_ops.DestroyResourceOp(resource=tf.raw_ops.VarHandleOp(**mark))
    xp._process_mark.cache_clear()
    assert_close(module.f(y).numpy(), want, 32 * FLOAT32)
    assert calls == ["forward"]


def test_precisions_of_16_bits(calls):
    """The layer computes in float32; bare float16 goes to the operations."""
    y, beta, _ = problem((3, 6), 4)
    layer = Synapse(4, dtype="mixed_float16", output="surprisal")
    result = layer(y.astype(np.float16))
    assert result.dtype == tf.float16
    assert calls == ["forward"]
    half = tf.constant(y, tf.float16), tf.constant(beta, tf.float16)
    got = _ops.evaluate(transmission._log_transmission, half[:1], half[1:])
    assert got.dtype == tf.float16
    assert calls == ["forward"]


def test_kernels_can_be_turned_off(calls, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    _ops._graph.cache_clear()  # of graphs that are built already
    y, _, upstream = problem((3, 6), 4)
    layer = Synapse(4)
    layer.build(y.shape)
    got = gradients(layer, y, upstream=upstream)
    assert calls == []
    monkeypatch.delenv("SYNANN_KERNELS")
    _ops._graph.cache_clear()
    want = gradients(layer, y, upstream=upstream)
    assert calls == ["forward", "vjp"]
    for value, wanted in zip(got, want, strict=True):
        assert_close(value, wanted, 64 * FLOAT32, scale=np.max(np.abs(wanted)))


def test_jacobians(calls):
    """By pfor, which makes a loop of the calls."""
    y = tf.constant(problem((3, 6), 4)[0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        value = log_transmission(y)
    jacobian = tape.jacobian(value, y)
    assert calls == ["forward"] + ["vjp"] * 12
    assert_close(ops.sum(jacobian, (0, 1)).numpy(), tape.gradient(value, y).numpy(), 16 * FLOAT32)

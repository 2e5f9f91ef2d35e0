"""What the tests of the Keras adapter share: weights with random values, gradients, NumPy."""

import keras
import numpy as np
from keras import ops

from synann_keras import Synapse, SynaRNNCell

BACKEND = keras.config.backend()
FLOAT32 = 2.0**-23


def to_numpy(value):
    if isinstance(value, list | tuple):
        return [to_numpy(v) for v in value]
    return np.asarray(ops.convert_to_numpy(value), dtype=np.float64)


def randomise(layer, seed=0, spread=1.0):
    """Weights away from their initial values."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        noise = spread * rng.normal(size=weight.shape)
        weight.assign(to_numpy(weight.value) + noise)


def gradients(layer, *inputs, upstream, jit=True):
    """Of Σ upstream · layer(*inputs): for each input, then for each trainable weight.

    Without `jit`, jax does not compile the whole, which takes it seconds.
    """
    inputs = [ops.convert_to_tensor(a, dtype="float32") for a in inputs]
    upstream = ops.convert_to_tensor(upstream, dtype="float32")
    if BACKEND == "tensorflow":
        import tensorflow as tf

        weights = [w.value for w in layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = ops.sum(ops.cast(layer(*inputs), "float32") * upstream)
        return to_numpy(tape.gradient(loss, [*inputs, *weights]))
    if BACKEND == "jax":
        import jax

        def loss(inputs, weights):
            result, _ = layer.stateless_call(weights, [], *inputs)
            return ops.sum(ops.cast(result, "float32") * upstream)

        weights = [w.value for w in layer.trainable_weights]
        gradient = jax.grad(loss, argnums=(0, 1))
        of_inputs, of_weights = (jax.jit(gradient) if jit else gradient)(inputs, weights)
        return to_numpy([*of_inputs, *of_weights])
    import torch

    inputs = [a.detach().requires_grad_() for a in inputs]
    loss = ops.sum(ops.cast(layer(*inputs), "float32") * upstream)
    weights = [w.value for w in layer.trainable_weights]
    return to_numpy(list(torch.autograd.grad(loss, [*inputs, *weights])))


def hessian_vector(function, y, direction):
    """Derivative along `direction` of the gradient of a scalar `function` at y."""
    y, direction = (ops.convert_to_tensor(a, dtype="float32") for a in (y, direction))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as outer:
            outer.watch(y)
            with tf.GradientTape() as inner:
                inner.watch(y)
                value = function(y)
            slope = ops.sum(inner.gradient(value, y) * direction)
        return to_numpy(outer.gradient(slope, y))
    if BACKEND == "jax":
        import jax

        return to_numpy(jax.grad(lambda a: ops.sum(jax.grad(function)(a) * direction))(y))
    import torch

    y.requires_grad_()
    (gradient,) = torch.autograd.grad(function(y), y, create_graph=True)
    return to_numpy(torch.autograd.grad(ops.sum(gradient * direction), y)[0])


def network(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, 6)),
            keras.layers.RNN(SynaRNNCell(5), return_sequences=True, name="rnn"),
            Synapse(4, mask=np.eye(5, 4), name="synapse", **options),
            keras.layers.Dense(3, name="dense"),
        ]
    )

"""What test_backends.py runs in processes of their own: ``python keras_processes.py TASK``.

Each task prints one line of JSON.
"""

import itertools
import json
import os
import sys

import numpy as np

from tests.helpers import peak_memory

FEATURES, WIDTH, MIXED, CLASSES, BATCH, STEPS = 12, 10, 8, 5, 16, 20


def initial_weights():
    """In Keras' shapes: (inputs, outputs)."""
    rng = np.random.default_rng(0)
    shapes = {
        "dense.kernel": (FEATURES, WIDTH),
        "dense.bias": (WIDTH,),
        "mixed.beta_logit": (WIDTH, MIXED),
        "mixed.theta": (MIXED,),
        "mixed.mixing_logit": (WIDTH, MIXED),
        "last.beta_logit": (MIXED, CLASSES),
        "last.theta": (CLASSES,),
        "last.mixing_logit": (MIXED, CLASSES),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def batches():
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        X = rng.normal(size=(BATCH, FEATURES)).astype(np.float32)
        yield X, (X[:, :CLASSES].argmax(axis=1)).astype(np.int32)


def keras_model():
    import keras

    from synann_keras import Synapse

    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(WIDTH, activation="sigmoid", name="dense"),
            Synapse(MIXED, output="surprisal", name="mixed"),
            Synapse(CLASSES, space="surprisal", name="last"),
            keras.layers.Rescaling(-1.0),
        ]
    )
    for name, value in initial_weights().items():
        layer, weight = name.split(".")
        {w.name: w for w in model.get_layer(layer).weights}[weight].assign(value)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def keras_losses():
    model = keras_model()
    return [float(model.train_on_batch(X, labels)) for X, labels in batches()]


def torch_losses():
    import torch

    from synann_torch import Synapse

    model = torch.nn.ModuleDict(
        {
            "dense": torch.nn.Linear(FEATURES, WIDTH),
            "mixed": Synapse(WIDTH, MIXED, output="surprisal"),
            "last": Synapse(MIXED, CLASSES, space="surprisal"),
        }
    )
    state = {
        name.replace("kernel", "weight"): torch.from_numpy(value.T.copy())
        for name, value in initial_weights().items()
    }
    model.load_state_dict(state)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    losses = []
    for X, labels in batches():
        optimizer.zero_grad()
        hidden = torch.sigmoid(model["dense"](torch.from_numpy(X)))
        logits = -model["last"](model["mixed"](hidden))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels).long())
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def combinations():
    """Every combination of options, with inputs, upstream gradient and weights by torch's names."""
    choices = {
        "excitation": ("input", "mixture", "none"),
        "alpha": (True, False),
        "space": ("probability", "surprisal"),
        "output": ("probability", "surprisal"),
        "masked": (False, True),
    }
    rng, n = np.random.default_rng(2), 6
    for combination in itertools.product(*choices.values()):
        options = dict(zip(choices, combination, strict=True))
        y = rng.random((3, n))
        if options["space"] == "surprisal":
            y = -np.log(y)
        options["mask"] = rng.random((n, n)) < 0.7 if options.pop("masked") else None
        shapes = {"beta_logit": (n, n), "theta": (n,), "mixing_logit": (n, n)}
        weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        upstream = rng.normal(size=(3, n))
        yield options, *(np.float32(a) for a in (y, upstream)), weights


def keras_combinations():
    """Output and gradients of each: of y, then of the weights by name, in torch's shapes.

    Of every second one, where the suite has a half.
    """
    from synann_keras import Synapse
    from tests.synann_keras.keras_helpers import gradients, to_numpy

    half = os.environ.get("SYNANN_KERAS_HALF")
    places = (0, None, 1) if half is None else (int(half), None, 2)
    results = []
    for options, y, upstream, weights in itertools.islice(combinations(), *places):
        mask = options.pop("mask")
        layer = Synapse(upstream.shape[1], mask=None if mask is None else mask.T, **options)
        layer.build(y.shape)
        for weight in layer.weights:
            weight.assign(weights[weight.name].T)
        names = ["y", *(weight.name for weight in layer.trainable_weights)]
        of = dict(zip(names, gradients(layer, y, upstream=upstream, jit=False), strict=True))
        of |= {name: value.T for name, value in of.items() if name != "y"}
        results.append({"output": to_numpy(layer(y)), **of})
    return [{name: a.tolist() for name, a in result.items()} for result in results]


def torch_combinations():
    """As `keras_combinations`."""
    import torch

    from synann_torch import Synapse

    results = []
    for options, y, upstream, weights in combinations():
        mask = options.pop("mask")
        mask = None if mask is None else torch.from_numpy(mask)
        layer = Synapse(y.shape[1], upstream.shape[1], mask=mask, **options)
        parameters = dict(layer.named_parameters())
        layer.load_state_dict(
            {name: torch.from_numpy(weights[name]) for name in parameters}, strict=False
        )
        inputs = {"y": torch.from_numpy(y).requires_grad_(), **parameters}
        output = layer(inputs["y"])
        grads = torch.autograd.grad(output, list(inputs.values()), torch.from_numpy(upstream))
        of = dict(zip(inputs, grads, strict=True))
        results.append({name: a.tolist() for name, a in {"output": output, **of}.items()})
    return results


def distributed_losses():
    """Of one device, and of a batch spread over all of jax's."""
    import jax
    import keras

    alone = keras_losses()
    devices = keras.distribution.list_devices()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    together = keras_losses()
    return {"devices": len(jax.devices()), "alone": alone, "together": together}


def memory():
    """Bytes by which training steps on a large batch raise the most ever held.

    And by which the (batch, m, n) array would: if that does not show, the measurement is worthless.
    """
    import keras
    from keras import ops

    from synann_keras import Synapse

    batch, size = 256, 640
    growth = []
    y = np.random.default_rng(0).random((batch, size)).astype(np.float32)
    # On tensorflow XLA's loops and its own are not the same.
    on_tensorflow = keras.config.backend() == "tensorflow"
    for compiled in ("auto", False) if on_tensorflow else ("auto",):
        for options in ({}, {"space": "surprisal", "alpha": False}):
            model = keras.Sequential([keras.Input((size,)), Synapse(size, **options)])
            model.compile("sgd", "mse", jit_compile=compiled)
            model.train_on_batch(y[:2], y[:2])
            before = peak_memory()
            model.train_on_batch(y, y)
            growth.append(peak_memory() - before)
    before = peak_memory()
    whole = ops.convert_to_tensor(y)[:, :, None] * ops.convert_to_tensor(y)[:, None, :]
    float(ops.convert_to_numpy(whole[-1, -1, -1]))
    return {"growth": growth, "whole": peak_memory() - before, "array": 4 * batch * size**2}


def of_keras():
    return {"memory": memory(), "losses": keras_losses(), "combinations": keras_combinations()}


if __name__ == "__main__":
    tasks = (of_keras, distributed_losses)
    print(json.dumps({task.__name__: task for task in tasks}[sys.argv[1]]()))

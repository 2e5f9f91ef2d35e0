"""One network, trained by one process or device and by several: the same losses?

    python examples/studies/several_devices.py                    every engine, H = 512
    python examples/studies/several_devices.py --engines ddp fsdp --hidden 2048

The network is Dense(64, H) → sigmoid → synapse(H, H) → Dense(H, 10) on scikit-learn's digits. Each
engine trains it twice from the same start by plain gradient descent: alone, and with every batch,
or the parameters, divided:

    ddp, fsdp                  torch, two processes: DistributedDataParallel and fully_shard
    jax-batch, jax-outputs     jax.jit on sharded arrays: the batch, or the synapse's outputs
    jax-shard-map              jax.shard_map over the batch, so that each device runs the kernels
    keras-jax                  keras.distribution.DataParallel
    keras-jax-model            keras.distribution.ModelParallel: the synapse's outputs
    keras-tensorflow           tf.distribute.MirroredStrategy

JAX and tensorflow divide one processor into --devices that they treat as separate ones. That says
whether the results are right, not how fast several machines are. Each engine has its own process.

Makes a table of losses and times.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.datasets import load_digits
from shared.options import make_parser, number

PROCESSES = 2  # of torch
ROWS = 1408  # 11 batches, which 8 devices divide
BATCH = 128
RATE = 0.002
DENSE = ("hidden_weight", "hidden_bias", "output_weight", "output_bias")


class Run(NamedTuple):
    """The loss before each step, and the median time of a step, in ms."""

    losses: list[float]
    milliseconds: float


class Task(NamedTuple):
    """What every engine is given."""

    hidden: int
    steps: int
    devices: int

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Images (BATCH, 64) and labels (BATCH,) of each step."""
        data = load_digits()
        x, y = data.train_x[:ROWS], data.train_y[:ROWS]
        starts = [step * BATCH % ROWS for step in range(self.steps)]
        return [(x[k : k + BATCH], y[k : k + BATCH]) for k in starts]

    def weights(self) -> dict[str, np.ndarray]:
        """Initial values by name, (outputs, inputs) as torch has them."""
        from synann import initial_beta, logit

        rng = np.random.default_rng(0)

        def uniform(*shape: int) -> np.ndarray:
            return rng.uniform(-1.0, 1.0, shape) / np.sqrt(shape[-1])

        values = {
            "hidden_weight": uniform(self.hidden, 64),
            "hidden_bias": np.zeros(self.hidden),
            "beta_logit": logit(initial_beta(self.hidden, self.hidden, rng=rng)),
            "output_weight": uniform(10, self.hidden),
            "output_bias": np.zeros(10),
        }
        return {name: value.astype(np.float32) for name, value in values.items()}


def run_steps(step: Callable[[Any], Any], batches: Iterable[Any]) -> Run:
    """Losses of a training step by batch; the first two steps, which compile, are not timed."""
    losses, seconds = [], []
    for batch in batches:
        start = time.perf_counter()
        losses.append(float(step(batch)))
        seconds.append(time.perf_counter() - start)
    return Run(losses, 1e3 * float(np.median(seconds[2:] or seconds)))


def torch_network(task: Task) -> Any:
    """The network as a torch.nn.Sequential."""
    import torch
    from torch import nn

    from synann.torch import Synapse

    class Negative(nn.Module):
        def forward(self, surprisals: torch.Tensor) -> torch.Tensor:
            return -surprisals

    hidden = task.hidden
    synapse = Synapse(hidden, hidden, alpha=False, output="surprisal")
    model = nn.Sequential(
        nn.Linear(64, hidden), nn.Sigmoid(), synapse, Negative(), nn.Linear(hidden, 10)
    )
    values = task.weights()
    names = ("0.weight", "0.bias", "2.beta_logit", "4.weight", "4.bias")
    given = (*DENSE[:2], "beta_logit", *DENSE[2:])
    state = {n: torch.from_numpy(values[g]) for n, g in zip(names, given, strict=True)}
    model.load_state_dict(state, strict=False)  # what a layer computes with them is not a tensor
    return model


def train_torch(model: Any, batches: Iterable[Any]) -> Run:
    """Train on the process's own rows."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def step(batch: Any) -> float:
        x, y = map(torch.from_numpy, batch)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return run_steps(step, batches)


def torch_process(rank: int, how: str, task: Task, port: int, folder: str) -> None:
    """One of the processes; the loss of a batch is the mean of their losses."""
    import torch
    from torch import distributed

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    torch.set_num_threads(1)
    model: Any = torch_network(task)
    if how == "ddp":
        model = torch.nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.fsdp import fully_shard

        for part in (model[0], model[2], model[4], model):
            fully_shard(part, mesh=distributed.device_mesh.init_device_mesh("cpu", (PROCESSES,)))
    own = slice(rank, None, PROCESSES)
    run = train_torch(model, [(x[own], y[own]) for x, y in task.batches()])
    losses = torch.tensor(run.losses, dtype=torch.float64)
    distributed.all_reduce(losses)
    if rank == 0:
        mean = (losses / PROCESSES).tolist()
        Path(folder, "run.json").write_text(json.dumps(Run(mean, run.milliseconds)))
    distributed.barrier()
    distributed.destroy_process_group()


def by_torch(how: str, task: Task) -> tuple[int, Run, Run]:
    """Processes, and the runs of one process and of all."""
    import tempfile

    import torch

    torch.set_num_threads(1)
    alone = train_torch(torch_network(task), task.batches())
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        torch.multiprocessing.spawn(torch_process, (how, task, port, folder), PROCESSES)
        together = Run(*json.loads(Path(folder, "run.json").read_text()))
    return PROCESSES, alone, together


def by_jax(how: str, task: Task) -> tuple[int, Run, Run]:
    """Devices, and the runs of one device and of all."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding
    from jax.sharding import PartitionSpec as P

    from synann import log_transmission

    def loss(weights: Any, x: Any, y: Any) -> Any:
        hidden = jax.nn.sigmoid(x @ weights["hidden_weight"].T + weights["hidden_bias"])
        beta = jax.nn.sigmoid(weights["beta_logit"])
        log_s = jnp.log(hidden) + log_transmission(hidden, beta)
        logits = log_s @ weights["output_weight"].T + weights["output_bias"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))

    mesh = jax.make_mesh((task.devices,), ("devices",))
    rows, whole = P("devices"), P()
    placed = {"x": rows if how != "outputs" else whole, "beta_logit": whole}
    if how == "outputs":
        placed["beta_logit"] = rows
    gradients = jax.value_and_grad(loss)

    def mean_gradients(weights: Any, x: Any, y: Any) -> Any:
        return jax.lax.pmean(gradients(weights, x, y), "devices")

    divided = gradients
    if how == "shard-map":
        # Unchecked: gradients of the whole weights are then each device's own, until their mean.
        divided = jax.shard_map(
            mean_gradients,
            mesh=mesh,
            in_specs=(whole, rows, rows),
            out_specs=whole,
            check_vma=False,
        )

    def train(function: Any, place: Callable[[Any, str], Any]) -> Run:
        weights = {name: place(value, name) for name, value in task.weights().items()}

        @jax.jit
        def update(weights: Any, x: Any, y: Any) -> Any:
            value, found = function(weights, x, y)
            return value, jax.tree.map(lambda w, g: w - RATE * g, weights, found)

        def step(batch: Any) -> float:
            nonlocal weights
            value, weights = update(weights, *(place(part, "x") for part in batch))
            return float(jax.block_until_ready((value, weights))[0])

        return run_steps(step, task.batches())

    def spread(value: Any, name: str) -> Any:
        return jax.device_put(value, NamedSharding(mesh, placed.get(name, whole)))

    alone = train(gradients, lambda value, name: jnp.asarray(value))
    return task.devices, alone, train(divided, spread)


def by_keras(how: str, task: Task) -> tuple[int, Run, Run]:
    """Devices, and the runs of one device and of all."""
    import contextlib

    import keras

    from synann.keras import Synapse

    def train(scope: Any) -> Run:
        with scope:
            synapse = Synapse(task.hidden, alpha=False, output="surprisal")
            dense = keras.layers.Dense(task.hidden, "sigmoid"), keras.layers.Dense(10)
            negative = keras.layers.Rescaling(-1.0)
            model = keras.Sequential([keras.Input((64,)), dense[0], synapse, negative, dense[1]])
            values = task.weights()
            for layer, name in zip(dense, ("hidden", "output"), strict=True):
                layer.set_weights([values[f"{name}_weight"].T, values[f"{name}_bias"]])
            synapse.beta_logit.assign(values["beta_logit"].T)
            model.compile(
                keras.optimizers.SGD(RATE),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
        return run_steps(lambda batch: model.train_on_batch(*batch), task.batches())

    distribution = keras.distribution
    if how == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(task.devices)]
        tf.config.set_logical_device_configuration(cpu, parts)
        names = [device.name for device in tf.config.list_logical_devices("CPU")]
        alone = train(contextlib.nullcontext())
        return task.devices, alone, train(tf.distribute.MirroredStrategy(names).scope())
    devices = distribution.list_devices()
    alone = train(contextlib.nullcontext())
    if how == "jax":
        divided: Any = distribution.DataParallel(devices=devices)
    else:
        mesh = distribution.DeviceMesh((1, len(devices)), ("batch", "outputs"), devices)
        layout = distribution.LayoutMap(mesh)
        layout[".*beta_logit"] = (None, "outputs")
        divided = distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    return task.devices, alone, train(divided.scope())


ENGINES: dict[str, Callable[[Task], tuple[int, Run, Run]]] = {
    "ddp": lambda task: by_torch("ddp", task),
    "fsdp": lambda task: by_torch("fsdp", task),
    "jax-batch": lambda task: by_jax("batch", task),
    "jax-outputs": lambda task: by_jax("outputs", task),
    "jax-shard-map": lambda task: by_jax("shard-map", task),
    "keras-jax": lambda task: by_keras("jax", task),
    "keras-jax-model": lambda task: by_keras("jax-model", task),
    "keras-tensorflow": lambda task: by_keras("tensorflow", task),
}


def run_engine(name: str, task: Task) -> tuple[int, Run, Run]:
    """Run one engine in a process of its own, since its devices are made when it is imported."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count"
    environment = os.environ | {
        "XLA_FLAGS": f"{flags}={task.devices}",
        "KERAS_BACKEND": "tensorflow" if name == "keras-tensorflow" else "jax",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    command = [sys.executable, __file__, "--child", name, *map(str, task)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise SystemExit(f"{name}: {last[0]}")
    devices, *runs = json.loads(done.stdout.splitlines()[-1])
    return devices, Run(*runs[0]), Run(*runs[1])


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--hidden", type=number(int, 8), default=512, help="H, a multiple of 8")
    parser.add_argument("--steps", type=number(int, 1), default=20)
    parser.add_argument("--devices", type=number(int, 1), default=8)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        name, *numbers = options.child
        print(json.dumps(ENGINES[name](Task(*map(int, numbers)))))
        return
    task = Task(options.hidden, options.steps, options.devices)
    if BATCH % task.devices or task.hidden % task.devices:
        parser.error(f"--devices must divide {BATCH} and --hidden. Received: {task.devices}")
    rows = []
    for name in tqdm(options.engines, ncols=100, disable=None):
        devices, alone, together = run_engine(name, task)
        apart = float(np.abs(np.subtract(alone.losses, together.losses)).max())
        times = alone.milliseconds, together.milliseconds
        rows.append((name, devices, alone.losses[0], alone.losses[-1], apart, *times))
    print(f"{task.steps} steps of {BATCH} rows, hidden {task.hidden}")
    headers = ("engine", "devices", "first loss", "last", "largest difference", "ms alone", "ms")
    print(tabulate(rows, headers, floatfmt=("", "", ".4f", ".4f", ".1e", ".1f", ".1f")))


if __name__ == "__main__":
    main()

"""Two gloo processes give one process's gradients, by DDP and by fully_shard."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from synann_torch import Synapse

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="torch without gloo")


def make():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.Sigmoid(), Synapse(8, 8), Synapse(8, 4, output="surprisal")
    )
    return model, torch.rand(12, 6)


def train(model, y):
    """Parameters after two steps."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (model(y) ** 2).mean().backward()
        optimizer.step()


def process(rank, port, how, path):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.set_num_threads(1)
    model, y = make()
    if how == "ddp":
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        train(wrapped, y[rank::2])
        state = model.state_dict()
    else:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
        from torch.distributed.tensor import DTensor

        mesh = init_device_mesh("cpu", (2,))
        for part in model:
            if any(True for _ in part.parameters()):
                fully_shard(part, mesh=mesh)
        fully_shard(model, mesh=mesh)
        train(model, y[rank::2])
        state = {
            name: value.full_tensor() if isinstance(value, DTensor) else value
            for name, value in model.state_dict().items()
        }
    if rank == 0:
        torch.save(state, path)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("how", ["ddp", "fully_shard"])
def test_two_processes_are_one(how, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(process, args=(port, how, tmp_path / "state.pt"), nprocs=2)
    got = torch.load(tmp_path / "state.pt", weights_only=True)
    model, y = make()
    train(model, y)
    for name, want in model.state_dict().items():
        torch.testing.assert_close(got[name], want, rtol=1e-5, atol=1e-6)

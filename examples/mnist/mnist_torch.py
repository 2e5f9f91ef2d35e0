"""Train a classifier with a synapse layer on MNIST in torch, with what a real training needs.

    python examples/mnist/mnist_torch.py --model cnn --data-dir DIR [--download]
    python examples/mnist/mnist_torch.py --model cnn --layer dense    a Linear layer in its place
    python examples/mnist/mnist_torch.py --model rnn --layer gru      nn.GRU with as many parameters
    python examples/mnist/mnist_torch.py --model published --layer published --eval-batch 100 10 1
    python examples/mnist/mnist_torch.py --data fashion --data-dir DIR
    python examples/mnist/mnist_torch.py --data cifar10 --data-dir DIR    its archive, or its files

A twelfth of the training images is held out; it chooses the epoch whose weights are kept. The test
images are used once, at the end. Every epoch ends with a checkpoint: after an interruption the same
command with --resume goes on, and ends as if nothing had happened: on a CPU with as many threads to
the last bit, on a GPU up to the order of its sums.

"published" is the small network of the published torch script; --recipe published trains it as
published, --recipe free with augmentation and Adam. Only the published layer's accuracy depends on
how many images are tested at a time.

Makes a folder of the run: weights, results.json, predictions.csv and two pictures.

Needs: pip install -e ".[examples,torch]"
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

# Threads that spin while they wait are slow where something else needs a core. Read at import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files, recipes, training
from mnist.checkpoints import Arrays, RunError
from mnist.models_torch import build, parameter_count
from mnist.recipes import LAYERS, Recipe
from shared.options import make_parser, override

# Weights that decay. For a synapse's logits 0 is β = ½, for the gains of a norm it is nothing.
DECAYING = (nn.Linear, nn.Conv2d)
RECIPES = recipes.RECIPES | {"cnn": replace(recipes.RECIPES["cnn"], precision="bfloat16")}


def affine(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Images (N, c, h, w), each moved, turned, scaled and sheared at random; zeros come in."""
    count, _, height, width = images.shape
    drawn = 2 * torch.rand(6, count, generator=generator) - 1
    turn = math.radians(recipe.turn) * drawn[0]
    cos, sin = torch.cos(turn), torch.sin(turn)
    across, down = torch.exp(math.log1p(recipe.scale) * drawn[1:3])
    shear = recipe.shear * drawn[3]
    # affine_grid wants, for each new place, the old one, in units of half the image.
    right = 2 * recipe.shift / width * drawn[4]
    below = 2 * recipe.shift / height * drawn[5]
    rows = (across * cos, across * (shear * cos - sin), right)
    rows += (down * sin, down * (shear * sin + cos), below)
    matrices = torch.stack(rows, dim=1).reshape(count, 2, 3).to(images.device)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


class TorchTrainer:
    """A torch model in training: what `training.fit` asks for."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        shape: tuple[int, ...],
        device: torch.device,
        seed: int,
    ) -> None:
        # A step of the CNN, 128 images on two cores: 107 ms, and 131 ms in torch's usual format;
        # in bfloat16 67 ms and 81 ms.
        self.model = model.to(device, memory_format=torch.channels_last)
        self.recipe = recipe
        self.shape = shape
        self.device = device
        self.parameter_count = parameter_count(model)
        self.steps = 0
        # On the CPU whatever the device: the same batches and the same augmentation everywhere.
        self.generator = torch.Generator().manual_seed(seed)
        optimizers = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
        options = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
        decaying = [m.weight for m in model.modules() if isinstance(m, DECAYING)]
        chosen = {id(weight) for weight in decaying}
        others = [p for p in model.parameters() if id(p) not in chosen]
        groups = [
            {"params": decaying, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = optimizers[recipe.optimizer]
        self.optimizer = optimizer(groups, lr=recipe.learning_rate, **options)

    def batches(self, images: int) -> int:
        return max(images // self.recipe.batch_size, 1)  # what is left over comes in other epochs

    def train_epoch(
        self, images: np.ndarray, labels: np.ndarray
    ) -> Iterator[tuple[int, float, int]]:
        recipe = self.recipe
        self.model.train()
        order = torch.randperm(len(labels), generator=self.generator).numpy()
        per_epoch = self.batches(len(labels))
        size = min(recipe.batch_size, len(labels))
        for rows in order[: per_epoch * size].reshape(per_epoch, size):
            y = torch.from_numpy(labels[rows]).to(self.device)
            x = self._tensor(images[rows])
            if recipe.alters:
                x = affine(x, recipe, self.generator)
            if recipe.one_cycle:
                share = self.steps / (recipe.epochs * per_epoch)
                for group in self.optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * training.cosine_cycle(share)
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"
            ):
                logits = self.model(x).float()
            loss = functional.cross_entropy(logits, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.steps += 1
            yield len(y), loss.item(), int((logits.argmax(dim=1) == y).sum())

    @torch.inference_mode()
    def predict(self, images: np.ndarray, batch: int) -> np.ndarray:
        self.model.eval()
        parts = (images[k : k + batch] for k in range(0, len(images), batch))
        logits = [self.model(self._tensor(part)).cpu() for part in parts]
        return torch.cat(logits).numpy()

    def state(self) -> tuple[Arrays, dict]:
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, values in optimizer["state"].items():
            arrays |= {f"optimizer.{index}.{k}": v for k, v in values.items() if v is not None}
        arrays["rng.torch"] = torch.get_rng_state()
        arrays["rng.batches"] = self.generator.get_state()
        if self.device.type == "cuda":
            arrays["rng.cuda"] = torch.cuda.get_rng_state(self.device)
        numbers = {"steps": self.steps, "groups": optimizer["param_groups"]}
        return {k: v.cpu().numpy() for k, v in arrays.items()}, numbers

    def load_state(self, arrays: Arrays, numbers: dict) -> None:
        tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
        self.model.load_state_dict(_under("model.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _under("optimizer.", tensors).items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": numbers["groups"]})
        self.steps = numbers["steps"]
        torch.set_rng_state(tensors["rng.torch"])
        self.generator.set_state(tensors["rng.batches"])
        if self.device.type == "cuda" and "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"], self.device)

    def weights(self) -> Arrays:
        return {k: v.cpu().numpy() for k, v in self.model.state_dict().items()}

    def load_weights(self, arrays: Arrays) -> None:
        self.model.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})

    def _tensor(self, images: np.ndarray) -> Tensor:
        shape = (*self.shape[:2], math.prod(self.shape[2:]))
        x = torch.from_numpy(images).to(self.device).reshape(-1, *shape).movedim(-1, 1)
        return x.contiguous(memory_format=torch.channels_last)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, output=False)
    recipes.add_options(parser, LAYERS)
    training.add_options(parser)
    parser.add_argument("--recipe", choices=("published", "free"), help="for --model published")
    parser.add_argument(
        "--no-norm", action="store_true", help="--model published without its batch norm"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="of the products in training; bfloat16 is slow on processors that lack it",
    )
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu, cuda or cuda:1; the GPU if there is one",
    )
    options = parser.parse_args(arguments)
    recipes.check_layer(parser, options)
    if options.recipe and options.model != "published":
        parser.error("argument --recipe: only --model published has a choice of recipes")
    if options.no_norm and options.model != "published":
        parser.error("argument --no-norm: only --model published can do without")
    return options


def main(arguments: list[str] | None = None) -> dict:
    """Train, or go on; then test. Returns what `results.json` holds."""
    options = parse(arguments)
    name = options.recipe or options.model
    recipe = override(RECIPES[name], options)
    try:
        device = torch.device(options.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch is without CUDA
        raise SystemExit(f"--device: {str(error).splitlines()[0]}") from None
    about = {
        "device": str(device),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    try:
        data = files.load(options)
        torch.manual_seed(options.seed)
        model = build(
            options.model,
            options.layer,
            name,
            data.image_shape,
            data.classes,
            norm=not options.no_norm,
        )
        trainer = TorchTrainer(model, recipe, data.image_shape, device, options.seed)
        # The published layer at the batch of its training; no other model's output depends on it.
        usual = recipe.batch_size if options.layer == "published" else 1000
        label = f"{name}-no-norm" if options.no_norm else name
        run = training.Run.of(options, {"recipe": label, **asdict(recipe)}, usual)
        return training.train_and_test(trainer, data, run, options, about)
    except (files.DataError, RunError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()

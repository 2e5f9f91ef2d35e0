"""What `SynaMLP.fit` repeats: batches, arrays in the library of the data, one training step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace, device

from synann_core import optim
from synann_core._lib.checks import check_unit_matrix, to_numpy
from synann_core._lib.loops import runner
from synann_core._lib.typing import Array, Namespace
from synann_core.models import passes


def like(value: Array, reference: Array, xp: Namespace) -> Array:
    """`value` (of the same library, or else by way of NumPy) as an array like `reference`."""
    if array_namespace(value) is not xp:
        value = to_numpy(value)
    return xp.asarray(value, dtype=reference.dtype, device=device(reference))


def batch_slices(samples: int, size: int) -> list[slice]:
    """Slices of `size`; a last batch of one joins the one before, for it has no variance."""
    starts = list(range(0, samples, size))
    if len(starts) > 1 and samples - starts[-1] == 1:
        starts.pop()
    return [slice(a, b) for a, b in itertools.pairwise([*starts, samples])]


def check_augmented(x: Array, batch: Array) -> Array:
    """`x`, what `augment` made of a batch: as many samples, and values that `fit` accepts."""
    x = check_unit_matrix("augment(batch, rng)", x, batch.shape[1])
    if x.shape[0] != batch.shape[0]:
        raise ValueError(
            f"`augment(batch, rng)` must keep the {batch.shape[0]} samples of its batch. "
            f"Received: {x.shape[0]}"
        )
    return x


def check_finite(weights: dict[str, Array], optimizer: object, xp: Namespace) -> None:
    """Refuse the weights of a training that diverged."""
    if not all(bool(xp.all(xp.isfinite(w))) for w in weights.values()):
        raise ValueError(
            f"`optimizer` must keep the weights finite. Received: {optimizer}, which diverged"
        )


def training_step(xp: Namespace) -> Callable[..., Any]:
    """The step as a function of arrays: jitted on JAX."""
    return runner(_train, xp)


def _train(
    weights: dict[str, Array],
    state: dict[str, Any],
    x: Array,
    target: Array,
    keep: Array | None,
    rate: Any,
    *,
    optimizer: optim.SGD | optim.Adam,
    layer: str,
    gate: str,
    xp: Namespace,
) -> tuple[Array, Array, dict[str, Array], dict[str, Any]]:
    """One step: loss, logits, new weights, new optimizer state."""
    loss, out, gradients, running = passes.train_step(
        weights, x, target, keep, layer=layer, gate=gate, xp=xp
    )
    trainable = {k: weights[k] for k in gradients}
    new, state = optimizer.update(trainable, gradients, state, rate)
    return loss, out, {**weights, **new, **running}, state

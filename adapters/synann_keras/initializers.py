"""Initial values with which a synapse layer passes a signal on and can learn."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np

import synann_core as syn
from synann_core.extending import NumpyArray
from synann_core.layer import initial_beta_logit, initial_mixing_logit

__all__ = ["InitialBetaLogit", "InitialMixingLogit"]


class _Sparse(keras.initializers.Initializer):
    """Initial values drawn by NumPy: a seed gives the same ones on every backend."""

    def __init__(self, seed: Any = None) -> None:
        if isinstance(seed, dict):
            seed = keras.saving.deserialize_keras_object(seed)
        if not isinstance(seed, int | keras.random.SeedGenerator | None):
            raise TypeError(f"`seed` must be an int or a SeedGenerator. Received: {seed!r}")
        self._given_seed = seed
        # As Keras does it: `keras.utils.set_random_seed` governs, and one object gives the same
        # values at every call, unless it has a SeedGenerator.
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def get_config(self) -> dict[str, Any]:
        """Seed, as given."""
        return {"seed": keras.saving.serialize_keras_object(self._given_seed)}

    def __call__(self, shape: tuple[int, int], dtype: Any = None) -> Any:
        """Values for (input_dim, units)."""
        input_dim, units = shape
        seed = self.seed
        if not isinstance(seed, int):
            seed = [int(part) for part in keras.ops.convert_to_numpy(seed.next())]
        values = self._values(units, input_dim, np.random.default_rng(seed))
        return keras.ops.convert_to_tensor(values.T, dtype=dtype)

    def _values(self, m: int, n: int, rng: np.random.Generator) -> NumpyArray:
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="synann", name="InitialBetaLogit")
class InitialBetaLogit(_Sparse):
    """Logits of `synann_core.initial_beta`: a few strong inhibitors for each output.

    Parameters
    ----------
    mean_input : float
        Expected probability of an input, in (0, 1].
    seed : int or keras.random.SeedGenerator, optional
        Drawn from Keras' global seed if not given.

    Raises
    ------
    TypeError, ValueError
        If `mean_input` is not a number in (0, 1], or `seed` of another kind.

    Examples
    --------
    >>> from synann_keras import InitialBetaLogit
    >>> logit = InitialBetaLogit(seed=0)((64, 10))
    >>> tuple(logit.shape)
    (64, 10)
    """

    def __init__(self, mean_input: float = 0.5, seed: Any = None) -> None:
        syn.initial_beta(0, 0, mean_input=mean_input, rng=0)  # checks it
        super().__init__(seed)
        self.mean_input = mean_input

    def get_config(self) -> dict[str, Any]:
        """Arguments, as given."""
        return {"mean_input": self.mean_input, **super().get_config()}

    def _values(self, m: int, n: int, rng: np.random.Generator) -> NumpyArray:
        return initial_beta_logit(m, n, mean_input=self.mean_input, rng=rng)


@keras.saving.register_keras_serializable(package="synann", name="InitialMixingLogit")
class InitialMixingLogit(_Sparse):
    """Logits of mixtures that have 0.9 of their weight on 8 of the inputs.

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        Drawn from Keras' global seed if not given.

    Examples
    --------
    >>> from synann_keras import InitialMixingLogit
    >>> tuple(InitialMixingLogit(seed=0)((64, 10)).shape)
    (64, 10)
    """

    def _values(self, m: int, n: int, rng: np.random.Generator) -> NumpyArray:
        return initial_mixing_logit(m, n, rng=rng)

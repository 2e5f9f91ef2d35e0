"""A recurrent cell of synapses: the state is a probability, and inhibits what comes next."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from synann_core.extending import check_int
from synann_core.layer import gated_state

from . import _ops
from ._trained import Trained
from .layer import Synapse, check_features

__all__ = ["SynaRNNCell"]


@keras.saving.register_keras_serializable(package="synann", name="SynaRNNCell")
class SynaRNNCell(Trained):
    """One step of a recurrent layer whose previous state inhibits; for `keras.layers.RNN`.

    ``s_t = synapse_tensor(σ(W y_t + b), h_{t−1})``, ``z_t = σ(W_z y_t + U_z h_{t−1} + b_z)``,
    ``h_t = (1 − z_t) h_{t−1} + z_t s_t``.

    Parameters
    ----------
    units : int
        Size of the state h_t, in [0, 1]; ≥ 1. The inputs y_t are any real numbers.
    kernel_initializer, recurrent_initializer, bias_initializer
    kernel_regularizer, recurrent_regularizer, bias_regularizer
    kernel_constraint, recurrent_constraint, bias_constraint
        As for GRUCell.
    beta_logit_initializer, beta_logit_regularizer, beta_logit_constraint
        As for `Synapse`.
    **kwargs
        Of `keras.layers.Layer`.

    Attributes
    ----------
    kernel : Variable, shape (input_dim, 2·units)
        W, then W_z.
    recurrent_kernel : Variable, shape (units, units)
        U_z.
    bias : Variable, shape (2·units,)
        b, then b_z.
    synapse : Synapse
        Square, with α = 1, so that the state stays in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If `units` is not an int or less than 1, or an input has the wrong kind or last axis.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from synann_keras import SynaRNNCell
    >>> layer = keras.layers.RNN(SynaRNNCell(16), return_sequences=True)
    >>> tuple(layer(np.random.rand(32, 5, 28)).shape)
    (32, 5, 16)
    """

    initializers: ClassVar[dict[str, Any]] = {
        "kernel": "glorot_uniform",
        "recurrent": "orthogonal",
        "bias": "zeros",
    }
    arguments: ClassVar[tuple[str, ...]] = ("inputs", "states")

    def __init__(self, units: int, **kwargs: Any) -> None:
        of_beta = {key: kwargs.pop(key) for key in list(kwargs) if key.startswith("beta_logit_")}
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = check_int("units", units, 1)
        policy = self.dtype_policy
        self.synapse = Synapse(units, alpha=False, dtype=policy, name="synapse", **of_beta)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of the shape (batch, input_dim)."""
        if not input_shape[-1]:
            raise ValueError(
                f"`inputs` must have a last axis of known size, ≥ 1. Received: shape {input_shape}"
            )
        self.kernel = self.add_trained("kernel", (input_shape[-1], 2 * self.units))
        square = (self.units, self.units)
        self.recurrent_kernel = self.add_trained("recurrent_kernel", square, option="recurrent")
        self.bias = self.add_trained("bias", (2 * self.units,))
        self.synapse.build((input_shape[0], self.units))
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> tuple[Any, Any]:
        """One step: the state after an input, as `keras.layers.RNN` calls it.

        Parameters
        ----------
        inputs : tensor, shape (batch, input_dim)
        states : tensor, shape (batch, units), or a list or tuple of one
            The previous state, in [0, 1].
        training : bool, optional
            Without effect.

        Returns
        -------
        tensor, shape (batch, units), and the same once more, as `states` was given
            The output and the new state.
        """
        h = states[0] if isinstance(states, list | tuple) else states
        check_features("inputs", inputs, self.kernel.shape[0])
        check_features("states", h, self.units)
        projected = ops.matmul(inputs, self.kernel) + self.bias
        recurrent = ops.matmul(h, self.recurrent_kernel)
        h = gated_state(h, projected, recurrent, self.synapse, xp=_ops.xp)
        return h, [h] if isinstance(states, list | tuple) else h

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros: a first step without inhibition."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal cell."""
        of_synapse = self.synapse.get_config()
        of_beta = {k: v for k, v in of_synapse.items() if k.startswith("beta_logit_")}
        return {**super().get_config(), "units": self.units, **of_beta}

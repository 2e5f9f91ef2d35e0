"""A recurrent cell of synapses: the state is a probability, and inhibits what comes next."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from synann_core._lib.checks import check_int

from .layer import Synapse, check_features

__all__ = ["SynaRNNCell"]

_WEIGHTS = ("kernel", "recurrent", "bias")


@keras.saving.register_keras_serializable(package="synann", name="SynaRNNCell")
class SynaRNNCell(keras.layers.Layer):
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
        If `units` is no int or less than 1, or an input has the wrong kind or last axis.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from synann_keras import SynaRNNCell
    >>> layer = keras.layers.RNN(SynaRNNCell(16), return_sequences=True)
    >>> tuple(layer(np.random.rand(32, 5, 28)).shape)
    (32, 5, 16)
    """

    def __init__(
        self,
        units: int,
        *,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        beta_logit_initializer: Any = None,
        beta_logit_regularizer: Any = None,
        beta_logit_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = check_int("units", units, 1)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.synapse = Synapse(
            units,
            alpha=False,
            beta_logit_initializer=beta_logit_initializer,
            beta_logit_regularizer=beta_logit_regularizer,
            beta_logit_constraint=beta_logit_constraint,
            dtype=self.dtype_policy,
            name="synapse",
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of the shape (batch, input_dim)."""
        if not input_shape[-1]:
            raise ValueError(
                f"`inputs` must have a last axis of known size, ≥ 1. Received: shape {input_shape}"
            )
        shapes = {
            "kernel": (input_shape[-1], 2 * self.units),
            "recurrent": (self.units, self.units),
            "bias": (2 * self.units,),
        }
        weights = [
            self.add_weight(
                name="recurrent_kernel" if name == "recurrent" else name,
                shape=shape,
                initializer=getattr(self, f"{name}_initializer"),
                regularizer=getattr(self, f"{name}_regularizer"),
                constraint=getattr(self, f"{name}_constraint"),
            )
            for name, shape in shapes.items()
        ]
        self.kernel, self.recurrent_kernel, self.bias = weights
        self.synapse.build((input_shape[0], self.units))
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:
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
        excitation, update = ops.split(projected, 2, axis=-1)
        z = ops.sigmoid(update + ops.matmul(h, self.recurrent_kernel))
        s = self.synapse(h, x=ops.sigmoid(excitation))
        h = h + z * (s - h)
        return h, [h] if isinstance(states, list | tuple) else h

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros: a first step without inhibition."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal cell."""
        config: dict[str, Any] = {"units": self.units}
        for kind in ("initializer", "regularizer", "constraint"):
            serialize = getattr(keras, f"{kind}s").serialize
            for name in _WEIGHTS:
                config[f"{name}_{kind}"] = serialize(getattr(self, f"{name}_{kind}"))
            key = f"beta_logit_{kind}"
            config[key] = serialize(getattr(self.synapse, key))
        return {**super().get_config(), **config}

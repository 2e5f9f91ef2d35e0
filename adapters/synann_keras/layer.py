"""The synapse tensor as a layer, where a Dense layer would stand."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from synann_core import layer as core
from synann_core.extending import Array, NumpyArray, Space, check_int, to_numpy

from . import _ops
from ._trained import Recorded, Trained
from .initializers import InitialBetaLogit, InitialMixingLogit

__all__ = ["Synapse"]


@keras.saving.register_keras_serializable(package="synann", name="Synapse")
class Synapse(Recorded, Trained):
    """Fully connected synapses: ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``, each sample on its own.

    Parameters
    ----------
    units : int
        Outputs m, ≥ 1. The inhibitory inputs n are the last axis of what the layer meets first.
    excitation : {"auto", "input", "mixture", "none"}
        Where the excitatory inputs x come from, unless the call gives them: "input" is the layer's
        input itself (n = m, the paper's layer), "mixture" a trained row-stochastic mixture of it,
        "none" x = 1, which makes 1 − s a noisy-OR; "auto" is "input" for n = m, else "mixture".
    alpha : bool
        Train gains α = e^−θ; False for α = 1 (before a batch norm they would add nothing).
    space : {"probability", "surprisal"}
        What the inputs are: probabilities in [0, 1], or their surprisals −log y ≥ 0, in nats, with
        which a stack of layers does not underflow.
    output : {"probability", "surprisal"}, optional
        What the outputs are; as `space` if not given. "surprisal" is what to normalise: a product
        of many factors underflows, its logarithm does not.
    mask : array, shape (input_dim, units), optional
        Bool or 0 and 1: where 0, there is no synapse. ``~numpy.eye(n, dtype=bool)`` forbids
        self-inhibition.
    gate : {"sigmoid", "softmax", "exp"}, optional
        Makes probabilities of the inputs first, or surprisals, as `space` says. They may then be
        any real numbers; "softmax" runs over them, "exp" is 1 − e^−y, for those behind a ReLU
        (below 0 it is 0). An x given to the call stays as it is.
    strict : bool
        Check that the inputs' values are in range, where they can be read: in eager calls, not in
        the graphs that `fit` and `predict` compile.
    beta_logit_initializer, theta_initializer, mixing_logit_initializer
        By default `InitialBetaLogit`, zeros and `InitialMixingLogit`.
    beta_logit_regularizer, theta_regularizer, mixing_logit_regularizer
    beta_logit_constraint, theta_constraint, mixing_logit_constraint
        As for Dense.
    **kwargs
        Of `keras.layers.Layer`.

    Attributes
    ----------
    beta_logit : Variable, shape (input_dim, units)
        β = sigmoid(beta_logit).
    theta : Variable, shape (units,), or None
    mixing_logit : Variable, shape (input_dim, units), or None
        The mixture is its softmax over the inputs.

    Raises
    ------
    TypeError, ValueError
        If `units`, an option, the mask or an input is of the wrong kind or shape, or "input" asked
        for with n ≠ m; with `strict` also if a value is out of range.

    Notes
    -----
    Matrices are kernels as Keras has them, (input_dim, units): logits, mask, β and γ are the
    transposes of the core's and of `synann_torch.Synapse`'s, which are (outputs, inputs). β stays
    below 1 by eps, and x at or above the smallest normal number where its logarithm is taken: a
    surprisal output is finite for inputs in [0, 1]. Under dtype policies with 16 bits the layer
    computes in float32. Memory stays O(batch·(n + m) + n·m) in the backward pass, too. On a CPU all
    backends run the core's compiled kernels; jax and tensorflow run loops on GPUs, and tensorflow
    also under ``jit_compile=True``.

    Source: "A Synaptic Neural Network and Synapse Learning".

    Examples
    --------
    >>> import numpy as np
    >>> from synann_keras import Synapse
    >>> layer = Synapse(10, output="surprisal")
    >>> tuple(layer(np.random.rand(32, 64)).shape)
    (32, 10)
    >>> [tuple(weight.shape) for weight in layer.weights]
    [(64, 10), (10,), (64, 10)]
    """

    initializers: ClassVar[dict[str, Any]] = {
        "beta_logit": InitialBetaLogit,
        "theta": "zeros",
        "mixing_logit": InitialMixingLogit,
    }

    def __init__(
        self,
        units: int,
        *,
        excitation: core.Excitation = "auto",
        alpha: bool = True,
        space: Space = "probability",
        output: Space | None = None,
        mask: Any = None,
        gate: core.Gate | None = None,
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = check_int("units", units, 1)
        # Layer.output is a tensor.
        options = core.checked_options(excitation, space, output)
        self.excitation, self.space, self.output_space = options
        self.has_alpha = alpha
        _ops.check_plain(("mask",), (mask,), {})
        self.mask = None if mask is None else np.asarray(mask)
        if self.mask is not None:
            core.check_mask(self.mask, ("input_dim", units), readable=True, xp=np)
            self.mask = self.mask.astype(bool)
        self.gate, self.strict = core.checked_gate(gate), strict
        self._watched = None if strict or gate else core.Watch()
        self.beta_logit: keras.Variable | None = None
        self.theta: keras.Variable | None = None
        self.mixing_logit: keras.Variable | None = None
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of the shape (..., input_dim)."""
        input_dim = input_shape[-1] if len(input_shape) else None
        if not input_dim:
            raise ValueError(
                f"`y` must have a last axis of known size, ≥ 1. Received: shape {input_shape}"
            )
        where = "the last axis of the input is `units`"
        chosen = core.chosen_excitation(self.excitation, input_dim, self.units, where)
        self._input_dim = input_dim
        shape = (input_dim, self.units)
        if self.mask is not None:
            core.check_mask(self.mask, shape, readable=True, xp=np)
        # Without autocast: 16 bits would be too few for the logarithm of 1 − β.
        self.beta_logit = self.add_trained("beta_logit", shape, autocast=False)
        if self.has_alpha:
            self.theta = self.add_trained("theta", (self.units,), autocast=False)
        if chosen == "mixture":
            self.mixing_logit = self.add_trained("mixing_logit", shape, autocast=False)
        self.built = True

    def call(self, y: Any, x: Any = None) -> Any:
        """Outputs (..., units) for inhibitory inputs (..., input_dim).

        Parameters
        ----------
        y : tensor, shape (..., input_dim)
        x : tensor, shape (..., units), optional
            Excitatory inputs with the batch axes of y, in the same space, in place of the layer's
            own.
        """
        self._check(y, x)
        y = self._cast("y", y)
        x = x if x is None else self._cast("x", x)
        result = _ops.evaluate(
            core.forward,
            (y, x),
            (self._weights(),),
            excitation=self.excitation,
            space=self.space,
            output=self.output_space,
        )
        return ops.cast(result, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the outputs, (..., units)."""
        return (*input_shape[:-1], self.units)

    def compute_output_spec(
        self, y: keras.KerasTensor, x: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Symbolic outputs, with the checks of a call."""
        self._check(y, x)
        return keras.KerasTensor(self.compute_output_shape(y.shape), dtype=self.compute_dtype)

    @property
    def alpha(self) -> Any:
        """Gains α = e^−θ, (units,)."""
        theta = self._weights().theta
        if theta is None:
            return ops.ones((self.units,), dtype=_ops.work_dtype(self.compute_dtype))
        return ops.exp(-theta)

    @property
    def beta(self) -> Any:
        """Strengths of the inhibition, (input_dim, units), at most 1 − eps."""
        weights = self._weights()
        return ops.transpose(core.beta_of(weights.beta_logit, weights.mask, xp=_ops.xp))

    @property
    def gamma(self) -> Any:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        weights = self._weights()
        return ops.transpose(core.gamma_of(weights.beta_logit, weights.mask, xp=_ops.xp))

    def contributions(self, y: Any) -> Any:
        """Exact attribution: what each input adds to the surprisal of each output.

        Parameters
        ----------
        y : tensor, shape (..., input_dim)

        Returns
        -------
        tensor, shape (..., units, input_dim)
            In nats, ≥ 0, in the dtype that the layer computes in. The surprisal output is θ +
            (excitatory surprisal) + their sum over the last axis.

        Raises
        ------
        TypeError, ValueError
            As for a call; also if the layer is not built.
        """
        weights = self._weights()
        _ops.check_plain(("y",), (y,), {})
        y = ops.convert_to_tensor(y)
        check_features("y", y, self._input_dim)
        return core.contributions(self._cast("y", y), weights, space=self.space, xp=_ops.xp)

    def _check_built(self) -> None:
        """Refuse with a ValueError what needs weights while there are none."""
        if self.beta_logit is None:
            raise ValueError("the layer has no weights yet: call it, or `build(input_shape)`")

    def _options(self) -> dict[str, str | None]:
        chosen = self.excitation
        if chosen == "auto":
            chosen = core.chosen_excitation(chosen, self._input_dim, self.units, "")
        output = self.output_space
        return {"excitation": chosen, "space": self.space, "output": output, "gate": self.gate}

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "excitation": self.excitation,
            "alpha": self.has_alpha,
            "space": self.space,
            "output": self.output_space,
            "mask": None if self.mask is None else self.mask.astype(int).tolist(),
            "gate": self.gate,
            "strict": self.strict,
        }

    def _weights(self) -> core.Weights:
        """Weights in the dtype to compute in and in the core's shapes."""
        self._check_built()
        mixing, theta, mask = self.mixing_logit, self.theta, self.mask
        return core.Weights(
            ops.transpose(self._wide(self.beta_logit)),
            theta if theta is None else self._wide(theta),
            mixing if mixing is None else ops.transpose(self._wide(mixing)),
            mask if mask is None else ops.convert_to_tensor(mask.T),
        )

    def _wide(self, value: Any) -> Array:
        return _ops.wide(value, self.compute_dtype)

    def _cast(self, name: str, value: Array) -> Array:
        """Inputs in the dtype to compute in, gated; their values are checked if `strict`."""
        result = self._wide(value)
        if name == "y" and self.gate is not None:
            result = core.gated(result, self.gate, space=self.space, xp=_ops.xp)
        if self.strict and _ops.readable(result):
            host = ops.convert_to_numpy(result)
            if core.check_values(name, host, self.space, xp=np) is not host:  # a few ulp
                result = ops.clip(result, 0.0, 1.0 if self.space == "probability" else math.inf)
        elif name == "y" and self._watched and not _ops.compiling():
            self._watched.wait -= 1
            if self._watched.wait < 0 and _ops.readable(result):
                self._watch(to_numpy(result), self._watched)
        return result

    def _watch(self, y: NumpyArray, watched: core.Watch) -> None:
        """Warn, once, of values outside their range."""
        if watched.look(y, self.space, xp=np, stacklevel=7):
            self._watched = None

    def _check(self, y: Array, x: Array | None) -> None:
        check_features("y", y, self._input_dim)
        if x is not None:
            check_features("x", x, self.units)
            pairs = zip(x.shape[:-1], y.shape[:-1], strict=False)
            known = all(a == b or None in (a, b) for a, b in pairs)
            if len(x.shape) != len(y.shape) or not known:
                raise ValueError(
                    "`x` must have the batch axes of `y`. "
                    f"Received: x {tuple(x.shape)}, y {tuple(y.shape)}"
                )


def check_features(name: str, value: Array, size: int) -> None:
    """Refuse what is not a tensor (..., size) of floating-point numbers."""
    if not hasattr(value, "dtype"):
        raise TypeError(f"`{name}` must be a tensor. Received: {type(value).__qualname__}")
    dtype = keras.backend.standardize_dtype(value.dtype)
    floating = keras.backend.is_float_dtype(dtype)
    if not floating or tuple(value.shape[-1:]) != (size,):
        raise core.input_error(name, dtype, value.shape, size, floating=floating)

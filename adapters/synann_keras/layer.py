"""The synapse tensor as a layer, where a Dense layer would stand."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from synann_core._lib.checks import check_int, check_option

from . import _ops
from .initializers import InitialBetaLogit, InitialMixingLogit

__all__ = ["Synapse"]

_SPACES = ("probability", "surprisal")
_WEIGHTS = ("beta_logit", "theta", "mixing_logit")


@keras.saving.register_keras_serializable(package="synann", name="Synapse")
class Synapse(keras.layers.Layer):
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
    strict : bool
        Check that the inputs' values are in range, where they can be read: in eager calls, not in
        the graphs that `fit` and `predict` compile (``run_eagerly=True`` prevents them on
        tensorflow).
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
    TypeError
        If `units` is no int, or an input has no floating-point dtype.
    ValueError
        If `units` is less than 1, an option unknown, "input" asked for with n ≠ m, the mask of the
        wrong shape, or an input of the wrong last axis; with `strict` if a value is out of range.

    Notes
    -----
    β stays below 1 by eps, and x at or above the smallest normal number where its logarithm is
    taken: a surprisal output is finite for inputs in [0, 1]. Under the dtype policies with 16 bits
    the layer computes in float32. Memory stays O(batch·(n + m) + n·m) in the backward pass, too.
    The torch backend has compiled kernels, jax and tensorflow run loops that XLA compiles.

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

    def __init__(
        self,
        units: int,
        *,
        excitation: str = "auto",
        alpha: bool = True,
        space: str = "probability",
        output: str | None = None,
        mask: Any = None,
        strict: bool = False,
        beta_logit_initializer: Any = None,
        theta_initializer: Any = "zeros",
        mixing_logit_initializer: Any = None,
        beta_logit_regularizer: Any = None,
        theta_regularizer: Any = None,
        mixing_logit_regularizer: Any = None,
        beta_logit_constraint: Any = None,
        theta_constraint: Any = None,
        mixing_logit_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = check_int("units", units, 1)
        self.excitation = check_option(
            "excitation", excitation, ("auto", "input", "mixture", "none")
        )
        self.has_alpha = alpha
        self.space = check_option("space", space, _SPACES)
        # Layer.output is a tensor.
        self.output_space = check_option("output", space if output is None else output, _SPACES)
        self.mask = None if mask is None else _checked_mask(mask, units)
        self.strict = strict
        self.beta_logit_initializer = keras.initializers.get(
            InitialBetaLogit() if beta_logit_initializer is None else beta_logit_initializer
        )
        self.theta_initializer = keras.initializers.get(theta_initializer)
        self.mixing_logit_initializer = keras.initializers.get(
            InitialMixingLogit() if mixing_logit_initializer is None else mixing_logit_initializer
        )
        self.beta_logit_regularizer = keras.regularizers.get(beta_logit_regularizer)
        self.theta_regularizer = keras.regularizers.get(theta_regularizer)
        self.mixing_logit_regularizer = keras.regularizers.get(mixing_logit_regularizer)
        self.beta_logit_constraint = keras.constraints.get(beta_logit_constraint)
        self.theta_constraint = keras.constraints.get(theta_constraint)
        self.mixing_logit_constraint = keras.constraints.get(mixing_logit_constraint)
        self.beta_logit: Any = None
        self.theta: Any = None
        self.mixing_logit: Any = None
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of the shape (..., input_dim)."""
        input_dim = input_shape[-1] if len(input_shape) else None
        if not input_dim:
            raise ValueError(
                f"`y` must have a last axis of known size, ≥ 1. Received: shape {input_shape}"
            )
        square = input_dim == self.units
        if self.excitation == "input" and not square:
            raise ValueError(
                "`excitation` must not be 'input' unless the last axis of the input is `units`. "
                f"Received: 'input' with {input_dim} and {self.units}"
            )
        shape = (input_dim, self.units)
        if self.mask is not None and self.mask.shape != shape:
            raise ValueError(f"`mask` must have shape {shape}. Received: {self.mask.shape}")
        self._add("beta_logit", shape)
        if self.has_alpha:
            self._add("theta", (self.units,))
        if self.excitation == "mixture" or (self.excitation == "auto" and not square):
            self._add("mixing_logit", shape)
        self.built = True

    def _add(self, name: str, shape: tuple[int, ...]) -> None:
        weight = self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer"),
            constraint=getattr(self, f"{name}_constraint"),
            autocast=False,  # 16 bits would be too few for the logarithm of 1 − β
        )
        setattr(self, name, weight)

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
        if self.strict:
            self._check_values("y", y)
            self._check_values("x", x)
        y = ops.cast(y, self._work_dtype)
        x = self._excitation(y) if x is None else ops.cast(x, self._work_dtype)
        theta = 0.0 if self.theta is None else ops.cast(self.theta, self._work_dtype)
        if self.space == "surprisal":
            result = _ops.surprisal_synapse_tensor(x, y, theta, ops.transpose(self.gamma))
            result = ops.exp(-result) if self.output_space == "probability" else result
        elif self.output_space == "probability":
            alpha = 1.0 if self.theta is None else ops.exp(-theta)
            result = _ops.synapse_tensor(x, y, alpha, ops.transpose(self.beta))
        else:
            result = theta - _ops.log_transmission(y, ops.transpose(self.beta))
            if not isinstance(x, float):
                tiny = float(np.finfo(self._work_dtype).tiny)
                result = result - ops.log(ops.maximum(x, tiny))
        return ops.cast(result, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the outputs, (..., units)."""
        return (*input_shape[:-1], self.units)

    def compute_output_spec(self, y: Any, x: Any = None) -> Any:
        """Symbolic outputs, with the checks of a call."""
        self._check(y, x)
        return keras.KerasTensor(self.compute_output_shape(y.shape), dtype=self.compute_dtype)

    @property
    def alpha(self) -> Any:
        """Gains α = e^−θ, (units,)."""
        self._check_built()
        if self.theta is None:
            return ops.ones((self.units,), dtype=self._work_dtype)
        return ops.exp(-ops.cast(self.theta, self._work_dtype))

    @property
    def beta(self) -> Any:
        """Strengths of the inhibition, (input_dim, units), at most 1 − eps."""
        self._check_built()
        beta = ops.sigmoid(ops.cast(self.beta_logit, self._work_dtype))
        beta = ops.minimum(beta, 1.0 - self._eps)
        return beta if self.mask is None else beta * ops.cast(self.mask, beta.dtype)

    @property
    def gamma(self) -> Any:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        self._check_built()
        gamma = ops.softplus(-ops.cast(self.beta_logit, self._work_dtype))
        gamma = ops.maximum(gamma, self._eps)
        return gamma if self.mask is None else ops.where(self.mask, gamma, math.inf)

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
        self._check_built()
        y = ops.convert_to_tensor(y)
        check_features("y", y, self.beta_logit.shape[0])
        y = ops.cast(y, self._work_dtype)
        if self.space == "probability":
            return _ops.contributions(y, ops.transpose(self.beta))
        return _ops.complement(ops.transpose(self.gamma) + y[..., None, :])

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal layer."""
        config = {
            "units": self.units,
            "excitation": self.excitation,
            "alpha": self.has_alpha,
            "space": self.space,
            "output": self.output_space,
            "mask": None if self.mask is None else self.mask.astype(int).tolist(),
            "strict": self.strict,
        }
        for kind in ("initializer", "regularizer", "constraint"):
            serialize = getattr(keras, f"{kind}s").serialize
            for name in _WEIGHTS:
                config[f"{name}_{kind}"] = serialize(getattr(self, f"{name}_{kind}"))
        return {**super().get_config(), **config}

    @property
    def _work_dtype(self) -> str:
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype

    @property
    def _eps(self) -> float:
        return float(np.finfo(self._work_dtype).eps)

    def _excitation(self, y: Any) -> Any:
        surprisal = self.space == "surprisal"
        if self.excitation == "none":
            return 0.0 if surprisal else 1.0
        if self.mixing_logit is None:
            return y
        weights = ops.softmax(ops.cast(self.mixing_logit, self._work_dtype), axis=0)
        if not surprisal:
            return ops.matmul(y, weights)
        # Relative to the least surprising input nothing underflows that matters.
        limits = np.finfo(self._work_dtype)
        least = ops.min(y, axis=-1, keepdims=True, initial=float(limits.max))
        least = ops.stop_gradient(least)
        mixed = ops.matmul(ops.exp(least - y), weights)
        return least - ops.log(ops.maximum(mixed, float(limits.tiny)))

    def _check_built(self) -> None:
        if self.beta_logit is None:
            raise ValueError("the layer has no weights yet: call it, or `build(input_shape)`")

    def _check(self, y: Any, x: Any) -> None:
        check_features("y", y, self.beta_logit.shape[0])
        if x is not None:
            check_features("x", x, self.units)
            pairs = zip(x.shape[:-1], y.shape[:-1], strict=False)
            known = all(a == b or None in (a, b) for a, b in pairs)
            if len(x.shape) != len(y.shape) or not known:
                raise ValueError(
                    "`x` must have the batch axes of `y`. "
                    f"Received: x {tuple(x.shape)}, y {tuple(y.shape)}"
                )

    def _check_values(self, name: str, value: Any) -> None:
        if value is None or not _ops.readable(value):
            return
        numbers = ops.convert_to_numpy(ops.cast(value, self._work_dtype))
        top = 1.0 if self.space == "probability" else math.inf
        outside = numbers[~((numbers >= 0.0) & (numbers <= top))]
        if outside.size:
            bounds = "[0, 1]" if top == 1.0 else "[0, ∞]"
            raise ValueError(
                f"`{name}` must hold values in {bounds}. Received: {outside.size} others, the "
                f"first {float(outside[0]):g}"
            )


def check_features(name: str, value: Any, size: int) -> None:
    """Refuse what is not a tensor (..., size) of floating-point numbers."""
    if not hasattr(value, "dtype"):
        raise TypeError(f"`{name}` must be a tensor. Received: {type(value).__qualname__}")
    dtype = keras.backend.standardize_dtype(value.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise TypeError(f"`{name}` must have a real floating-point dtype. Received: {dtype}")
    if tuple(value.shape[-1:]) != (size,):
        raise ValueError(
            f"`{name}` must have shape (..., {size}). Received: shape {tuple(value.shape)}"
        )


def _checked_mask(mask: Any, units: int) -> np.ndarray[Any, Any]:
    values = np.asarray(mask)
    if values.ndim != 2 or values.shape[1] != units:
        raise ValueError(
            f"`mask` must have shape (input_dim, {units}). Received: {tuple(values.shape)}"
        )
    if not np.isin(values, (0, 1)).all():
        raise ValueError("`mask` must hold only 0 and 1. Received: other values")
    return values.astype(bool)

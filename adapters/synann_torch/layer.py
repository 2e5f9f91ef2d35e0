"""The synapse tensor as a layer, where a Linear layer would stand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from array_api_compat import torch as xp
from torch import Tensor, nn
from torch.nn import functional

import synann_core as syn
from synann_core._lib.arguments import broadcast_shape
from synann_core._lib.checks import check_int, check_option
from synann_core._lib.torch_modes import torch_values_known
from synann_core.learning import initial_mixing_logit
from synann_core.tensor import _surprisal_synapse_tensor, _synapse_tensor
from synann_core.transmission import _log_transmission

__all__ = ["Synapse"]

_SPACES = ("probability", "surprisal")


class Synapse(nn.Module):
    """Fully connected synapses: ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``, each sample on its own.

    Parameters
    ----------
    in_features, out_features : int
        Inhibitory inputs n and outputs m, ≥ 1.
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
    mask : Tensor, shape (out_features, in_features), optional
        Bool or 0 and 1: where 0, there is no synapse. ``~torch.eye(n, dtype=bool)`` forbids
        self-inhibition.
    strict : bool
        Check that the inputs' values are in range, at the price of reading them. Not in graphs that
        torch.compile or torch.export trace, nor under vmap.
    generator : torch.Generator, optional
        For the initial values; torch's global one if not given.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    theta : Parameter, shape (out_features,), or None
    beta_logit : Parameter, shape (out_features, in_features)
        β = sigmoid(beta_logit).
    mixing_logit : Parameter, shape (out_features, in_features), or None
        The mixture is its softmax over the inputs.

    Raises
    ------
    TypeError
        If a size is no int, or an input no real floating-point tensor.
    ValueError
        If a size is less than 1, an option unknown, "input" asked for with n ≠ m, the mask of the
        wrong shape, or an input of the wrong last axis; with `strict` if a value is out of range.

    Notes
    -----
    β stays below 1 by eps, and x at or above the smallest normal number where its logarithm is
    taken: a surprisal output is finite for inputs in [0, 1]. The time is that of five Linear layers
    (docs/performance.md), the memory that of two. With 16-bit floats, also under autocast, all is
    computed in float32; the result has the dtype to which inputs and parameters promote.

    Source: "A Synaptic Neural Network and Synapse Learning".

    Examples
    --------
    >>> import torch
    >>> from synann_torch import Synapse
    >>> layer = Synapse(64, 64)
    >>> layer(torch.rand(32, 64)).shape
    torch.Size([32, 64])
    >>> Synapse(64, 10, output="surprisal")
    Synapse(in_features=64, out_features=10, excitation='mixture', output='surprisal')
    """

    mask: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        excitation: str = "auto",
        alpha: bool = True,
        space: str = "probability",
        output: str | None = None,
        mask: Tensor | None = None,
        strict: bool = False,
        generator: torch.Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features = check_int("in_features", in_features, 1)
        self.out_features = check_int("out_features", out_features, 1)
        square = in_features == out_features
        check_option("excitation", excitation, ("auto", "input", "mixture", "none"))
        if excitation == "auto":
            excitation = "input" if square else "mixture"
        if excitation == "input" and not square:
            raise ValueError(
                "`excitation` must not be 'input' unless in_features = out_features. "
                f"Received: 'input' with {in_features} and {out_features}"
            )
        self.excitation = excitation
        self.space = check_option("space", space, _SPACES)
        self.output = check_option("output", space if output is None else output, _SPACES)
        self.strict = strict
        shape = (out_features, in_features)
        options = {"device": device, "dtype": dtype}
        self.beta_logit = nn.Parameter(torch.empty(shape, **options))
        self.theta = nn.Parameter(torch.empty(out_features, **options)) if alpha else None
        mixes = excitation == "mixture"
        self.mixing_logit = nn.Parameter(torch.empty(shape, **options)) if mixes else None
        if not self.beta_logit.is_floating_point():
            raise TypeError(f"`dtype` must be real floating-point. Received: {dtype}")
        # Kept apart, too: a layer that was made on the meta device gets it back when it is reset.
        self._given_mask = None if mask is None else self._checked_mask(mask)
        self.register_buffer("mask", None)
        if self._given_mask is not None:
            self.mask = self._given_mask.to(self.beta_logit.device, copy=True)
        self.reset_parameters(generator=generator)

    def reset_parameters(
        self, mean_input: float = 0.5, *, generator: torch.Generator | None = None
    ) -> None:
        """Draw new initial values.

        Parameters
        ----------
        mean_input : float
            Expected probability of an input, in (0, 1]. β is drawn by `synann_core.initial_beta`:
            a few strong inhibitors for each output, so that the layer takes about one nat away and
            its outputs differ between samples. α starts at 1, a mixture with 0.9 on 8 inputs.
        generator : torch.Generator, optional
            Torch's global one if not given.
        """
        if not torch_values_known(self.beta_logit):
            return
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**63 - 1, (), generator=generator, device=device))
        rng = np.random.default_rng(seed)
        shape = (self.out_features, self.in_features)
        beta = syn.initial_beta(*shape, mean_input=mean_input, rng=rng)
        with torch.no_grad():
            self.beta_logit.copy_(torch.from_numpy(syn.logit(beta)))
            if self.theta is not None:
                self.theta.zero_()
            if self.mask is not None and torch_values_known(self._given_mask):
                self.mask.copy_(self._given_mask)
            if self.mixing_logit is not None:
                logit = initial_mixing_logit(*shape, rng=rng)
                self.mixing_logit.copy_(torch.from_numpy(logit))

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Outputs (..., out_features) for inhibitory inputs (..., in_features).

        Parameters
        ----------
        y : Tensor, shape (..., in_features)
        x : Tensor, shape (..., out_features), optional
            Excitatory inputs, in the same space, in place of the layer's own.
        """
        dtype, y, x = self._prepare(y, x)
        if self.strict:
            self._check_values("y", y)
            if x is not None:
                self._check_values("x", x)
        theta = self.theta if self.theta is None else self.theta.to(y.dtype)
        if self.space == "surprisal":
            u = self._excitatory_surprisal(y) if x is None else x
            gamma = self._gamma(y.dtype)
            result = _surprisal_synapse_tensor(u, y, 0.0 if theta is None else theta, gamma, xp=xp)
            result = torch.exp(-result) if self.output == "probability" else result
        else:
            x = self._excitation(y) if x is None else x
            beta = self._beta(y.dtype)
            if self.output == "probability":
                alpha = 1.0 if theta is None else torch.exp(-theta)
                result = _synapse_tensor(x, y, alpha, beta, xp=xp)
            else:
                result = -_log_transmission(y, beta, xp=xp)
                if isinstance(x, Tensor):
                    result = result - torch.log(x.clamp(min=torch.finfo(x.dtype).smallest_normal))
                result = result if theta is None else result + theta
        return result if result.dtype == dtype else result.to(dtype)

    @property
    def alpha(self) -> Tensor:
        """Gains α = e^−θ, (out_features,)."""
        if self.theta is None:
            return self.beta_logit.new_ones(self.out_features)
        return torch.exp(-self.theta)

    @property
    def beta(self) -> Tensor:
        """Strengths of the inhibition, (out_features, in_features), at most 1 − eps."""
        return self._beta(self.beta_logit.dtype)

    @property
    def gamma(self) -> Tensor:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        return self._gamma(self.beta_logit.dtype)

    def contributions(self, y: Tensor) -> Tensor:
        """What each input adds to the surprisal of each output, exactly.

        Parameters
        ----------
        y : Tensor, shape (..., in_features)

        Returns
        -------
        Tensor, shape (..., out_features, in_features)
            In nats, ≥ 0. The surprisal output is θ + (excitatory surprisal) + their sum over the
            last axis.
        """
        dtype, y, _ = self._prepare(y, None)
        if self.space == "probability":
            result = syn.contributions(y, self._beta(y.dtype))
        else:
            result = syn.complement(self._gamma(y.dtype) + y[..., None, :])
        return result if result.dtype == dtype else result.to(dtype)

    def extra_repr(self) -> str:
        """Options that are not the default."""
        text = f"in_features={self.in_features}, out_features={self.out_features}"
        text += f", excitation={self.excitation!r}"
        if self.theta is None:
            text += ", alpha=False"
        if self.space != "probability":
            text += f", space={self.space!r}"
        if self.output != self.space:
            text += f", output={self.output!r}"
        if self.mask is not None:
            text += f", mask={int(self.mask.count_nonzero())} synapses"
        return text + (", strict=True" if self.strict else "")

    def _prepare(self, y: Tensor, x: Tensor | None) -> tuple[torch.dtype, Tensor, Tensor | None]:
        """Check the inputs' kinds and shapes; dtype of the result, inputs in the one to compute in.

        The core's functions would check them at every call; here it takes a tenth of the time.
        """
        dtype = self.beta_logit.dtype
        inputs = [("y", y, self.in_features)]
        if x is not None:
            inputs.append(("x", x, self.out_features))
        for name, value, size in inputs:
            if not isinstance(value, Tensor):
                raise TypeError(f"`{name}` must be a tensor. Received: {type(value).__qualname__}")
            if not value.is_floating_point():
                raise TypeError(
                    f"`{name}` must have a real floating-point dtype. Received: {value.dtype}"
                )
            if value.shape[-1:] != (size,):
                raise ValueError(
                    f"`{name}` must have shape (..., {size}). Received: shape {tuple(value.shape)}"
                )
            if value.dtype != dtype:
                dtype = torch.promote_types(dtype, value.dtype)
        if x is not None and x.shape[:-1] != y.shape[:-1]:
            broadcast_shape(1, y=tuple(y.shape), x=tuple(x.shape))
        # 16 bits would be too few for the logarithm of 1 − β, and for that of x.
        work = torch.float32 if dtype.itemsize < 4 else dtype
        y = y if y.dtype == work else y.to(work)
        return dtype, y, x if x is None or x.dtype == work else x.to(work)

    def _beta(self, dtype: torch.dtype) -> Tensor:
        beta = torch.sigmoid(self.beta_logit.to(dtype))
        beta = beta.clamp(max=1.0 - torch.finfo(dtype).eps)
        return beta if self.mask is None else beta * self.mask

    def _gamma(self, dtype: torch.dtype) -> Tensor:
        gamma = functional.softplus(-self.beta_logit.to(dtype))
        gamma = gamma.clamp(min=torch.finfo(dtype).eps)
        return gamma if self.mask is None else gamma.masked_fill(self.mask == 0, math.inf)

    def _excitation(self, y: Tensor) -> Tensor | float:
        if self.excitation == "none":
            return 1.0
        return y if self.mixing_logit is None else self._mixture(y)

    def _mixture(self, y: Tensor) -> Tensor:
        assert self.mixing_logit is not None
        with torch.autocast(y.device.type, enabled=False):
            return functional.linear(y, torch.softmax(self.mixing_logit.to(y.dtype), dim=-1))

    def _excitatory_surprisal(self, v: Tensor) -> Tensor | float:
        if self.excitation == "none":
            return 0.0
        if self.mixing_logit is None:
            return v
        # Relative to the least surprising input nothing underflows that matters.
        largest = torch.finfo(v.dtype).max
        least = v.detach().amin(dim=-1, keepdim=True).clamp(max=largest)
        mixed = self._mixture(torch.exp(least - v))
        return least - torch.log(mixed.clamp(min=torch.finfo(v.dtype).smallest_normal))

    def _checked_mask(self, mask: Tensor) -> Tensor:
        shape = tuple(self.beta_logit.shape)
        if not isinstance(mask, Tensor):
            raise TypeError(f"`mask` must be a tensor. Received: {type(mask).__qualname__}")
        if tuple(mask.shape) != shape:
            raise ValueError(f"`mask` must have shape {shape}. Received: {tuple(mask.shape)}")
        if torch_values_known(mask) and not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("`mask` must hold only 0 and 1. Received: other values")
        # A copy: two layers, or a layer and its caller, must not share it.
        return mask.detach().to(dtype=torch.bool, copy=True)

    def _check_values(self, name: str, value: Tensor) -> None:
        if not torch_values_known(value):
            return
        top = 1.0 if self.space == "probability" else math.inf
        inside = (value >= 0.0) & (value <= top)
        if not bool(inside.all()):
            wrong = value.detach()[~inside]
            bounds = "[0, 1]" if top == 1.0 else "[0, ∞]"
            raise ValueError(
                f"`{name}` must hold values in {bounds}. Received: {wrong.numel()} others, the "
                f"first {float(wrong.flatten()[0]):g}"
            )

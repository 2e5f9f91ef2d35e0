"""The synapse tensor as a layer, where a Linear layer would stand."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import torch
import torch.fx
from array_api_compat import torch as xp
from torch import Tensor, nn

from synann_core import layer as core
from synann_core.extending import (
    Space,
    broadcast_shape,
    check_int,
    check_tensor,
    torch_values_known,
    torch_watcher,
    widened,
)

from .options import Placement, check_options
from .state import MaskedModule

__all__ = ["Synapse"]


class Synapse(MaskedModule):
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
    gate : {"sigmoid", "softmax", "exp"}, optional
        Makes probabilities of the inputs first, or surprisals, as `space` says. They may then be
        any real numbers; "softmax" runs over them, "exp" is 1 − e^−y, for those behind a ReLU
        (below 0 it is 0). An x given to the call stays as it is.
    strict : bool
        Check that the inputs' values are in range; not where torch.compile, torch.export or vmap
        hide them.
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
    TypeError, ValueError
        If a size, an option, the mask or an input is of the wrong kind or shape, or "input" asked
        for with n ≠ m; with `strict` also if a value is out of range.

    Notes
    -----
    β stays below 1 by eps, and x at or above the smallest normal number where its logarithm is
    taken: a surprisal output is finite for inputs in [0, 1]. With 16-bit floats, also under
    autocast, all is computed in float32; the result has the dtype to which inputs and parameters
    promote. docs/performance.md says what it costs.

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

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        excitation: core.Excitation = "auto",
        alpha: bool = True,
        space: Space = "probability",
        output: Space | None = None,
        mask: Tensor | None = None,
        gate: core.Gate | None = None,
        strict: bool = False,
        generator: torch.Generator | None = None,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_options(self, placement)
        n = self.in_features = check_int("in_features", in_features, 1)
        m = self.out_features = check_int("out_features", out_features, 1)
        excitation, self.space, self.output = core.checked_options(excitation, space, output)
        where = "in_features = out_features"
        self.excitation = core.chosen_excitation(excitation, n, m, where)
        self.gate, self.strict = core.checked_gate(gate), strict
        self._watched = None if strict or gate else core.Watch()
        mixes = self.excitation == "mixture"
        self.beta_logit = nn.Parameter(torch.empty((m, n), **placement))
        self.theta = nn.Parameter(torch.empty(m, **placement)) if alpha else None
        self.mixing_logit = nn.Parameter(torch.empty((m, n), **placement)) if mixes else None
        if not self.beta_logit.is_floating_point():
            raise TypeError(
                f"`dtype` must be real floating-point. Received: {self.beta_logit.dtype}"
            )
        if mask is not None:
            self._set_mask(mask, (m, n), self.beta_logit.device)
        self.reset_parameters(generator=generator)

    def reset_parameters(
        self, mean_input: float = 0.5, *, generator: torch.Generator | None = None
    ) -> None:
        """Draw new initial values; the mask stays as it is.

        Parameters
        ----------
        mean_input : float
            Expected probability of an input, in (0, 1]. β is drawn by `synann_core.initial_beta`:
            a few strong inhibitors for each output, so that the layer takes about one nat away and
            its outputs differ between samples. α starts at 1, a mixture with 0.9 on 8 inputs.
        generator : torch.Generator, optional
            Torch's global one if not given.

        Raises
        ------
        ValueError
            If the mask has no values, for it was made on the meta device and none was loaded.
        """
        if not torch_values_known(self.beta_logit):
            return
        self._check_mask_has_values()
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**63 - 1, (), generator=generator, device=device))
        rng, shape = np.random.default_rng(seed), self.beta_logit.shape
        beta_logit = core.initial_beta_logit(*shape, mean_input=mean_input, rng=rng)
        with torch.no_grad():
            self.beta_logit.copy_(torch.from_numpy(beta_logit))
            if self.theta is not None:
                self.theta.zero_()
            if self.mixing_logit is not None:
                logit = core.initial_mixing_logit(*shape, rng=rng)
                self.mixing_logit.copy_(torch.from_numpy(logit))

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Outputs (..., out_features) for inhibitory inputs (..., in_features).

        Parameters
        ----------
        y : Tensor, shape (..., in_features)
        x : Tensor, shape (..., out_features), optional
            Excitatory inputs, in the same space, in place of the layer's own. Its batch axes and
            those of y broadcast.
        """
        if isinstance(y, torch.fx.Proxy):
            options = {**self._options(), "strict": self.strict, "_watched": None}
            tensors = (self.beta_logit, self.theta, self.mixing_logit, self.mask)
            traced: Tensor = _traced(y, x, *tensors, options)
            return traced
        dtype, weights, y, x = self._prepare(y, x)
        result: Tensor = core.forward(
            y, x, weights, excitation=self.excitation, space=self.space, output=self.output, xp=xp
        )
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
        return core.beta_of(self.beta_logit, self.mask, xp=xp)

    @property
    def gamma(self) -> Tensor:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        return core.gamma_of(self.beta_logit, self.mask, xp=xp)

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
        dtype, weights, y = self._prepare(y, None)[:3]
        result: Tensor = core.contributions(y, weights, space=self.space, xp=xp)
        return result.to(dtype)

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
        if self.gate is not None:
            text += f", gate={self.gate!r}"
        return text + (", strict=True" if self.strict else "")

    def _checked(self, name: str, value: Any) -> Any:
        known = value is not None and torch_values_known(value)
        return core.check_values(name, value, self.space, xp=xp) if known else value

    def _watch(self, y: Tensor, watched: core.Watch) -> None:
        """Warn, once, of values outside their range, where a look at them disturbs nothing."""
        plain = torch_watcher(y) in ("nobody", "autograd") and not y.is_meta
        if not plain or (y.is_cuda and torch.cuda.is_current_stream_capturing()):
            return
        if watched.look(y, self.space, xp=xp, stacklevel=7):
            self._watched = None

    def _prepare(
        self, y: Tensor, x: Tensor | None
    ) -> tuple[torch.dtype, core.Weights, Tensor, Tensor | None]:
        """Check the inputs' kinds, shapes and, if `strict`, values, which nothing below does.

        Returns the result's dtype, and weights and inputs in the one to compute in.
        """
        logit = self.beta_logit  # asked for once: a module takes half a microsecond to find it
        dtype, inputs = logit.dtype, [("y", y, self.in_features)]
        if x is not None:
            inputs.append(("x", x, self.out_features))
        for name, value, size in inputs:
            check_tensor(name, value)
            floating = value.is_floating_point()
            if not floating or value.shape[-1:] != (size,):
                raise core.input_error(name, value.dtype, value.shape, size, floating=floating)
            dtype = torch.promote_types(dtype, value.dtype)
        if x is not None and x.shape[:-1] != y.shape[:-1]:
            broadcast_shape(1, y=tuple(y.shape), x=tuple(x.shape))
        # 16 bits would be too few for the logarithm of 1 − β, and for that of x.
        work = torch.float32 if dtype.itemsize < 4 else dtype
        theta, mixing, mask = self.theta, self.mixing_logit, self.mask
        if x is not None or not work == y.dtype == logit.dtype:
            logit, theta, mixing, y, x = (
                a if a is None or a.dtype == work else widened(a, work, xp)
                for a in (logit, theta, mixing, y, x)
            )
        if self.gate is not None:
            y = core.gated(y, self.gate, space=self.space, xp=xp)
        if self.strict:
            y, x = self._checked("y", y), self._checked("x", x)
        elif (watched := self._watched) is not None and not torch.compiler.is_compiling():
            watched.wait -= 1
            if watched.wait < 0:
                self._watch(y, watched)
        return dtype, core.Weights(logit, theta, mixing, mask), y, x


@torch.fx.wrap
def _traced(
    y: Tensor,
    x: Tensor | None,
    beta_logit: Tensor,
    theta: Tensor | None,
    mixing_logit: Tensor | None,
    mask: Tensor | None,
    options: dict[str, Any],
) -> Tensor:
    """Outputs of a layer with these tensors and options: what torch.fx records, as one call."""
    m, n = beta_logit.shape
    layer: Any = Synapse.__new__(Synapse)  # only its attributes, without what makes a module
    layer.__dict__.update(options, in_features=n, out_features=m)
    layer.__dict__.update(beta_logit=beta_logit, theta=theta, mixing_logit=mixing_logit, mask=mask)
    return Synapse.forward(layer, y, x)

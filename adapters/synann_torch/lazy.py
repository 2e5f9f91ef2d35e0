"""A synapse layer that takes the number of its inputs from the first ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from synann_core import layer as core
from synann_core.extending import check_tensor

from .layer import Synapse

__all__ = ["LazySynapse"]


class LazySynapse(LazyModuleMixin, Synapse):
    """`Synapse` without `in_features`, which the first call finds: then it is a `Synapse`.

    Parameters
    ----------
    out_features : int
        Outputs m, ≥ 1.
    **options
        Of `Synapse`.

    Raises
    ------
    TypeError, ValueError
        As by `Synapse`; what depends on the number of inputs, in the first call.

    Notes
    -----
    As nn.LazyLinear: call the network once, or load a state, before an optimizer gets its
    parameters.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import LazySynapse
    >>> layer = LazySynapse(10)
    >>> layer(torch.rand(32, 64)).shape
    torch.Size([32, 10])
    >>> layer
    Synapse(in_features=64, out_features=10, excitation='mixture')
    """

    cls_to_become = Synapse

    def __init__(
        self,
        out_features: int,
        *,
        excitation: core.Excitation = "auto",
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        # Of one input, and without numbers: nothing is drawn that is not used.
        super().__init__(1, out_features, excitation="none", device="meta", dtype=dtype, **options)
        self.in_features = 0
        core.checked_options(excitation, self.space, self.output)
        self.excitation = excitation
        placement = {"device": device, "dtype": dtype}
        self.beta_logit = nn.UninitializedParameter(**placement)
        if self.theta is not None:
            self.theta = nn.UninitializedParameter(**placement)
        if excitation in ("auto", "mixture"):
            self.mixing_logit = nn.UninitializedParameter(**placement)
        # For the number of inputs; a copy, for the mask may change until then.
        self._waiting = (mask.clone() if isinstance(mask, Tensor) else mask, generator)

    def reset_parameters(
        self, mean_input: float = 0.5, *, generator: torch.Generator | None = None
    ) -> None:
        """Draw new initial values, where there is a number of inputs."""
        if not self.has_uninitialized_params():
            super().reset_parameters(mean_input, generator=generator)

    def initialize_parameters(self, y: Tensor, x: Tensor | None = None) -> None:
        """Make the parameters for inputs y (..., in_features)."""
        check_tensor("y", y)
        if not y.ndim or not y.shape[-1]:
            raise ValueError(
                f"`y` must have a last axis of one input or more. Received: shape {tuple(y.shape)}"
            )
        self._settle(y.shape[-1])
        if self.has_uninitialized_params():
            with torch.no_grad():
                for parameter in self.parameters():
                    if nn.parameter.is_lazy(parameter):
                        matrix = parameter is not self.theta
                        shape = (self.out_features, self.in_features)
                        parameter.materialize(shape if matrix else shape[:1])
            self.reset_parameters(generator=self._waiting[1])
        del self._waiting

    def _settle(self, inputs: int) -> None:
        """Take the number of inputs, if there is none yet, and what hangs on it alone."""
        if self.in_features:
            return
        where = "in_features = out_features"
        chosen = core.chosen_excitation(self.excitation, inputs, self.out_features, where)
        if self._waiting[0] is not None:
            shape = (self.out_features, inputs)
            self._set_mask(self._waiting[0], shape, self.beta_logit.device)
        self.in_features, self.excitation = inputs, chosen
        if chosen != "mixture":
            self.mixing_logit = None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        key = prefix + "beta_logit"
        logit = state_dict.get(key)
        if isinstance(logit, Tensor) and not nn.parameter.is_lazy(logit):
            if logit.ndim != 2 or logit.shape[0] != self.out_features:  # it would be taken as it is
                rest[-1].append(
                    f"size mismatch for {key}: the layer has {self.out_features} outputs, "
                    f"the state is of shape {tuple(logit.shape)}"
                )
                return
            self._settle(logit.shape[1])
        super()._load_from_state_dict(state_dict, prefix, *rest)

"""Keep in a module's state, beside its parameters, its mask and what the module computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from array_api_compat import torch as xp
from torch import Tensor, nn

from synann_core import layer as core
from synann_core.extending import Space, check_tensor, torch_values_known

__all__ = ["MaskedModule", "RecordedModule", "SynapticModule"]

_COMPUTES = "_extra_state"  # as torch calls it


class RecordedModule(nn.Module):
    """A module whose state tells what it computes, beside its parameters.

    A state that says otherwise is refused. One without this entry loads: it is older.
    """

    def get_extra_state(self) -> Tensor:
        """What the module computes, as numbers: in every state beside the parameters."""
        # An explicit device: under `torch.device("meta")` there would be no values. By NumPy, for
        # which torch's default dtype does not count.
        return torch.tensor(np.asarray(self._computed()), device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Refuse the state of a module that computes something else.

        Raises
        ------
        TypeError
            If it is not a tensor of real numbers.
        ValueError
            If it was trained with other options, or on patches of another size.
        """
        check_tensor(_COMPUTES, state)
        if state.is_complex():
            raise TypeError(f"`{_COMPUTES}` must hold real numbers. Received: {state.dtype}")
        if torch_values_known(state):
            self._check_computed("state_dict", state.flatten().tolist())

    def _computed(self) -> list[int] | list[float]:
        raise NotImplementedError

    def _check_computed(self, argument: str, found: list[float]) -> None:
        raise NotImplementedError

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        computes = prefix + _COMPUTES
        if computes in state_dict:
            self.set_extra_state(state_dict[computes])  # before anything is copied
        super()._load_from_state_dict(state_dict, prefix, *rest)
        _, _, missing, *_ = rest
        if computes in missing:  # an older state
            missing.remove(computes)


class SynapticModule(RecordedModule):
    """A module of synapses whose state tells its options.

    Attributes
    ----------
    excitation, space, output, gate
        The options in the state.
    """

    excitation: core.Excitation
    space: Space
    output: Space
    gate: core.Gate | None

    def _computed(self) -> list[int]:
        return core.state_of(*self._patch(), **self._options())

    def _check_computed(self, argument: str, found: list[float]) -> None:
        core.check_state(argument, found, *self._patch(), **self._options())

    def _options(self) -> dict[str, str | None]:
        return {name: getattr(self, name) for name in ("excitation", "space", "output", "gate")}

    def _patch(self) -> tuple[int, ...]:
        """Height and width of a patch, which flattened weights do not tell."""
        return ()


class MaskedModule(SynapticModule):
    """A module with a mask of its synapses.

    Attributes
    ----------
    mask : Tensor, shape (out_features, in_features), or None
        A bool buffer. Its values outlive the meta device and `to_empty`, and `reset_parameters`
        keeps them, a loaded mask's as well as a given one's.
    """

    mask: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", None)
        # The mask's values while it has none itself, on the meta device; and whether nobody does.
        self._kept_mask: Tensor | None = None
        self._mask_is_lost = False

    def _set_mask(self, mask: Tensor, shape: tuple[int, int], device: torch.device) -> None:
        """Take a copy of a mask to the device."""
        check_tensor("mask", mask)
        known = torch_values_known(mask)
        core.check_mask(mask, shape, readable=known, xp=xp)
        if mask.is_meta and device.type != "meta":
            raise ValueError("`mask` must have values. Received: a tensor on the meta device")
        # A copy: two layers, or a layer and its caller, must not share it.
        mask = mask.detach().to(dtype=torch.bool, copy=True)
        self.mask = mask.to(device)
        self._mask_is_lost = not known
        self._kept_mask = mask if known and not torch_values_known(self.mask) else None

    def _check_mask_has_values(self) -> None:
        if self.mask is not None and self._mask_is_lost:
            raise ValueError(
                "`mask` must have values before the parameters are reset: load a state first, or "
                "give the layer a mask that is not on the meta device. Received: a mask from there"
            )

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """As in torch; what `torch.nn.utils.prune` removes is removed from the mask, too.

        A pruned parameter is 0, which for a logit of β is ½.

        Raises
        ------
        TypeError
            If `mixing_logit` is pruned: an input with the logit 0 stays in the mixture.
        """
        if name == "mixing_logit_mask":
            raise TypeError(
                "`mixing_logit` cannot be pruned: a logit of 0 is a share like any other. "
                "Prune `beta_logit`, or give the excitatory inputs to the call"
            )
        super().register_buffer(name, tensor, persistent)
        if name == "beta_logit_mask" and tensor is not None:
            kept = tensor.detach().to(dtype=torch.bool, copy=True)
            self.mask = kept if self.mask is None else self.mask & kept

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        mask, given = self.mask, state_dict.get(prefix + "mask")
        if mask is None or given is None or given.shape != mask.shape:
            return
        if torch_values_known(given):
            self._mask_is_lost = False
            here = torch_values_known(mask)
            self._kept_mask = None if here else given.detach().to(dtype=torch.bool, copy=True)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        before = self.mask
        super()._apply(fn, recurse)
        mask = self.mask
        if mask is None or before is None or mask is before or self._mask_is_lost:
            return self
        values = before if torch_values_known(before) else self._kept_mask
        if values is not None and torch_values_known(mask):
            mask.copy_(values)  # whatever `fn` did: it may be torch.empty_like
            values = None
        self._kept_mask = values
        return self

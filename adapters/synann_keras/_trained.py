"""Give layers options for each weight, as Dense has them, and files that say what they compute."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np

from synann_core import layer as core

from ._ops import check_plain

_KINDS = ("initializer", "regularizer", "constraint")
_COMPUTES = "computes"  # beside the weights in a file


class Trained(keras.layers.Layer):
    """A layer with the options ``NAME_initializer``, ``NAME_regularizer`` and ``NAME_constraint``.

    There is one of each for every weight NAME in `initializers`, which has the default ones.
    """

    initializers: ClassVar[dict[str, Any]] = {}
    arguments: ClassVar[tuple[str, ...]] = ("y", "x")  # of a call

    def __init__(self, **kwargs: Any) -> None:
        chosen: dict[str, Any] = {}
        for name, initial in self.initializers.items():
            for kind in _KINDS:
                value = kwargs.pop(f"{name}_{kind}", None)
                value = initial if value is None and kind == "initializer" else value
                chosen[f"{name}_{kind}"] = getattr(keras, f"{kind}s").get(value)
        super().__init__(**kwargs)
        for key, value in chosen.items():
            setattr(self, key, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer, on arrays that `check_plain` lets pass: Keras would drop a mask."""
        check_plain(self.arguments, args, kwargs)
        return super().__call__(*args, **kwargs)

    def add_trained(
        self, name: str, shape: tuple[int, ...], *, option: str = "", autocast: bool = True
    ) -> keras.Variable:
        """Add a weight; `option` is the start of its options' names, if not its own name."""
        options = {kind: getattr(self, f"{option or name}_{kind}") for kind in _KINDS}
        return self.add_weight(name=name, shape=shape, autocast=autocast, **options)

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal layer."""
        config = super().get_config()
        for kind in _KINDS:
            serialize = getattr(keras, f"{kind}s").serialize
            for name in self.initializers:
                config[f"{name}_{kind}"] = serialize(getattr(self, f"{name}_{kind}"))
        return dict(config)


class Recorded(keras.layers.Layer):
    """A layer whose file says what it computes with its weights: its `_options`."""

    def save_own_variables(self, store: Any) -> None:
        """Save the weights, and what the layer computes."""
        super().save_own_variables(store)
        if self.built:
            store[_COMPUTES] = np.array(core.state_of(*self._patch(), **self._options()))

    def load_own_variables(self, store: Any) -> None:
        """Load the weights of a layer that computes the same; older files do not say what.

        Raises
        ------
        ValueError
            If it was trained with another `excitation`, `space`, `output` or `gate`, or on patches
            of another size, or the number of weights is another.
        """
        if self.built and _COMPUTES in store.keys():  # noqa: SIM118
            found = np.asarray(store[_COMPUTES], dtype=float).ravel().tolist()
            core.check_state("store", found, *self._patch(), **self._options())
        super().load_own_variables({k: store[k] for k in store.keys() if k != _COMPUTES})  # noqa: SIM118

    def _patch(self) -> tuple[int, ...]:
        """Height and width of a patch, which flattened weights do not tell."""
        return ()

    def _options(self) -> dict[str, str | None]:
        raise NotImplementedError

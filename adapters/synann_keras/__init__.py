"""Synaptic neural networks for Keras, on its tensorflow, jax and torch backends.

The formulas are those of `synann_core`. Import this package before loading a file that holds its
layers.
"""

try:
    import keras as _keras
except ImportError as error:
    _missing = (error.name or "").partition(".")[0]
    if _missing in ("tensorflow", "jax", "jaxlib", "torch"):
        raise ImportError(
            f"synann_keras needs {_missing}, the backend that Keras is to run on. Install it, or "
            "name another one in KERAS_BACKEND: torch, jax or tensorflow"
        ) from error
    raise ImportError(
        "synann_keras needs Keras and one of its backends. Install them with, for instance: "
        'pip install "synann[keras,jax]", and name the backend in KERAS_BACKEND'
    ) from error

if _keras.config.backend() not in ("tensorflow", "jax", "torch"):
    raise ImportError(
        "synann_keras runs on the backends torch, jax and tensorflow: name one of them in "
        f"KERAS_BACKEND. Received: {_keras.config.backend()}"
    )

from .convert import to_core
from .convolution import SynapseConv2d
from .initializers import InitialBetaLogit, InitialMixingLogit
from .layer import Synapse
from .models import SynaCNN, SynaMLP
from .optimizers import exclude_from_weight_decay
from .recurrent import SynaRNNCell

del _keras

__all__ = [
    "InitialBetaLogit",
    "InitialMixingLogit",
    "SynaCNN",
    "SynaMLP",
    "SynaRNNCell",
    "Synapse",
    "SynapseConv2d",
    "exclude_from_weight_decay",
    "to_core",
]

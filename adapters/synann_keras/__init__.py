"""Synaptic neural networks for Keras, on its tensorflow, jax and torch backends.

The formulas are those of `synann_core`. Import this package before loading a file that holds its
layers.
"""

try:
    import keras as _keras
except ImportError as error:
    raise ImportError(
        "synann_keras needs Keras and one of its backends. Install them with, for instance: "
        'pip install "synann[keras,jax]", and name the backend in KERAS_BACKEND'
    ) from error

from .convert import to_core
from .initializers import InitialBetaLogit, InitialMixingLogit
from .layer import Synapse
from .models import SynaCNN, SynaMLP
from .recurrent import SynaRNNCell

del _keras

__all__ = [
    "InitialBetaLogit",
    "InitialMixingLogit",
    "SynaCNN",
    "SynaMLP",
    "SynaRNNCell",
    "Synapse",
    "to_core",
]

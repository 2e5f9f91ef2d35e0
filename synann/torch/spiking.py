"""The public names of `synann_torch.spiking` and `synann_torch.spiking_files`."""

from synann_torch.spiking import Spiking
from synann_torch.spiking_files import load_spiking, save_spiking, to_core, to_torch

__all__ = ["Spiking", "load_spiking", "save_spiking", "to_core", "to_torch"]

"""Take models out of Python: as JSON, ONNX, NIR, and as one file of C without dependencies."""

from synann_core.export.c.writer import save_c, save_c_learner
from synann_core.export.json import load_json, save_json
from synann_core.export.nir.convert import from_nir, load_nir, save_nir, to_nir
from synann_core.export.onnx.writer import save_onnx

__all__ = [
    "from_nir",
    "load_json",
    "load_nir",
    "save_c",
    "save_c_learner",
    "save_json",
    "save_nir",
    "save_onnx",
    "to_nir",
]

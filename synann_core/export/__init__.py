"""Take models out of Python: as JSON, as ONNX, and as one file of C without dependencies."""

from synann_core.export.c.writer import save_c, save_c_learner
from synann_core.export.json import load_json, save_json
from synann_core.export.onnx import save_onnx

__all__ = ["load_json", "save_c", "save_c_learner", "save_json", "save_onnx"]

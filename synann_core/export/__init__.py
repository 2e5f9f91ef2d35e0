"""Models outside Python: as JSON, as ONNX, and as one file of C without dependencies."""

from .c99 import save_c, save_c_learner
from .json_format import load_json, save_json
from .onnx import save_onnx

__all__ = ["load_json", "save_c", "save_c_learner", "save_json", "save_onnx"]

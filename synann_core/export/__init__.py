"""Models outside Python: as JSON, as ONNX, and as one file of C without dependencies."""

from .c99 import save_c, save_c_learner

__all__ = ["save_c", "save_c_learner"]

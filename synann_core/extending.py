"""Names for those who build on the core: what adapters and examples need of it.

Files are safetensors files; a file is written whole, or its old content stays.
"""

from synann_core._lib.files import read_config, read_tensors, write_tensors, write_whole

__all__ = ["read_config", "read_tensors", "write_tensors", "write_whole"]

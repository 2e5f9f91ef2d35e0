"""Names for those who build on the core."""

from synann_core import extending
from synann_core._lib import files


def test_files_are_those_of_the_core():
    for name in ("check_tensors", "read_config", "read_tensors", "write_tensors", "write_whole"):
        assert name in extending.__all__
        assert getattr(extending, name) is getattr(files, name)

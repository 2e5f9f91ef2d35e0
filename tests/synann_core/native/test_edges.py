"""Kernels touch no memory outside their arrays."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BEYOND = """
import ctypes
import numpy as np
from tests.synann_core.native.edges import Room
a = Room(24).copy(np.ones(3), {at_end})
print(a[0], flush=True)
ctypes.string_at(a.ctypes.data + {beyond}, 1)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is protected as on Linux")


def run(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.mark.needs_kernels
def test_no_kernel_touches_memory_outside_its_arrays():
    result = run("-m", "tests.synann_core.native.edges")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 5000


@pytest.mark.parametrize(("at_end", "beyond"), [(True, 24), (False, -1)])
def test_one_byte_outside_ends_a_process(at_end, beyond):
    result = run("-c", BEYOND.format(at_end=at_end, beyond=beyond))
    assert result.stdout == "1.0\n"
    assert result.returncode == -signal.SIGSEGV

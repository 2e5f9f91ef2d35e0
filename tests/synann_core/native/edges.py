"""Every kernel on arrays that end or begin where memory may not be touched.

``python -m tests.synann_core.native.edges`` puts each array that a kernel is given between two
pages without access, against the one or the other. A kernel that reads or writes a byte outside its
arrays ends the process; what it returns and writes must not depend on where they lie.
"""

import ctypes
import mmap

import numpy as np

from synann_core.native import host
from tests.synann_core.native import calls

PAGE = mmap.PAGESIZE
PROT_NONE = 0


class Room:
    """Memory between two pages that may not be touched."""

    def __init__(self, size):
        self.size = -(-size // PAGE) * PAGE
        self.memory = mmap.mmap(-1, self.size + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for page in (start, start + PAGE + self.size):
            if protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")

    def copy(self, a, at_end):
        """The array's copy that ends, or begins, at the edge."""
        offset = PAGE + (self.size - a.nbytes if at_end else 0)
        copy = np.frombuffer(self.memory, a.dtype, a.size, offset).reshape(a.shape)
        copy[...] = a
        return copy


class Guarded:
    """The kernels' module, which gives kernels arrays at edges."""

    def __init__(self, kernels):
        self.kernels, self.rooms, self.count = kernels, {}, 0

    def __getattr__(self, name):
        kernel = getattr(self.kernels, name)

        def called(*arguments):
            arrays = [k for k, a in enumerate(arguments) if isinstance(a, np.ndarray) and a.size]
            written = [k for k in arrays if arguments[k].flags.writeable]
            results = set()
            for at_end in (False, True):
                given = list(arguments)
                for k in arrays:
                    given[k] = self.room(k, arguments[k].nbytes).copy(arguments[k], at_end)
                result = kernel(*given)
                results.add((result, *(given[k].tobytes() for k in written)))
                self.count += 1
            if len(results) > 1:
                raise ValueError(f"{name}: bits depend on where arrays begin")
            for k in written:
                arguments[k][...] = given[k]
            return result

        return called

    def room(self, place, size):
        """Memory for the argument at that place, no larger than it must be."""
        size = -(-size // PAGE) * PAGE
        if (place, size) not in self.rooms:
            self.rooms[place, size] = Room(size)
        return self.rooms[place, size]


if __name__ == "__main__":
    kernels = Guarded(host.kernels)
    for variant in host.kernels.variants:
        host.kernels.use(variant)
        calls.everything(kernels)
    print(kernels.count)

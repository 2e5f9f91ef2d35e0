"""Which tests of the Keras adapter run on which backend."""

import os
import zlib


def pytest_collection_modifyitems(config, items):
    """In SYNANN_KERAS_HALF=0 or 1 of the suite, that half: chosen by name, the same every time."""
    half = os.environ.get("SYNANN_KERAS_HALF")
    if half is None:
        return
    other = [item for item in items if zlib.crc32(item.nodeid.encode()) % 2 != int(half)]
    config.hook.pytest_deselected(items=other)
    chosen = set(other)
    items[:] = [item for item in items if item not in chosen]

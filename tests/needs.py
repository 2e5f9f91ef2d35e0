"""Say what becomes of a test whose tools are missing: it is skipped, or it fails."""

import os

import pytest


def skip_or_fail(why, required):
    """Fail if the variable `required` is 1, for CI installs what is missing; else skip."""
    if os.environ.get(required) == "1":
        pytest.fail(f"{required} is set, and {why}")
    pytest.skip(why)

"""Report the seconds that each suite took, for the budget of the CI run."""

import collections
import os
from pathlib import Path

# One process has one backend of Keras. Where none is asked for, test_backends.py runs the other
# files beside it in a process for each, and the doctests have torch.
collect_ignore = ["adapters/synann_keras/_tensorflow.py"]
if "KERAS_BACKEND" not in os.environ:
    os.environ["KERAS_BACKEND"] = "torch"
    files = Path(__file__).parent.glob("tests/synann_keras/test_*.py")
    collect_ignore += [str(file) for file in files if file.name != "test_backends.py"]

_seconds: dict[str, float] = collections.defaultdict(float)


def pytest_runtest_logreport(report):
    _seconds["/".join(report.nodeid.split("::")[0].split("/")[:2])] += report.duration


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("seconds by suite")
    for suite, seconds in sorted(_seconds.items(), key=lambda item: -item[1]):
        terminalreporter.line(f"{seconds:7.1f}  {suite}")

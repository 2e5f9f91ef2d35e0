"""Report the seconds that each suite took, for the budget of the CI run."""

import collections

_seconds: dict[str, float] = collections.defaultdict(float)


def pytest_runtest_logreport(report):
    _seconds["/".join(report.nodeid.split("::")[0].split("/")[:2])] += report.duration


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("seconds by suite")
    for suite, seconds in sorted(_seconds.items(), key=lambda item: -item[1]):
        terminalreporter.line(f"{seconds:7.1f}  {suite}")

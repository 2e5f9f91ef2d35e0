"""Time what a fresh process waits for: the import, and first calls."""

from __future__ import annotations

# asv runs the code that these return in processes of their own.
BEFORE = "import numpy as np"
ARGUMENTS = "y, beta = np.full((32, 256), 0.5), np.full((256, 256), 0.5)"


class Start:
    """Seconds in a process in which nothing has been computed yet."""

    number, repeat = 1, 5

    def timeraw_import(self) -> tuple[str, str]:
        """Time the import of the core, beyond NumPy's own."""
        return "import synann_core", BEFORE

    timeraw_import.pretty_name = "Start: importing the library"

    def timeraw_first_forward(self) -> tuple[str, str]:
        """Time the first `log_transmission`."""
        return "syn.log_transmission(y, beta)", f"{BEFORE}; import synann_core as syn; {ARGUMENTS}"

    timeraw_first_forward.pretty_name = "Start: the first log_transmission"

    def timeraw_first_vjp(self) -> tuple[str, str]:
        """Time the first `log_transmission_vjp`."""
        return (
            "syn.log_transmission_vjp(y, beta, np.ones((32, 256)))",
            f"{BEFORE}; import synann_core as syn; {ARGUMENTS}",
        )

    timeraw_first_vjp.pretty_name = "Start: the first gradients"

"""NoisyOr: a network of independent causes and of the findings that they bring about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import as_generator, check_int
from synann_core._lib.files import FilePath
from synann_core.graph import SynapseGraph
from synann_core.noisy_or.convert import arguments_from_pgmpy, network_to_graph
from synann_core.noisy_or.files import read_network, write_network
from synann_core.noisy_or.html_page import write_page
from synann_core.noisy_or.questions import Questions

__all__ = ["NoisyOr"]

_SAMPLED_AT_A_TIME = 1 << 22  # numbers


class NoisyOr(Questions):
    """Noisy-OR network of two layers: independent causes, and the findings they bring about.

    Parameters
    ----------
    prior : array_like or series, shape (causes,)
        Probability, in [0, 1], that a cause is present.
    leak : array_like or series, shape (findings,)
        Probability, in [0, 1), that a finding appears without any cause.
    beta : array_like, frame or SciPy sparse array, shape (findings, causes)
        Probability, in [0, 1], that a cause alone brings about the finding. A sparse network takes
        memory for its links only.
    protection : array_like, frame or SciPy sparse array, shape (findings, causes), optional
        Probability δ, in [0, 1], that a present cause blocks the finding, whatever brought it
        about: ``P(present_i | y) = (1 − (1 − leak_i) ∏_j (1 − β_ij y_j)) ∏_j (1 − δ_ij y_j)``.
        Dense if `beta` is, sparse if it is.
    causes, findings : sequence of str, optional
        Their names, all different. By default the labels of `beta`, if it is a frame, or of the
        series; rows and columns of frames are taken by these names, in any order.

    Attributes
    ----------
    prior, leak : ndarray of float64
    beta, protection : ndarray of float64 or scipy.sparse.csr_array
    causes, findings : tuple of str, or None

    Raises
    ------
    TypeError, ValueError
        If the shapes or the labels of frames do not fit, a number is out of its range, or a name
        occurs twice.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr
    >>> model = NoisyOr(prior=[0.1, 0.2], leak=[0.0], beta=[[0.9, 0.5]])
    >>> model
    NoisyOr(2 causes, 1 finding, 2 links)
    >>> model.predict([[1.0, 0.0], [1.0, 1.0]])
    array([[0.9 ],
           [0.95]])
    """

    def sample(self, n: int, /, *, rng: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw samples of the causes and of their findings.

        Parameters
        ----------
        n : int
            Number of samples, ≥ 1.
        rng : int or numpy.random.Generator
            Random numbers, or the seed for them.

        Returns
        -------
        causes : ndarray of float64, shape (n, causes)
            0 or 1.
        findings : ndarray of float64, shape (n, findings)
            0 or 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is not such a number.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr([1.0, 0.0], [0.0], [[1.0, 0.5]])
        >>> model.sample(2, rng=0)
        (array([[1., 0.],
               [1., 0.]]), array([[1.],
               [1.]]))
        """
        check_int("n", n, 1)
        generator = as_generator(rng)
        causes = np.empty((n, self.prior.size))
        findings = np.empty((n, self.leak.size))
        step = max(1, _SAMPLED_AT_A_TIME // max(self.beta.shape))
        for first in range(0, n, step):
            block = slice(first, first + step)
            causes[block] = generator.random(causes[block].shape) < self.prior
            findings[block] = generator.random(findings[block].shape) < self.predict(causes[block])
        return causes, findings

    def save(self, path: FilePath, /) -> None:
        """Write the network as one safetensors file, whole or not at all."""
        write_network(path, self)

    @classmethod
    def from_file(cls, path: FilePath, /) -> NoisyOr:
        """Make the network that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or does not hold a network.
        """
        return cls(**read_network(path))

    def save_html(
        self, path: FilePath, /, *, title: str = "Noisy-OR network", description: str = ""
    ) -> None:
        """Write the network as one interactive page: an HTML file that needs nothing else.

        Tick findings as present, absent or unknown; the page shows the posteriors of all causes,
        the reasons for one of them (as `explain`), and what to ask next (as `next_findings`). It
        computes exactly, in the browser, offline, and loads and sends nothing. A case has an
        address of its own, to be shared.

        Parameters
        ----------
        path : str or os.PathLike
            The file, which everyone who has it can read the network from.
        title, description : str
            Shown above; plain text. Line breaks of the description are kept.

        Raises
        ------
        TypeError
            If `title` or `description` is not a str.
        FileNotFoundError
            If there is no such folder.

        Notes
        -----
        Dense, sparse and protecting links are all supported. Uncertain findings cannot be ticked.
        The page refuses sums that take more than 5e8 numbers or 22 findings at a time, and says
        so; `posterior` takes larger ones, and has bounds and samples beyond.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr(prior=[0.1, 0.2], leak=[0.01], beta=[[0.9, 0.5]])
        >>> with TemporaryDirectory() as folder:
        ...     model.save_html(Path(folder) / "page.html", title="Two causes")
        ...     "<title>Two causes</title>" in (Path(folder) / "page.html").read_text()
        True
        """
        write_page(path, self, title, description)

    def to_graph(self) -> SynapseGraph:
        """Build the synapse graph of the network: what is absent, given the causes.

        Returns
        -------
        SynapseGraph
            Its inputs are the causes, its outputs the probabilities that the findings are absent,
            under the names of the network, else ``"cause 0"``, …, ``"finding 0"``, …

        Raises
        ------
        ValueError
            If the network has protection, which a neuron cannot compute, or if a cause and a
            finding share a name.
        """
        return network_to_graph(self)

    @classmethod
    def from_pgmpy(cls, model: Any, /) -> NoisyOr:
        """Make the network that a Bayesian network of pgmpy's is.

        Parameters
        ----------
        model : pgmpy.models.DiscreteBayesianNetwork
            Of nodes with two states (true and false, 1 and 0, yes and no, present and absent, or on
            and off) in two layers: causes without parents, and findings whose tables are
            noisy-ORs, as those of ``NoisyORCPD``.

        Returns
        -------
        NoisyOr
            Dense, with the nodes' names.

        Raises
        ------
        TypeError
            If it is not such a model.
        ValueError
            If it has more layers, other states, or a table that is not a noisy-OR to 1e-9.
        """
        return cls(**arguments_from_pgmpy(model))

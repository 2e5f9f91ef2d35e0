"""Write a noisy-OR network as one HTML file that answers for itself.

The folder `page` holds its parts: the text (`page.html`), the style sheet, and scripts. Half of
them compute, in a thread of their own (a worker, made from text in the page); the others show what
comes back. The page may run these scripts and nothing else, as its Content-Security-Policy says by
their hashes, and may not load or send anything.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.files import FilePath, write_whole
from synann_core.noisy_or.parameters import Parameters, dense_rows

ENGINE = ("numbers", "network", "possible", "plan", "sums", "questions", "worker")
VIEW = ("numbers", "dom", "engine", "link", "findings", "causes", "summary", "main")
_ROWS = 512  # findings whose links are dense at a time


def write_page(path: FilePath, network: Parameters, title: str, description: str) -> None:
    """Write the page; `path` holds the old content or the whole new one."""
    text = page_of(network, title, description)
    write_whole(path, text.encode("utf-8", "replace"))  # a title may hold lone surrogates


def page_of(network: Parameters, title: str, description: str) -> str:
    """The text of the page."""
    for name, text in (("title", title), ("description", description)):
        if not isinstance(text, str):
            raise TypeError(f"`{name}` must be a str. Received: {text!r}")
    style, view = _part("style.css"), _script(VIEW)
    return Template(_part("page.html")).substitute(
        policy=_policy(style, view),
        title=html.escape(title),
        description=html.escape(description),
        style=style,
        network=_json(plain(network)),
        engine=_script(ENGINE),
        view=view,
    )


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text("utf-8")


def _script(names: tuple[str, ...]) -> str:
    """Scripts in one scope of their own."""
    return "\n".join(["(() => {", *(_part(f"{name}.js") for name in names), "})();\n"])


def _policy(style: str, view: str) -> str:
    """What the page may do: run its own script and style, and make its worker from text."""
    rules = {
        "default-src": "'none'",
        "script-src": _hash_of(view),
        "style-src": _hash_of(style),
        "worker-src": "blob:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{rule} {value}" for rule, value in rules.items())


def _hash_of(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _json(value: Any) -> str:
    """JSON in ASCII that is safe inside of a script element, whatever the names are."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def plain(network: Parameters) -> dict[str, Any]:
    """The network in lists; of each finding the links [cause, β], or [cause, β, δ] if δ > 0."""
    causes, findings = network.prior.size, network.leak.size
    return {
        "causes": list(network.causes or (f"cause {j}" for j in range(causes))),
        "findings": list(network.findings or (f"finding {i}" for i in range(findings))),
        "prior": network.prior.tolist(),
        "leak": network.leak.tolist(),
        "links": _links(network),
    }


def _links(network: Parameters) -> list[list[list[float]]]:
    """Of each finding; dense, but not all at once."""
    found = []
    for first in range(0, network.leak.size, _ROWS):
        rows = np.arange(first, min(first + _ROWS, network.leak.size))
        beta = dense_rows(network.beta, rows)
        delta = np.zeros_like(beta)
        if network.protection is not None:
            delta = dense_rows(network.protection, rows)
        found += [_links_of(*pair) for pair in zip(beta, delta, strict=True)]
    return found


def _links_of(beta: NDArray[np.float64], delta: NDArray[np.float64]) -> list[list[float]]:
    there = np.flatnonzero((beta > 0.0) | (delta > 0.0))
    numbers = zip(there.tolist(), beta[there].tolist(), delta[there].tolist(), strict=True)
    return [[j, b, d] if d > 0.0 else [j, b] for j, b, d in numbers]

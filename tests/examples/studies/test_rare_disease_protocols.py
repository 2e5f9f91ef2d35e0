"""What a paper's patients brought into the annotations is taken out again."""

import numpy as np
import pytest

from studies.rare_disease_protocols import ALL, DROPPED, SUBTRACTED, make_columns
from tests.examples.studies.rare_disease_world import read_world


@pytest.fixture
def world(tmp_path):
    return read_world(tmp_path)


def links(world, protocol, paper=None, disease=0):
    """Of one disease: (n, m) by term, without the paper if one is given."""
    ontology, annotations, patients = world
    columns = make_columns(annotations, patients, protocol)
    column = disease if paper is None else dict(columns.swaps[paper])[disease]
    here = columns.column == column
    names = [ontology.names[t] for t in columns.term[here]]
    pairs = zip(columns.n[here].tolist(), columns.m[here].tolist(), strict=True)
    return dict(zip(names, pairs, strict=True))


def test_all_annotations_have_a_column_a_disease(world):
    columns = make_columns(*world[1:], ALL)
    assert columns.count == columns.diseases == 4
    assert not columns.swaps
    assert links(world, ALL) == {
        "atrial defect": (3, 4),
        "seizures": (2, 10),
        "fainting": (0, 0),
        "ventricular defect": (0, 0),
    }


def test_a_finding_that_nobody_had_is_no_link(world):
    assert links(world, ALL, disease=2) == {"fainting": (2, 2)}


def test_the_papers_patients_are_subtracted_from_the_counts(world):
    # Two patients with an atrial defect; one of them had seizures and the other had not. Fainting
    # has no count and no other source; the ventricular defect has another.
    assert links(world, SUBTRACTED, "PMID:1") == {
        "atrial defect": (1, 2),
        "seizures": (1, 8),
        "ventricular defect": (0, 0),
    }


def test_a_row_falls_when_nobody_is_left(world):
    _, annotations, patients = world
    columns = make_columns(annotations, patients, SUBTRACTED)
    assert links(world, SUBTRACTED, "PMID:4", disease=2) == {}
    assert columns.nothing_left(patients).tolist() == [False] * 3 + [True] * 2 + [False, True]


def test_more_patients_than_were_counted_leave_nobody(world):
    ontology, annotations, patients = world
    more = patients[np.array([0, 0, 0, 0, 0, 0])]
    assert "atrial defect" not in links((ontology, annotations, more), SUBTRACTED, "PMID:1")


def test_rows_that_cite_the_paper_are_dropped(world):
    assert links(world, DROPPED, "PMID:1") == {}
    assert links(world, DROPPED, "PMID:3", disease=1) == {"septal defect": (0, 0)}


def test_patients_see_the_diseases_without_their_own_paper(world):
    columns = make_columns(*world[1:], SUBTRACTED)
    scores = np.arange(2.0 * columns.count).reshape(2, -1)
    got = columns.of_diseases(scores, ["PMID:1", "PMID:77"])
    ((disease, column),) = columns.swaps["PMID:1"]
    assert got[0, disease] == scores[0, column]
    np.testing.assert_array_equal(got[0, 1:], scores[0, 1:4])
    np.testing.assert_array_equal(got[1], scores[1, :4])

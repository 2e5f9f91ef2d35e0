"""A made-up ontology, annotated diseases and patients, in the files' formats."""

import json

import numpy as np

from studies.rare_disease_data import read_annotations, read_ontology, read_patients
from studies.rare_disease_model import build
from studies.rare_disease_protocols import ALL, make_columns

ONTOLOGY = """format-version: 1.2

[Term]
id: HP:1
name: all

[Term]
id: HP:2
name: heart
is_a: HP:1 ! all

[Term]
id: HP:3
name: septal defect
alt_id: HP:33
is_a: HP:2 ! heart

[Term]
id: HP:4
name: atrial defect
is_a: HP:3 ! septal defect

[Term]
id: HP:5
name: ventricular defect
is_a: HP:3 ! septal defect

[Term]
id: HP:6
name: brain
is_a: HP:1 ! all

[Term]
id: HP:7
name: seizures
is_a: HP:6 ! brain

[Term]
id: HP:8
name: fainting
is_a: HP:2 ! heart
is_a: HP:6 ! brain

[Term]
id: HP:44
name: obsolete defect
is_obsolete: true
replaced_by: HP:4

[Typedef]
id: has_part
name: part
"""

# Disease, qualifier, term, references, frequency, aspect.
LINES = [
    ("OMIM:1", "", "HP:4", "PMID:1", "3/4", "P"),
    ("OMIM:1", "", "HP:7", "PMID:1;PMID:2", "2/10", "P"),
    ("OMIM:1", "", "HP:8", "PMID:1", "", "P"),
    ("OMIM:1", "", "HP:5", "PMID:1;PMID:9", "", "P"),
    ("OMIM:2", "", "HP:3", "OMIM:2", "HP:0040281", "P"),
    ("OMIM:2", "", "HP:7", "PMID:3", "25%", "P"),
    ("OMIM:2", "NOT", "HP:4", "PMID:3", "", "P"),
    ("OMIM:2", "", "HP:4", "PMID:3", "", "I"),
    ("OMIM:3", "", "HP:8", "PMID:4", "2/2", "P"),
    ("OMIM:3", "", "HP:7", "PMID:4", "0/2", "P"),
    ("OMIM:4", "", "HP:7", "OMIM:4", "", "P"),
    ("OMIM:4", "", "HP:5", "PMID:5", "4/5", "P"),
    ("ORPHA:5", "", "HP:5", "ORPHA:5", "4/5", "P"),
]

# Cohort, disease, paper, observed, excluded.
PATIENTS = [
    ("a", "OMIM:1", "PMID:1", ["HP:4", "HP:7"], ["HP:5"]),
    ("a", "OMIM:1", "PMID:1", ["HP:44", "HP:8"], ["HP:7"]),
    ("b", "OMIM:2", "PMID:3", ["HP:33", "HP:7", "HP:99"], []),
    ("c", "OMIM:3", "PMID:4", ["HP:8"], ["HP:7"]),
    ("c", "OMIM:3", "PMID:4", ["HP:8"], ["HP:7"]),
    ("d", "OMIM:4", "PMID:5", ["HP:5"], []),
    ("e", "OMIM:9", "PMID:6", ["HP:5"], []),
]


def annotation_lines():
    lines = ["#version: made up"]
    for disease, qualifier, term, references, frequency, aspect in LINES:
        name = f"disease {disease[5:]}"
        cells = (
            disease,
            name,
            qualifier,
            term,
            references,
            "PCS",
            "",
            frequency,
            "",
            "",
            aspect,
            "x",
        )
        lines.append("\t".join(cells))
    return lines


def patient_lines(patients=PATIENTS):
    keys = "cohort", "diseases", "references", "observed", "excluded"
    for cohort, disease, paper, observed, excluded in patients:
        yield json.dumps(
            dict(zip(keys, (cohort, [disease], [paper], observed, excluded), strict=True))
        )


def write_files(folder, patients=PATIENTS):
    """Write all files; return the path of the patients."""
    (folder / "hp.obo").write_text(ONTOLOGY)
    (folder / "phenotype.hpoa").write_text("\n".join(annotation_lines()))
    path = folder / "cases.jsonl"
    path.write_text("\n".join(patient_lines(patients)))
    return path


def read_world(folder, patients=PATIENTS):
    """Ontology, annotations and patients."""
    path = write_files(folder, patients)
    ontology = read_ontology(ONTOLOGY.splitlines())
    annotations = read_annotations(annotation_lines(), ontology)
    return ontology, annotations, read_patients(path, ontology, annotations)


def knowledge_of(world, settings):
    """What all annotations say."""
    ontology, annotations, patients = world
    columns = make_columns(annotations, patients, ALL)
    return build(columns, ontology, np.arange(len(ontology.names)), settings)

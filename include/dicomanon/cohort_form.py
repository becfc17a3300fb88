"""The form of ``cohort_extraction``: one field for each parameter, in the words of whoever fills it in."""

from collections.abc import Mapping
from functools import partial
from typing import get_args

from airflow.sdk import Param

from dicomanon.cohort.parameters import (
    BODY_PART_PATTERN,
    LATERALITY_PATTERN,
    MODALITY_PATTERN,
    PROJECT_PATTERN,
    SEX_PATTERN,
    Contrast,
    GroupBy,
    Output,
    Sample,
    SortBy,
)
from dicomanon.dag_params import sealed_list, sealed_text

PROJECT, PEOPLE, STUDIES, SERIES = (
    "Project",
    "People",
    "Studies",
    "Series: one and the same series has to meet all of this",
)
LEFT_OUT, SAMPLE, CONTROLS = "What is left out", "Fewer of them", "Controls"
SPLIT, RESULT = "Train, validation, test", "What comes of it"

_MODALITIES = {
    "CT": "CT: computed tomography", "MR": "MR: magnetic resonance", "PT": "PT: positron emission tomography",
    "NM": "NM: nuclear medicine", "CR": "CR: computed radiography", "DX": "DX: digital radiography",
    "MG": "MG: mammography", "US": "US: ultrasound", "XA": "XA: X-ray angiography", "RF": "RF: fluoroscopy",
    "RTSTRUCT": "RTSTRUCT: radiotherapy structures", "SEG": "SEG: segmentation", "SR": "SR: structured report",
}  # fmt: skip
_BODY_PARTS = (
    "ABDOMEN", "ANKLE", "BREAST", "CHEST", "CSPINE", "ELBOW", "FOOT", "HAND", "HEAD", "HEART", "HIP", "KNEE", "LSPINE",
    "NECK", "PELVIS", "SHOULDER", "TSPINE", "WHOLEBODY", "WRIST",
)  # fmt: skip
"""Of PS3.16 Annex L, the frequent ones; a program may send any."""
_OUTPUTS = {
    "access": "Objects through the gateway", "archive": "That, and ZIP files of DICOM objects",
    "nifti": "That, and NIfTI images with sidecars", "manifest": "The manifest alone",
}  # fmt: skip
_SEXES = {"F": "Female", "M": "Male", "O": "Other"}
_LATERALITIES = {"R": "Right", "L": "Left", "B": "Both", "U": "Unpaired"}

_people_list, _people_text = partial(sealed_list, section=PEOPLE), partial(sealed_text, section=PEOPLE)
_study_list, _study_text = partial(sealed_list, section=STUDIES), partial(sealed_text, section=STUDIES)
_control_list = partial(sealed_list, section=CONTROLS)
_series_list, _left_out = partial(sealed_list, section=SERIES), partial(sealed_list, section=LEFT_OUT)


def _choices(title: str, description: str, pattern: str, shown: Mapping[str, str], section: str) -> Param:
    return Param(
        None, type=["null", "array"], items={"type": "string", "pattern": rf"^(?:{pattern})$"}, examples=list(shown),
        values_display=dict(shown), title=title, description=description, section=section,
    )  # fmt: skip


def _number(title: str, description: str, section: str, *, least: int = 0, whole: bool = True) -> Param:
    return Param(
        None, type=["null", "integer" if whole else "number"], minimum=least, exclusiveMaximum=1_000_000, title=title,
        description=description, section=section,
    )  # fmt: skip


def cohort_params() -> dict[str, Param]:
    """Return the fields in the order in which they are shown; those of sealed parameters take sealed values alone."""
    return {
        # Without a section: the form opens with these.
        "project": Param(
            type="string", pattern=rf"^(?:{PROJECT_PATTERN})$", title="Project",
            description="Name or number of the project; kept in clear text, so nothing about a patient.",
        ),
        "purpose": sealed_text("Purpose", "What the data are for; for the audit trail.", section=None),
        "dry_run": Param(
            False, type="boolean", title="Only count",
            description="Tells roughly how many patients, studies and images there are, and releases nothing.",
        ),
        "patient_ids": _people_list(
            "Patient IDs",
            "One per line; ID^^^ISSUER where another site issued it. Or paste a table whose first line names its"
            " columns, one of them MRN or Patient ID.",
        ),
        "names_with_birth_dates": _people_list(
            "Names with birth dates",
            "NAME, YYYY-MM-DD a line. Or paste a table with the columns Name and Birth date.",
        ),
        "birth_date_from": _people_text("Born from", "YYYY-MM-DD, that day included."),
        "birth_date_to": _people_text("Born until", "YYYY-MM-DD, that day included."),
        "age_from": _people_text("Age from", "On the day of the study: 18 in years, or 006M, 002W, 010D."),
        "age_to": _people_text("Age to", "On the day of the study, included: 65 also takes who turns 66 tomorrow."),
        "sex": _choices("Sex", "None chosen means all.", SEX_PATTERN, _SEXES, PEOPLE),
        "accession_numbers": _study_list(
            "Accession numbers", "One per line, or a table with the column Accession number."
        ),
        "study_date_from": _study_text("Study date from", "Real study date, YYYY-MM-DD, that day included."),
        "study_date_to": _study_text("Study date to", "Real study date, YYYY-MM-DD, that day included."),
        "index_dates": _study_list(
            "Index dates",
            "PATIENT ID, YYYY-MM-DD a line, such as the day of diagnosis. Or paste a table with the columns MRN"
            " and Date. Only these patients are looked for, in the days around their date.",
        ),
        "days_before": _number("Days before", "How many days before the index date a study may be.", STUDIES),
        "days_after": _number("Days after", "How many days after the index date a study may be.", STUDIES),
        "pull_missing": Param(
            False, type="boolean", title="Pull what is missing",
            description="Asks the clinical PACS for studies of the Patient IDs, index dates and accession numbers above"
            " that are not here yet, and waits for them. Not with *Only count*, which pulls nothing.",
            section=STUDIES,
        ),
        "description_words": _study_list(
            "Description words", "One per line; all must occur in the study's or its series' description."
        ),
        "referring_service_words": _study_list(
            "Referring service", "One per line; one must occur in the name of the service that requested the study."
        ),
        "modality": _choices(
            "Modalities", "None chosen means all.", MODALITY_PATTERN, _MODALITIES, SERIES
        ),
        "body_part": _choices(
            "Body parts", "As the devices name them; none chosen means all.", BODY_PART_PATTERN,
            {part: part for part in _BODY_PARTS}, SERIES,
        ),
        "laterality": _choices("Laterality", "None chosen means all.", LATERALITY_PATTERN, _LATERALITIES, SERIES),
        "contrast": Param(
            "any", type="string", enum=list(get_args(Contrast)), title="Contrast agent",
            description="Whether one was used.", section=SERIES,
        ),
        "slice_thickness_from": _number("Slice thickness from", "In mm, included.", SERIES, whole=False),
        "slice_thickness_to": _number("Slice thickness to", "In mm, included.", SERIES, whole=False),
        "images_from": _number("Images from", "How many objects of a series are stored, at least.", SERIES, least=1),
        "images_to": _number("Images to", "How many objects of a series are stored, at most.", SERIES, least=1),
        "manufacturer": _series_list("Manufacturer or model", "One per line; one must occur in the device's name."),
        "protocol_words": _series_list("Protocol words", "One per line; all must occur in the protocol's name."),
        "exclude_patient_ids": _left_out("Not these Patient IDs", "As above."),
        "exclude_names_with_birth_dates": _left_out(
            "Not these people", "NAME, YYYY-MM-DD a line. Who has no name or birth date is left out, too."
        ),
        "exclude_accession_numbers": _left_out("Not these accession numbers", "As above."),
        "exclude_description_words": _left_out("Without these words", "One per line; a description with one of them."),
        "sample": Param(
            "random", type="string", enum=list(get_args(Sample)), title="Which ones",
            description="Where not all are taken: the first or last by date, or drawn at random.", section=SAMPLE,
        ),
        "sample_seed": Param(
            0, type="integer", minimum=0, exclusiveMaximum=1_000_000, title="Seed",
            description="The same request with the same seed draws the same; another one draws, and splits, anew.",
            section=SAMPLE,
        ),
        "per_patient": _number("Studies of each patient", "At most; empty means all.", SAMPLE, least=1),
        "limit": _number(
            "Limit", "At most so many patients, studies or series, as *Group by* says.", SAMPLE, least=1
        ),
        "controls_per_case": _number(
            "Controls for each patient",
            "People of the same sex and age who meet the criteria below, and those above on dates, people and series,"
            " but are not in the cohort. Empty means none.",
            CONTROLS, least=1,
        ),
        "control_age_years": Param(
            2, type="number", minimum=0, maximum=100, title="Ages may differ by",
            description="In years, on the day of the study.", section=CONTROLS,
        ),
        "control_patient_ids": _control_list("Patient IDs of controls", "One per line; none means anybody."),
        "control_description_words": _control_list(
            "Description words of controls", "One per line; all must occur in the study's or its series' description."
        ),
        "control_exclude_description_words": _control_list(
            "Without these words", "One per line; a description with one of them is no control's."
        ),
        "split_train": _number("Train", "Percent of patients; all three together 100.", SPLIT),
        "split_validation": _number("Validation", "Percent of patients.", SPLIT),
        "split_test": _number(
            "Test", "Percent of patients. In a project, a patient stays where he is for as long as shares and seed do.",
            SPLIT,
        ),
        "group_by": Param(
            "patient", type="string", enum=list(get_args(GroupBy)), title="Group by",
            description="Tables beside the manifest: by study, and by patient or series where chosen.", section=RESULT,
        ),
        "sort_by": Param(
            "patient", type="string", enum=list(get_args(SortBy)), title="Sort by",
            description="Order of the rows of the manifest; by size, the largest come first.", section=RESULT,
        ),
        "output": Param(
            "access", type="string", enum=list(get_args(Output)), title="Output", values_display=_OUTPUTS,
            description="Beside the manifest, which there always is.", section=RESULT,
        ),
        "standing": Param(
            False, type="boolean", title="Keep it open",
            description="When more is stored that meets the request, a next version is released: of people who are"
            " new, only when they are enough that nobody is singled out.", section=RESULT,
        ),
        "standing_until": Param(
            None, type=["null", "string"], format="date", title="Open until",
            description="The last day. Empty: until an admin ends it.", section=RESULT,
        ),
    }  # fmt: skip

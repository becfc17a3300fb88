"""Invented identifying strings, and the planting of them where PS3.15 expects identifiers.

No string here may stay under any shipped profile: dates (kept by full dates) and names of devices (kept by device QA)
are therefore written, but not listed.
"""

import hashlib
import zlib
from io import BytesIO

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue

from dicomanon.standard.confidentiality import confidentiality_by_tag

UID_ROOT = "2.25.55501990155"
"""All planted UIDs but those of devices start with it."""
DEVICE_UID_ROOT = "2.25.12345678901"

_DICOM = "1.2.840.10008."

FAMILY = "Quorvandale"
GIVEN = "Zephyrinth"
NAME = f"{FAMILY}^{GIVEN}"
MOTHER = "Hollowbrook^Thessalyne"
PHYSICIAN = "Brimblethwick^Ostwaldina"
OPERATOR = "Yarrowmont^Fenwicka"
PATIENT_ID = "MRN77120943"
OTHER_ID = "HCN9034417782"
ACCESSION = "ACX5590317"
STUDY_ID = "STU4471908"
BIRTH_DATE = "19310613"
TELEPHONE = "+1 902 555 0173"
ADDRESS = "4417 Lindworm Parade, Tarnhollow"
INSTITUTION = "Tarnfeather Infirmary"
DEPARTMENT = "Radiology Wing Gannetry"
STATION = "ROOM9-DEVICE"
MAIL = "zephyrinth@quorvandale.example"
STUDY_DATE = "20220517"

IDEOGRAPHIC = "風間山川^龍之介"
PHONETIC = "かざまやまかわ^りゅうのすけ"

PLANTED: tuple[str, ...] = (
    FAMILY, GIVEN, FAMILY.upper(), *MOTHER.split("^"), *PHYSICIAN.split("^"), *OPERATOR.split("^"),
    PATIENT_ID, OTHER_ID, ACCESSION, STUDY_ID, BIRTH_DATE, "555 0173", "Lindworm", "Tarnhollow", "Tarnfeather",
    "Gannetry", UID_ROOT,
    # In the character sets of PS3.3 C.12.1.1.2; see charsets.py.
    *IDEOGRAPHIC.split("^"), *PHONETIC.split("^"),
    "Grünwettersbächer", "Żółkwiańska", "Ħaġrieliné", "Āboliņšķērpe", "Белозёровская", "الشمسانيوي", "Καλλιγέρειος",
    "אשכנזולדובסקי", "Çığırtkanoğlu", "ศรีสุขวรรณภา", "ﾔﾏﾀﾞｼﾛｳｴﾓﾝ", "황보선우람", "皇甫宣于藍", "王小东明亮", "王小東明亮",
)  # fmt: skip
"""What no output may hold, in whatever character set."""

_ENCODINGS = (
    "utf-8", "utf-16-le", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7",
    "iso8859-8", "iso8859-9", "tis-620", "gb18030", "shift_jis", "euc_kr", "euc_jp",
)  # fmt: skip


def _forms() -> dict[bytes, str]:
    forms: dict[bytes, str] = {}
    for token in PLANTED:
        for encoding in _ENCODINGS:
            try:
                forms.setdefault(token.encode(encoding), token)
            except UnicodeEncodeError:
                continue
        for encoding in ("euc_jp", "euc_kr", "gb2312"):
            # ISO 2022: JIS X 0208 is EUC without the high bits; KS X 1001 and GB 2312 in G1 are EUC itself.
            try:
                forms.setdefault(token.encode(encoding).translate(bytes(range(128)) * 2), token)
            except UnicodeEncodeError:
                continue
    return forms


FORMS = _forms()
"""Every way a planted string may stand in bytes, to the string."""


def inflated(data: bytes) -> bytes:
    """Return a Part 10 file with its data set inflated if it is deflated."""
    if b"1.2.840.10008.1.2.1.99" not in data[:512]:
        return data
    meta = dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=[]).file_meta
    start = 144 + meta.FileMetaInformationGroupLength
    return data[:start] + zlib.decompress(data[start:], wbits=-zlib.MAX_WBITS)


def find_planted(data: bytes) -> list[str]:
    """Return the planted strings that a file holds in any form, deflated or not."""
    searched = inflated(data)
    return sorted({token for form, token in FORMS.items() if form in searched})


def uid(*words: object, root: str = UID_ROOT) -> str:
    """Return the UID of what the words name."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return f"{root}{int.from_bytes(digest[:10], 'big'):025}"


def is_of_device(tag: int) -> bool:
    """Tell whether an option keeps the attribute with the identity of the device."""
    row = confidentiality_by_tag().get(tag)
    return row is not None and bool(row.options.get("retain-device-identity"))


def plant(dataset: Dataset, *, name: bool = True) -> Dataset:
    """Write identifiers into the attributes that all objects share, and UIDs of ours for all that are not DICOM's.

    Parameters
    ----------
    name
        Whether the patient's name is replaced too.
    """
    _replace_uids(dataset)
    meta: FileMetaDataset | None = getattr(dataset, "file_meta", None)
    if meta is not None and "SOPInstanceUID" in dataset:
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.SourceApplicationEntityTitle = PATIENT_ID
        meta.ImplementationClassUID = uid("implementation")
    if name:
        dataset.PatientName = NAME
    dataset.PatientID = PATIENT_ID
    dataset.IssuerOfPatientID = "TARNFEATHER MPI"
    dataset.PatientBirthDate = BIRTH_DATE
    dataset.OtherPatientIDsSequence = [_item(PatientID=OTHER_ID, TypeOfPatientID="TEXT")]
    dataset.PatientAddress = ADDRESS
    dataset.PatientTelephoneNumbers = TELEPHONE
    dataset.PatientMotherBirthName = MOTHER
    dataset.ReferringPhysicianName = PHYSICIAN
    dataset.OperatorsName = OPERATOR
    dataset.AccessionNumber = ACCESSION
    dataset.StudyID = STUDY_ID
    dataset.InstitutionName = INSTITUTION
    dataset.InstitutionAddress = ADDRESS
    dataset.InstitutionalDepartmentName = DEPARTMENT
    dataset.StationName = STATION
    dataset.StudyDescription = f"FOLLOW-UP {FAMILY}"
    dataset.SeriesDescription = f"For Dr {PHYSICIAN.split('^', maxsplit=1)[0]}"
    dataset.PatientComments = f"Mails {MAIL}, calls {TELEPHONE}"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        if keyword not in dataset:
            setattr(dataset, keyword, uid(keyword))
    return dataset


def _item(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _replace_uids(dataset: Dataset) -> None:
    pending = [dataset]
    while pending:
        level = pending.pop()
        # Elements that nobody asks for stay as they are encoded; asking for one decodes it.
        for tag in list(level.keys()):
            if level.get_item(tag).VR not in {"UI", "SQ", "UN", None}:
                continue
            element = level[tag]
            if element.VR == "SQ":
                pending.extend(element.value)
            elif element.VR == "UI":
                _replace_uid(element)


def _replace_uid(element: DataElement) -> None:
    root = DEVICE_UID_ROOT if is_of_device(int(element.tag)) else UID_ROOT
    if isinstance(element.value, MultiValue):
        element.value = [_new_uid(str(value), root) for value in element.value]
    elif element.value:
        element.value = _new_uid(str(element.value), root)


def _new_uid(value: str, root: str) -> str:
    if value.startswith((_DICOM, UID_ROOT, DEVICE_UID_ROOT)):
        return value
    return uid(value, root=root)

"""One CT slice in every character set of PS3.3 C.12.1.1.2, with names in all component groups that it can write."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from tests.objects.bases import ct, report, written
from tests.objects.planting import IDEOGRAPHIC, NAME, PHONETIC

_JAPANESE = f"{NAME}={IDEOGRAPHIC}={PHONETIC}"
_CHARACTER_SETS: tuple[tuple[str, str, str], ...] = (
    ("ISO_IR 100", "Grünwettersbächer^Zephyrinth", "Grünwettersbächer"),
    ("ISO_IR 101", "Żółkwiańska^Zephyrinth", "Żółkwiańska"),
    ("ISO_IR 109", "Ħaġrieliné^Zephyrinth", "Ħaġrieliné"),
    ("ISO_IR 110", "Āboliņšķērpe^Zephyrinth", "Āboliņšķērpe"),
    ("ISO_IR 144", "Белозёровская^Zephyrinth", "Белозёровская"),
    ("ISO_IR 127", "الشمسانيوي^Zephyrinth", "الشمسانيوي"),
    ("ISO_IR 126", "Καλλιγέρειος^Zephyrinth", "Καλλιγέρειος"),
    ("ISO_IR 138", "אשכנזולדובסקי^Zephyrinth", "אשכנזולדובסקי"),
    ("ISO_IR 148", "Çığırtkanoğlu^Zephyrinth", "Çığırtkanoğlu"),
    ("ISO_IR 13", "ﾔﾏﾀﾞｼﾛｳｴﾓﾝ^Zephyrinth", "ﾔﾏﾀﾞｼﾛｳｴﾓﾝ"),
    ("ISO_IR 166", "ศรีสุขวรรณภา^Zephyrinth", "ศรีสุขวรรณภา"),
    ("ISO_IR 192", _JAPANESE, "Белозёровская"),
    ("GB18030", f"{NAME}=王小東明亮^王小东明亮=", "王小东明亮"),
    ("GBK", f"{NAME}=王小東明亮^王小东明亮=", "王小東明亮"),
    ("\\ISO 2022 IR 87", _JAPANESE, "風間山川"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", f"ﾔﾏﾀﾞｼﾛｳｴﾓﾝ^Zephyrinth={IDEOGRAPHIC}={PHONETIC}", "風間山川"),
    ("\\ISO 2022 IR 149", f"{NAME}=皇甫宣于藍^=황보선우람^", "황보선우람"),
    ("\\ISO 2022 IR 58", f"{NAME}=王小东明亮^=", "王小东明亮"),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", "Grünwettersbächer^Белозёровская", "Белозёровская"),
    ("ISO 2022 IR 6\\ISO 2022 IR 126", "Quorvandale^Καλλιγέρειος", "Καλλιγέρειος"),
)
"""Specific Character Set, patient's name, and what of it stands in texts."""


def charset_objects() -> Iterator[tuple[str, bytes]]:
    """Yield a slice for every character set, and objects whose items have another one than their data set."""
    for name, person, family in _CHARACTER_SETS:
        yield f"charset/{name.strip(chr(92)).replace(chr(92), '+')}", written(_slice(name, person, family))
    # pydicom does not know Latin alphabet No. 9, which is No. 1 but for eight characters.
    latin = written(_slice("ISO_IR 100", "Grünwettersbächer^Zephyrinth", "Grünwettersbächer"))
    yield "charset/ISO_IR 203", latin.replace(b"ISO_IR 100", b"ISO_IR 203")
    nested = ct()
    nested.ReferencedStudySequence[0].SpecificCharacterSet = "ISO_IR 144"
    nested.ReferencedStudySequence[0].PatientName = "Белозёровская^Zephyrinth"
    yield "charset/item-of-its-own", written(nested)
    spoken = report()
    spoken.SpecificCharacterSet = "ISO_IR 192"
    spoken.PatientName = _JAPANESE
    text = next(item for item in spoken.ContentSequence if "TextValue" in item)
    text.TextValue = f"風間山川 was seen; {NAME.replace('^', ' ')} agreed"
    yield "charset/report", written(spoken)


def _slice(name: str, person: str, family: str) -> Dataset:
    dataset = ct()
    dataset.SpecificCharacterSet = name.split("\\")
    dataset.PatientName = person
    dataset.ReferringPhysicianName = person
    dataset.StudyDescription = f"CHEST {family}"
    dataset.PatientComments = f"Called {family} twice"
    dataset.RequestAttributesSequence[0].ReasonForTheRequestedProcedure = f"{family} coughs"
    return dataset

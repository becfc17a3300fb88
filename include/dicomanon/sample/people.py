"""Who and what the sample is about: invented patients, staff and places, distinctive enough to be searched for."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

STUDY_DATES = (dt.date(2021, 7, 1), dt.date(2023, 12, 31))
"""Every date in the sample but those of birth lies here."""
BIRTH_YEARS = (1931, 1946, 1961, 1976, 1991, 2006)
"""First of the two years in which the patient of that place is born."""

_FAMILY_HEAD = ("Quill", "Thistle", "Harken", "Wolver", "Ember", "Larks", "Marrow", "Bramble", "Copper", "Tansy")
_FAMILY_TAIL = ("feather", "mantle", "garthby", "holmsey", "combeley", "wickstow", "bridgely", "haughton", "spindle")
_GIVEN_HEAD = ("Rosa", "Ermin", "Isol", "Walb", "Gwend", "Theod", "Amar", "Perdi", "Corvin", "Luci")
_GIVEN_TAIL = ("lindrette", "trudiella", "wynnetha", "bertinus", "phaniel", "orathea", "anthiope", "mirandus")
_POLISH = (("Żółkwiańska", "Bogusławina"), ("Brzęczykowska", "Świętożyra"), ("Gżegżółkowa", "Wacławińska"))
_DANISH = (("Sønderbækgård", "Bjørnhildur"), ("Ærøskøbmand", "Åsgerdinesen"), ("Grønlykkegård", "Sørenbjørne"))
_JAPANESE = (
    ("Yamanashigawa", "Tarouzaemon", "山梨川", "太郎左衛門", "やまなしがわ", "たろうざえもん"),
    ("Kurosawahara", "Hanakomaru", "黒沢原", "花子丸姫", "くろさわはら", "はなこまるひめ"),
)
_STREETS = ("Lanternfish Crescent", "Periwinkle Terrace", "Saltmarsh Esplanade", "Foxglovely Rise", "Turnstonely Mews")
_TOWNS = ("Quillhaven", "Wrenmouth-on-Tarn", "Brackenwold", "Osprey Landing", "Merrowdale")
_HOSPITALS = ("Quillhaven Provincial Cancer Centre", "Brackenwold Memorial Infirmary", "Merrowdale Oncology Pavilion")
_DEPARTMENTS = ("Radiology Wing Kestrel", "Nuclear Medicine Floor Osprey", "Diagnostic Suite Goldcrest")


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient."""

    name: str
    """As a PN value, with component groups where the script asks for them (PS3.5 6.2.1)."""
    charset: str | tuple[str, ...]
    """Specific Character Set, as one value or several."""
    sex: str
    birth: dt.date
    patient_id: str
    issuer: str
    health_number: str
    address: str
    telephone: str
    email: str
    mother: str
    spouse: str
    occupation: str = "Boatbuilder"

    def age_on(self, day: dt.date) -> str:
        """Return the age as an AS value."""
        years = day.year - self.birth.year - ((day.month, day.day) < (self.birth.month, self.birth.day))
        return f"{years:03d}Y"


@dataclass(frozen=True, slots=True)
class Site:
    """An invented hospital with the devices that it images with."""

    name: str
    address: str
    department: str
    telephone: str
    sending_ae: str
    receiving_ae: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody and every place of one sample."""

    patients: tuple[Person, ...]
    physicians: tuple[str, ...]
    operators: tuple[str, ...]
    sites: tuple[Site, ...]


def make_cast(seed: int) -> Cast:
    """Invent the people and places of a sample.

    Every searchable word has at least eight letters and is no word of any language, and every number at least eight
    digits or letters between them, so that it does not turn up by chance. No two dates of the sample are 1000 to 4652
    days apart: those are the shifts that the crosswalk draws, so a shifted date never equals an original one, and an
    original date that is found is a leak. None is near today, whose date is in every log.
    """
    rng = np.random.default_rng([seed, 1])
    heads, tails = rng.permutation(_FAMILY_HEAD), rng.permutation(_FAMILY_TAIL)
    given_heads, given_tails = rng.permutation(_GIVEN_HEAD), rng.permutation(_GIVEN_TAIL)
    names = [f"{heads[i % 10]}{tails[i % 9]}^{given_heads[(i + i // 8) % 10]}{given_tails[i % 8]}" for i in range(20)]
    polish = _POLISH[int(rng.integers(len(_POLISH)))]
    danish = _DANISH[int(rng.integers(len(_DANISH)))]
    japanese = _JAPANESE[int(rng.integers(len(_JAPANESE)))]
    written: tuple[tuple[str, str | tuple[str, ...]], ...] = (
        (f"O'{names[0]}^Persephonia^Dr", "ISO_IR 100"),
        ("^".join(polish), "ISO_IR 192"),
        ("^".join(danish), "ISO_IR 100"),
        (f"{'^'.join(japanese[:2])}={'^'.join(japanese[2:4])}={'^'.join(japanese[4:])}", ("", "ISO 2022 IR 87")),
        (names[1], "ISO_IR 100"),
        (names[2], "ISO_IR 192"),
    )
    sites = tuple(
        Site(
            name=hospital,
            address=f"{_number(rng, 4)} {_STREETS[i]}, {_TOWNS[i]}, Nova Cambria",
            department=_DEPARTMENTS[i],
            telephone=_telephone(rng),
            sending_ae=f"{_TOWNS[i][:6].upper()}SCU{_number(rng, 3)}",
            receiving_ae=f"{_TOWNS[i][:6].upper()}PACS{_number(rng, 3)}",
        )
        for i, hospital in enumerate(_HOSPITALS)
    )
    ids = [f"QH{_number(rng, 8)}" for _ in written]
    # Two hospitals that number their patients alike: only the issuer tells the last two patients apart.
    ids[5] = ids[4]
    patients = tuple(
        Person(
            name=name,
            charset=charset,
            sex="FFMMFM"[i],
            birth=dt.date(BIRTH_YEARS[i], 1, 1) + dt.timedelta(days=int(rng.integers(730))),
            patient_id=ids[i],
            issuer=f"QUILLHAVENMPI{i // 5 + 1}",
            health_number=f"HCN{_number(rng, 10)}",
            address=f"{_number(rng, 4)} {_STREETS[(i + 2) % 5]}, {_TOWNS[(i + 1) % 5]} NC",
            telephone=_telephone(rng),
            email=f"{names[12 + i].replace('^', '.').lower()}@quillhaven.example",
            mother=names[10 + i // 2],
            spouse=names[13 + i // 2],
        )
        for i, (name, charset) in enumerate(written)
    )
    return Cast(patients, tuple(names[3:7]), tuple(names[7:9]), sites)


def some_day(rng: np.random.Generator) -> dt.date:
    """Return a date within :data:`STUDY_DATES`, far enough from its ends that follow-ups still lie within."""
    return STUDY_DATES[0] + dt.timedelta(days=int(rng.integers(100, 500)))


def _number(rng: np.random.Generator, digits: int) -> str:
    return str(int(rng.integers(10 ** (digits - 1), 10**digits)))


def _telephone(rng: np.random.Generator) -> str:
    # 555-01xx is set aside for fiction.
    return f"+1 902 555 01{int(rng.integers(10, 100))}"

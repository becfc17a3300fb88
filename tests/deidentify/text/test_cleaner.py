import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.patience import HUNG

from dicomanon.deidentify.text import DateTreatment, KnownValues, TextCleaner, text_cleaner
from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.vocabulary import MEDICAL, kind_of, radiology
from dicomanon.profile.actions import TextKind

KINDS = [TextKind.DESCRIPTION, TextKind.LABEL, TextKind.CODE, TextKind.TECHNICAL]
HEADER = KnownValues(
    names=frozenset({"Baker^James^Q", "Fisher^Laura", "Foley^Anne Marie"}),
    patient_identifiers=frozenset({"0012345", "SP4410O2"}),
    phones=frozenset({"+49 30 1234567"}),
    places=frozenset({"Riverside General Hospital", "12 Elm Street, Tannenfels"}),
    dates=frozenset({"20210403"}),
    birth_dates=frozenset({"19500102"}),
)


def cleaner(known: KnownValues = HEADER, dates: DateTreatment | None = None) -> TextCleaner:
    return TextCleaner(known, dates=dates or DateTreatment(), maximum_age=89)


CLEAN = cleaner().clean


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("CT CHEST W CONTRAST Smith", "CT CHEST W CONTRAST"),
        ("Seen by Dr. Laura Fisher on 03/14/2021, callback (555) 123-4567.", "Seen by on, callback."),
        ("BAKER^JAMES CHEST", "CHEST"),
        ("CT ABDOMEN O'Hendrickson-Smythe", "CT ABDOMEN"),
        ("smith_john", ""),
        ("JohnSmith head", "head"),
        ("THORAX_BAKER_LAT", "THORAX_LAT"),
        ("Abdomen (James Baker) with contrast", "Abdomen with contrast"),
        ("chest, Fisher, pelvis", "chest, pelvis"),
        ("MRN 0012345 CT", "MRN CT"),
        ("MRN 00l2345", "MRN"),
        ("SP441002 chest", "chest"),
        ("Referred from Riverside General Hospital", "Referred from"),
        ("tel +49301234567", "tel"),
        ("born 2 Jan 1950", "born"),
        ("James Baker's prior study", "prior study"),
        ("B4KER chest", "chest"),
    ],
)
def test_what_identifies_goes(text: str, rest: str) -> None:
    assert CLEAN(text, TextKind.DESCRIPTION) == rest


@pytest.mark.parametrize(
    "text",
    [
        "Baker's cyst, Foley catheter in situ, known Parkinson disease",
        "Fisher grade 3 subarachnoid hemorrhage",
        "Sonde de Foley en place",
        "Baker-Zyste rechts",
        "general hospital ward",
        "UID 1.2.840.10008.5.1.4.1.1.2 is CT",
    ],
)
def test_eponyms_and_words_stay_though_the_object_has_such_names(text: str) -> None:
    assert CLEAN(text, TextKind.DESCRIPTION) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Discussed with Jenna Petersen by phone", "Discussed with by phone"),
        ("brought in by her friend Felicia", "brought in by her friend"),
        ("KNEE LEFT - Barrera", "KNEE LEFT"),
        ("Acosta, Annette MRI BRAIN", "MRI BRAIN"),
        ("CT HEAD GRIFFIN ALEXANDRA", "CT HEAD"),
        ("Amber's mother called", "mother called"),
    ],
)
def test_strangers_go_whose_names_some_language_has_as_words(text: str, rest: str) -> None:
    assert cleaner(KnownValues()).clean(text, TextKind.DESCRIPTION) == rest


@pytest.mark.parametrize(
    "text", ["Griffin claw", "Stout habitus", "Hook wire", "Cotton swab", "Branch duct", "Beard hair"]
)
def test_words_that_are_frequent_names_stay_as_words(text: str) -> None:
    assert cleaner(KnownValues()).clean(text, TextKind.DESCRIPTION) == text


def test_label_that_is_an_eponym_is_the_thing_and_beside_another_word_the_person() -> None:
    assert CLEAN("Foley", TextKind.LABEL) == "Foley"
    assert CLEAN("GTV Foley", TextKind.LABEL) == "GTV"


def test_word_of_a_phrase_stays_and_behind_a_finished_description_it_is_a_name() -> None:
    clean = cleaner(KnownValues(names=frozenset({"Head^Henry"}))).clean
    assert clean("CT HEAD WITHOUT CONTRAST", TextKind.DESCRIPTION) == "CT HEAD WITHOUT CONTRAST"
    assert clean("CT CHEST W CONTRAST Head", TextKind.DESCRIPTION) == "CT CHEST W CONTRAST"


@pytest.mark.parametrize("text", ["MUELLER chest", "Mueller chest", "muller chest", "MÜLLER chest", "Müllers chest"])
def test_name_is_found_without_its_umlaut(text: str) -> None:
    assert cleaner(KnownValues(names=frozenset({"Müller^Jürgen"}))).clean(text, TextKind.TECHNICAL) == "chest"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("山田太郎 胸部単純CT", "胸部単純CT"),
        ("胸部単純CT 山田様", "胸部単純CT"),
        ("CT ヤマダ タロウ", "CT"),
        ("YAMADA TAROU 頭部MRI", "頭部MRI"),
        ("홍길동 흉부 CT", "흉부 CT"),
        ("王小东 腹部增强扫描", "腹部增强扫描"),
        ("李明哲 腹部增强扫描", "腹部增强扫描"),
        ("Люксембургова КТ грудной клетки", "КТ грудной клетки"),
        ("Ελένης Καραθανάση θώρακος", "θώρακος"),
        ("CT สมชาย สุวรรณ", "CT"),
        ("CT นายสมชายสุวรรณ", "CT"),
        ("CT chest प्रियंका शर्मा", "CT chest"),
        ("CT chest अनीता", "CT chest"),
    ],
)
def test_names_in_other_scripts_go(text: str, rest: str) -> None:
    known = KnownValues(
        names=frozenset(
            {"Yamada^Tarou=山田^太郎=やまだ^たろう", "Hong^Gildong=洪^吉洞=홍^길동", "Wang^XiaoDong=王^小东",
             "Люксембургов^Андрей", "Καραθανάση^Ελένη", "สุวรรณ^สมชาย", "शर्मा^प्रियंका"}
        )
    )  # fmt: skip
    assert cleaner(known).clean(text, TextKind.DESCRIPTION) == rest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "written",
    [
        "The\u0301re\u0300se",
        "THE\u0301RE\u0300SE",
        "Thé\u00adrèse",
        "Thé\u200brèse",
        "\u202aThérèse\u202c",
        "Ｔｈérèse",
    ],
    ids=["decomposed", "capitals", "soft hyphen", "zero-width space", "direction", "wide"],
)
def test_name_is_found_however_its_letters_are_encoded(written: str, kind: TextKind) -> None:
    clean = cleaner(KnownValues(names=frozenset({"Vandenberghe^Thérèse"}))).clean
    assert clean(f"CT {written}", kind).strip() == "CT"
    assert clean("Scanner ce\u0301re\u0301bral", kind) == "Scanner ce\u0301re\u0301bral"


@pytest.mark.parametrize(
    ("term", "rest"),
    [("Johnson", ""), ("SMITH JOHN", ""), ("HEAD", "HEAD"), ("diop", "diop"), ("T-D3000", "T-D3000"), ("ROSE", "ROSE")],
)
def test_term_that_is_nothing_but_a_name_goes(term: str, rest: str) -> None:
    assert cleaner(KnownValues()).clean(term, TextKind.TERM) == rest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("town", ["Wolkenstein", "Nashstad", "Beckenborough"])
def test_town_of_the_header_goes_though_its_two_words_have_a_meaning(town: str, kind: TextKind) -> None:
    clean = cleaner(KnownValues(places=frozenset({f"Thoraxklinik {town}"}))).clean
    assert clean(f"CT Thorax, {town}", kind) == "CT Thorax"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["St. Ward Medical Center", "Women's Cancer Center", "Ward 7 Clinic"])
def test_place_of_the_header_goes_whole_though_none_of_its_words_names_one(place: str, kind: TextKind) -> None:
    clean = cleaner(KnownValues(places=frozenset({place}))).clean
    assert clean(f"CT Chest {place.upper()}", kind) == "CT Chest"
    assert clean(f"{place}, CT Chest", kind) == "CT Chest"


@pytest.mark.parametrize("kind", KINDS)
def test_initials_of_a_place_are_no_place(kind: TextKind) -> None:
    clean = cleaner(KnownValues(places=frozenset({"C T"}))).clean
    assert clean("CT Chest", kind) == "CT Chest"


@pytest.mark.parametrize("kind", KINDS)
def test_department_that_every_hospital_has_stays(kind: TextKind) -> None:
    clean = cleaner(KnownValues(departments=frozenset({"Nuclear Medicine"}))).clean
    assert clean("Nuclear Medicine Bone", kind) == "Nuclear Medicine Bone"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", ["\u0301", "\u0301's \u0301", "chest \u0301\u0301", "\u200b", "\u0e31\u0e31", "'\u0301'"]
)
def test_marks_without_a_letter_are_no_trouble(text: str, kind: TextKind) -> None:
    assert set(CLEAN(text, kind)) <= set(text)


def test_ages_above_the_maximum_become_it() -> None:
    assert CLEAN("93 yo male, aged 91", TextKind.DESCRIPTION) == "89 yo male, aged 89"
    no_maximum = TextCleaner(HEADER, dates=DateTreatment(), maximum_age=None)
    assert no_maximum.clean("93 yo male", TextKind.DESCRIPTION) == "93 yo male"


@pytest.mark.parametrize("kind", KINDS)
def test_text_without_anything_to_remove_is_the_same_object(kind: TextKind) -> None:
    text = "".join(["CT CHEST ", "W CONTRAST"])
    assert CLEAN(text, kind) is text


def test_slices_of_a_series_share_a_cleaner() -> None:
    one, other = (KnownValues(names=frozenset({"Baker^James"})) for _ in range(2))
    assert text_cleaner(one, DateTreatment(days=3), 89) is text_cleaner(other, DateTreatment(days=3), 89)
    assert text_cleaner(one, DateTreatment(days=4), 89) is not text_cleaner(other, DateTreatment(days=3), 89)


def test_nothing_known_is_printed() -> None:
    assert "Baker" not in repr(HEADER) + repr(cleaner()) + str(HEADER)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        "1",
        "1 ",
        "A^",
        "a.",
        "1-",
        "Dr. ",
        "Xyzzy ",
        "胸",
        "a@",
        "(",
        ", ",
        "1.",
        "mar ",
        "l'",
        "name: ",
        "\uf8ff",
    ],
)
def test_a_megabyte_of_anything_is_cleaned_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    CLEAN(text * (1_000_000 // len(text)), TextKind.DESCRIPTION)
    assert time.perf_counter() - start < HUNG


NAME_LETTERS = "abcdefghijklmnoprstuvwzäöüéñçøłαβγδεθλμνπρστабвгдезиклмнопрст"
PERSON = st.tuples(
    st.text(NAME_LETTERS, min_size=4, max_size=12).map(str.capitalize),
    st.text(NAME_LETTERS, min_size=4, max_size=12).map(str.capitalize),
)
TEMPLATES = st.sampled_from(
    [
        "CT CHEST {family}", "{FAMILY}^{GIVEN} MRI BRAIN", "{given}_{family} thorax", "Seen by Dr. {Given} {Family}.",
        "{Family}, {Given}: knee", "Axial T2 {Given} {FAMILY}", "PTV_{Family}", "{FAMILY}{GIVEN}",
        "Frau {Family} Thorax",
        "{Family}'s chest", "({Given}-{Family})", "{Family}/{Given}/CT", "{Given}{Family} 3mm", "1{Family}2",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(person=PERSON, template=TEMPLATES, kind=st.sampled_from(KINDS))
def test_no_known_name_survives(person: tuple[str, str], template: str, kind: TextKind) -> None:
    # Patients called "Unknown" or "Thorax" are another test's.
    assume(
        not any(fold(value) in words_of("no-name") | radiology() or kind_of(fold(value)) == MEDICAL for value in person)
    )
    names = {}
    for name, value in zip(("family", "given"), person, strict=True):
        names |= {name: value.lower(), name.capitalize(): value, name.upper(): value.upper()}
    known = KnownValues(names=frozenset({"^".join(person)}))
    words = fold(cleaner(known).clean(template.format(**names), kind))
    described = fold(template.format(**dict.fromkeys(names, "")))
    for value in person:
        assert fold(value) not in words or fold(value) in described


WORDS = [
    "CT", "chest", "Baker", "James", "Dr.", "MRN", "0012345", "3", "mm", ",", "(", ")", "^", "Smith", "by",
    "2021-04-03", "93", "yo",
    "Hill", "Rose", "of", "de", "van", "Foley", "catheter", "山田", "Hospital", "Mercy", "T.", "-", "é", "name:",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text("CT chest Baker, 0123456789./-()^_:;'é胸山田太郎\n", max_size=120),
    st.lists(
        st.sampled_from(WORDS),
        max_size=16,
    ).map(" ".join),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, kind=st.sampled_from(KINDS), keep=st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, kind: TextKind, keep: bool) -> None:
    clean = cleaner(dates=DateTreatment(keep=keep)).clean
    once = clean(text, kind)
    assert clean(once, kind) == once


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, kind=st.sampled_from(KINDS), days=st.integers(-4000, 4000))
def test_a_text_never_grows_and_only_loses(text: str, kind: TextKind, days: int) -> None:
    assert len(cleaner(dates=DateTreatment(days=days)).clean(text, kind)) <= len(text)

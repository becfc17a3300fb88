"""Makes words.xz and pairs.xz, the vocabulary that free text is judged by.

Run in an environment of its own with ``wordfreq==3.1.1 simplemma==2.0.0 pydicom==3.0.2``, and the contents of Debian's
``wamerican-large``, ``wamerican-small`` and ``wordnet-base`` unpacked below a folder:
``python build_vocabulary.py FOLDER``. Licences: see README.md.

A line of words.xz is a folded word, a tab, and what it is: ``m`` a medical or technical word, ``w`` a word of a
language, ``r`` a rare one, ``p`` a proper name in terms, ``a`` a word that is also a name, ``n`` only a name.
A line of pairs.xz is two folded words that a terminology puts side by side.
"""

# It runs in an environment of its own, with packages that the system does not have.
# mypy: ignore-errors
# ruff: noqa: D103, PLR0912, PLR0915, PLR2004, RUF001

import gzip
import lzma
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pydicom.datadict import DicomDictionary
from pydicom.sr._concepts_dict import concepts
from simplemma.strategies.dictionaries.dictionary_factory import _load_dictionary_from_disk
from wordfreq import get_frequency_dict, top_n_list

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from folding import fold, loosely  # noqa: E402

EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿]+|[가-힣]+")
LETTERS = re.compile(r"[^\W\d_]+")
FREQUENT = {"en": 200_000, "de": 220_000, "fr": 140_000, "es": 140_000, "it": 140_000, "pt": 140_000, "nl": 120_000}
FURTHER = {"el": 80_000, "ru": 110_000, "sv": 50_000, "da": 40_000}
GERMAN_NOUN = re.compile(
    r".+(heit|keit|ung|schaft|ität|logie|grafie|graphie|tion|ismus|nis|tum|chen|ur|ie|ik|anz|enz|ment)(en|s|e|se|es)?"
)
ANIMALS = {7454, 7480, 7484, 7485, 7486, 7487, 7488, 7489, 7490}
COMMON = 15_000
OF_SURNAMES = (
    "mann",
    "berg",
    "burg",
    "bach",
    "hauer",
    "meier",
    "meyer",
    "bauer",
    "feld",
    "dorf",
    "hof",
    "wald",
    "baum",
    "stein",
    "heim",
    "haus",
    "thal",
    "tal",
    "brunner",
    "huber",
    "müller",
    "schmidt",
    "hoven",
    "veld",
    "stra",
    "sma",
    "man",
)
SMALLEST_NAMED_PERSON = 3
CENSUS = ("census_given_names.txt", "census_surnames.txt")


def listed(name: str) -> list[str]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def lexical(language: str, folder: Path) -> set[str]:
    """Return frequent words of a language that a dictionary has in lower case, or as a noun with several forms."""
    dictionary = {key.decode(): value.decode() for key, value in _load_dictionary_from_disk(language).items()}
    words = dictionary.keys() | set(dictionary.values())
    small = {word for word in words if word[:1].islower()}
    forms: dict[str, set[str]] = {}
    for form, lemma in dictionary.items():
        forms.setdefault(lemma, {lemma}).add(form)

    def noun(word: str) -> bool:
        word = word[:1].upper() + word[1:]
        if word not in words:
            return False
        lemma = dictionary.get(word, word)
        only = {lemma, lemma + "s", lemma + "'s", lemma + "ens"}
        return bool(forms.get(lemma, set()) - only) or bool(GERMAN_NOUN.fullmatch(word))

    frequencies = get_frequency_dict(language, "best")
    most = sorted(frequencies, key=frequencies.__getitem__, reverse=True)[: {**FREQUENT, **FURTHER}[language]]
    most = [word for word in most if LETTERS.fullmatch(word)]
    spelled = expanded(folder, language)
    found = {word for word in most if word in small or word in spelled or (language == "de" and noun(word))}
    if language in {"de", "nl"}:
        found |= {word for word in most if inflected(word, found) or compound(word, found)}
    return found


def expanded(folder: Path, language: str) -> set[str]:
    """Return the words that Hunspell's ``unmunch`` made of a spelling dictionary, if it is there."""
    path = folder / f"unmunched_{language}.txt"
    if not path.exists():
        return set()
    with path.open(encoding="utf-8") as lines:
        return {word for line in lines if (word := line.split("/")[0].strip()).islower() and word.isalpha()}


def inflected(word: str, words: set[str]) -> bool:
    return any(
        word.endswith(ending) and word[: -len(ending)] in words
        for ending in ("e", "en", "er", "es", "em", "n", "s")
        if len(word) > len(ending) + 3
    )


def compound(word: str, words: set[str]) -> bool:
    """Tell whether two words make up one, as a text somewhere has it."""
    if len(word) < 9 or word.endswith(OF_SURNAMES):
        return False
    for at in range(4, len(word) - 4):
        if word[at:] in words and len(word) - at >= 5:
            first = word[:at]
            if any(
                first.endswith(link) and len(first) - len(link) >= 4 and first[: len(first) - len(link)] in words
                for link in ("", "s", "n", "en", "es", "e", "er")
            ):
                return True
    return False


def wordnet(folder: Path) -> tuple[set[str], set[str], set[str]]:
    """Return common words, names of persons, and terms of several words."""
    words: set[str] = set()
    persons: set[str] = set()
    terms: set[str] = set()
    person, place, group = 18, 15, 14
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            kind, instance = int(fields[1]), "@i" in fields
            for index in range(int(fields[3], 16)):
                entry = re.sub(r"\(\w+\)$", "", fields[4 + 2 * index])
                if instance:
                    if kind == person:
                        persons.update(
                            piece
                            for piece in entry.split("_")
                            if piece[:1].isupper() and piece.isalpha() and len(piece) >= SMALLEST_NAMED_PERSON
                        )
                    continue
                if entry.islower():
                    words.update(piece for piece in re.split(r"[_\-']", entry) if piece.isalpha())
                if "_" in entry and kind not in {person, place, group}:
                    terms.add(entry.replace("_", " "))
    return words, persons, terms


def dicom_terms() -> set[str]:
    terms = {
        meaning[0]
        for scheme in concepts.values()
        for entry in scheme.values()
        for meaning in entry.values()
        # Breeds and strains of animals are named after every place and person there is.
        if set(meaning[1]) - ANIMALS
    }
    return terms | {entry[2] for entry in DicomDictionary.values()}


def main(folder: Path) -> None:
    dictionaries = folder / "usr/share/dict"
    large = (dictionaries / "american-english-large").read_text(encoding="utf-8").split()
    small = set((dictionaries / "american-english-small").read_text(encoding="utf-8").split())
    net, persons, terms = wordnet(folder / "usr/share/wordnet")

    words = {word for word in large if word.islower() and word.isalpha()} | net
    for language in {**FREQUENT, **FURTHER}:
        found = lexical(language, folder)
        print(language, len(found))
        words |= found
    dicom = dicom_terms()
    medical = {word for term in dicom for word in LETTERS.findall(term)}

    given = {fold(piece) for word in listed("given_names.txt") for piece in LETTERS.findall(word)}
    surnames = {fold(piece) for word in listed("surnames.txt") for piece in LETTERS.findall(word)}
    proper = {
        fold(word) for word in gzip.decompress((dictionaries / "propernames.gz").read_bytes()).decode("latin-1").split()
    }
    eponyms = {fold(line.split(",")[0]) for line in (HERE / "eponyms.csv").read_text(encoding="utf-8").splitlines()[1:]}
    also_words = {fold(word) for word in listed("also_words.txt")}
    own_medical = {fold(word) for word in listed("medical.txt")}
    ordinary = {fold(word) for word in small if word.islower()}

    lexical_words = {fold(word) for word in words}
    famous = {fold(word) for word in persons} & lexical_words - ordinary
    names = given | surnames | (proper - also_words) | famous
    classes: dict[str, str] = {}
    common = {fold(word) for language in FREQUENT | FURTHER for word in top_n_list(language, COMMON)}
    common |= {fold(word) for word in small if word.islower()}
    for word in lexical_words:
        classes[word] = "w" if word in common else "r"
    for word in {fold(word) for word in medical}:
        if word not in names and word not in eponyms:
            classes[word] = "m"
    # A word that terms only have with a capital, and no dictionary has, is a person's name in an eponym.
    written: dict[str, set[str]] = {}
    for term in dicom:
        for word in LETTERS.findall(term):
            written.setdefault(fold(word), set()).add(word)
    for word, forms in written.items():
        if (
            word not in lexical_words
            and len(word) > 3
            and all(form.istitle() for form in forms)
            and word not in own_medical
        ) and classes.get(word) == "m":
            classes[word] = "p"
    for word in names:
        if word in own_medical and word not in given | surnames:
            continue
        strong = word in given and word not in ordinary and word not in also_words
        # A name that dictionaries have only because it is one.
        is_word = word in classes or word in own_medical
        classes[word] = "a" if is_word and not strong else "n"
    for word in own_medical:
        if classes.get(word, "w") in "wr":
            classes[word] = "m"
    for word in also_words:
        classes[word] = "a"
    for word in {fold(word) for word in listed("only_names.txt")}:
        classes[word] = "n"
    # Frequent names, that some dictionary has as a word: where they stand decides.
    for word in {fold(word) for file in CENSUS for word in listed(file)} - names - own_medical:
        if classes.get(word) in {"w", "r", "p"}:
            classes[word] = "a"
        elif word not in classes and loosely(word) not in classes:
            classes[word] = "n"
    classes = {word: kind for word, kind in classes.items() if len(word) > 1 and "\t" not in word}

    pairs: set[str] = set()
    for term in dicom | terms:
        tokens = [fold(token) for token in re.findall(r"[^\W\d_]+", re.sub(r"['’]s\b", "", term))]
        pairs.update(f"{first} {second}" for first, second in pairwise(tokens) if len(first) > 1 and len(second) > 1)
    named = {word for word, kind in classes.items() if kind in "an"} | eponyms
    dicom_pairs = set()
    for term in dicom:
        tokens = [fold(token) for token in re.findall(r"[^\W\d_]+", re.sub(r"['’]s\b", "", term))]
        dicom_pairs.update(
            f"{first} {second}" for first, second in pairwise(tokens) if len(first) > 1 and len(second) > 1
        )
    own = (HERE / "own_pairs.txt").read_text(encoding="utf-8").splitlines()
    dicom_pairs |= {fold(line) for line in own if not line.startswith("#")}
    pairs |= dicom_pairs
    pairs = {pair for pair in pairs if pair in dicom_pairs or any(word in named for word in pair.split())}

    surnames_of_asia = set(listed("cjk_surnames.txt"))
    frequent: set[str] = set()
    for language, count in (("zh", 7000), ("ja", 9000), ("ko", 9000)):
        for word in top_n_list(language, count):
            if not EAST_ASIAN.fullmatch(word) or len(word) < 2:
                continue
            named = (
                word in surnames_of_asia
                or (language == "zh" and word[0] in surnames_of_asia and len(word) in {2, 3})
                or (language == "ja" and any(word.startswith(name) for name in surnames_of_asia if len(name) > 1))
            )
            if not named:
                frequent.add(word)
    lines = [" ".join(sorted(frequent)[start : start + 20]) for start in range(0, len(frequent), 20)]
    (HERE / "cjk_frequent.txt").write_text(
        "# Frequent words; see README.md.\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )

    write("meanings.xz", list({term for term in dicom if " " in term or term.isalpha()}))
    write("words.xz", [f"{word}\t{kind}" for word, kind in classes.items()])
    write("pairs.xz", list(pairs))
    print(Counter(classes.values()), len(pairs))


def write(name: str, lines: list[str]) -> None:
    # Sorted by bytes: the reader searches by them.
    data = b"\n".join(sorted(line.encode() for line in lines)) + b"\n"
    (HERE / name).write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    print(name, len(data), (HERE / name).stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

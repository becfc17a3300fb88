"""Finds and reads profile files, and says with line and column what is wrong with one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

import dicomanon
from dicomanon.errors import Fatal
from dicomanon.profile.checking import ANY_KEYWORD, misplacements
from dicomanon.profile.positions import Located, NotReadable, read_located
from dicomanon.profile.schema import Override, Place, PrivateSelector, Profile, place_name
from dicomanon.standard.confidentiality import option_names

SUFFIX = ".yaml"
_SUFFIXES = frozenset({SUFFIX, ".yml"})
_LONGEST_FILE = 1_000_000
_LONGEST_KEY = 40
_NAMES = frozenset({"tag", "keyword", "private"})
_FORMS = {
    "name": "a name is small letters, digits and hyphens, a letter first, and has 32 of them at most",
    "tag": "a tag is GGGG,EEEE with hexadecimal digits, such as 0008,1030",
    "keyword": "a keyword is letters and digits without blanks, as in PS3.6, such as StudyDescription",
    "group": "a group is four hexadecimal digits, such as 0019",
    "element": "an element is the last byte of its number, two hexadecimal digits, such as 27 or xx27",
    "vr": "a VR is two capital letters, such as LO",
    "modality": "a modality is capital letters, digits, blanks and underscores, 16 at most, such as MR",
}
"""What a key has to look like, where the schema has a pattern for it."""
_WANTED = {
    "string_type": "a text is wanted here; put one that looks like a number or a date into quotes",
    "string_too_short": "a text is wanted here, and this is empty",
    "string_too_long": "this is too long: {max_length} characters at most",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "int_from_float": "a whole number is wanted here",
    "greater_than_equal": "this is too small: {ge} at least",
    "less_than_equal": "this is too large: {le} at most",
    "bool_type": "yes or no is wanted here",
    "bool_parsing": "yes or no is wanted here",
    "tuple_type": "a list is wanted here: each entry on a line of its own, behind a hyphen",
}
"""What to say of each kind of error that the schema's types can lead to."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a profile file; never with a value of the file in it.

    Attributes
    ----------
    line, column
        Where it is, both from 1.
    where
        The same in terms of keys: ``overrides[2].path``.
    """

    line: int
    column: int
    where: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.where}: {self.message}"


class ProfileRefused(Fatal):
    """A profile file that cannot be used.

    Attributes
    ----------
    problems
        All that is wrong with it, in the order of the file.
    """

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"profile {name!r} is not usable: {'; '.join(map(str, problems))}")
        self.problems = problems


def _shipped_folder() -> Path:
    return Path(dicomanon.__file__).resolve().parents[1] / "profiles"


def shipped_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    return tuple(sorted(path.stem for path in _shipped_folder().glob(f"*{SUFFIX}")))


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name_or_path
        Name of a shipped profile, or path of a YAML file.

    Raises
    ------
    Fatal
        There is no such profile. As :class:`ProfileRefused`: the file does not have the form of :class:`Profile`,
        contradicts itself, or asks for an option that the engine does not carry out.
    """
    text = str(name_or_path)
    path = _shipped_folder() / f"{text}{SUFFIX}" if text in shipped_profiles() else Path(text)
    if path.suffix not in _SUFFIXES or not path.is_file():
        raise Fatal(
            f"no profile {text!r}; shipped are {', '.join(shipped_profiles())}, or give the path of a YAML file"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Fatal(f"profile {text!r} cannot be read ({type(error).__name__})") from None
    return parse_profile(content, text)


def parse_profile(content: bytes, name: str) -> Profile:
    """Read a profile from the bytes of a YAML file.

    Parameters
    ----------
    content
        The file.
    name
        What the file is called, for messages.

    Raises
    ------
    ProfileRefused
        As :func:`load_profile`.
    """
    try:
        if len(content) > _LONGEST_FILE:
            raise NotReadable("too long for a profile", (1, 1))
        located = read_located(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ProfileRefused(name, (Problem(1, 1, "file", "not UTF-8 text"),)) from None
    except NotReadable as error:
        raise ProfileRefused(name, (Problem(*error.position, _where(error.place), str(error)),)) from None
    try:
        return Profile.model_validate(located.content)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = [problem for detail in details for problem in _problems(detail, located)]
        if all(detail["type"] != "contradiction" for detail in details):
            problems += _misplaced(located, {detail["loc"] for detail in details})
        raise ProfileRefused(name, tuple(sorted(problems, key=lambda one: (one.line, one.column)))) from None


def _problems(detail: Mapping[str, Any], located: Located) -> list[Problem]:
    place: Place = detail["loc"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "contradiction":
            return [_problem(where, message, located) for where, message in context["problems"]]
        case "unknown_option":
            places = [(*place, index) for index in context["indices"]]
            return [
                _problem(one, detail["msg"] + _nearest(_value(one, located), option_names()), located) for one in places
            ]
        case "extra_forbidden":
            message = "no such key" + _nearest(str(place[-1]), _keys(place))
        case "missing":
            message = "this key is missing"
            if place[-1] == "group":
                message += ': all elements of a creator are those of a group, {creator: EXAMPLE MR 01, group: "0019"}'
        case "model_type" | "model_attributes_type" | "dict_type":
            message = "keys with values are wanted here"
        case "value_error":
            message = str(context["error"])
        case "literal_error":
            message = f"one of {_listed(context['expected'])} is wanted here"
        case "string_pattern_mismatch":
            message = _FORMS.get(str(place[-1]), "this has another form than is wanted here")
        case kind:
            message = _WANTED.get(kind, "this is not what is wanted here").format(**context)
    return [_problem(place, message, located)]


def _misplaced(located: Located, wrong: set[Place]) -> Iterator[Problem]:
    """Yield what the overrides name that there is not, in a file whose form is wrong elsewhere.

    Only names are looked at: what an override does depends on options that may be what is wrong.
    """
    overrides = located.content.get("overrides") if isinstance(located.content, dict) else None
    for index, written in enumerate(overrides if isinstance(overrides, list) else ()):
        place: Place = ("overrides", index)
        if not isinstance(written, dict):
            continue
        right = {key: value for key, value in written.items() if not any(one[:3] == (*place, key) for one in wrong)}
        if not right.keys() & _NAMES:
            right["keyword"] = ANY_KEYWORD
        try:
            override = Override.model_validate({**right, "action": "remove"})
        except ValidationError:
            continue
        for where, message in misplacements(override, place):
            yield _problem(where, message, located)


def _listed(expected: str) -> str:
    """Return ``'a', 'b' or 'c'`` as an admin would write it in the file."""
    return expected.replace("'", "")


def _problem(place: Place, message: str, located: Located) -> Problem:
    return Problem(*located.position(place), _where(place), message)


def _where(place: Place) -> str:
    # A key is an admin's word; one that is a text of its own is not repeated.
    short = tuple(part if isinstance(part, int) or len(part) <= _LONGEST_KEY else f"{part[:8]}…" for part in place)
    return place_name(short)


def _keys(place: Place) -> tuple[str, ...]:
    """Return the keys that may stand where a place does: in the profile, an override, a private selector."""
    models: dict[int, type[BaseModel]] = {1: Profile, 3: Override}
    return tuple(models.get(len(place), PrivateSelector).model_fields)


def _value(place: Place, located: Located) -> str:
    content = located.content
    for part in place:
        content = content[part]
    return str(content)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

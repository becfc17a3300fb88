"""Fixtures of the decision about pixels, in a file of the site: added from real objects, checked after a change."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.facts import HeaderFacts
from dicomanon.deidentify.pixels.fixtures import Fixture, fixture_of
from dicomanon.errors import Fatal, Held


def read_fixtures(file: Path) -> list[Fixture]:
    """Return the fixtures of a file.

    Raises
    ------
    Fatal
        It cannot be read, or a line is no fixture.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"the file of fixtures cannot be read ({type(error).__name__})") from None
    return [Fixture.from_json(line) for line in lines if line.strip()]


def add_fixtures(file: Path, objects: Iterable[Path]) -> tuple[list[Fixture], int]:
    """Append a fixture for each DICOM file, named after the device; nothing is written if one of them is refused.

    Returns
    -------
    tuple
        The new fixtures, and how many files lead to one that is there already.

    Raises
    ------
    Fatal
        A file cannot be read, or a fact of its device may identify a person.
    """
    known = read_fixtures(file) if file.exists() else []
    names = {fixture.name for fixture in known}
    contents = {replace(fixture, name="").to_json() for fixture in known}
    added: list[Fixture] = []
    again = 0
    for number, path in enumerate(objects, 1):
        fixture = _fixture(path, number, names)
        content = replace(fixture, name="").to_json()
        if content in contents:
            again += 1
            continue
        contents.add(content)
        names.add(fixture.name)
        added.append(fixture)
    try:
        with file.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{fixture.to_json()}\n" for fixture in added)
    except OSError as error:
        raise Fatal(f"the file of fixtures cannot be written ({error.strerror})") from None
    return added, again


def _fixture(path: Path, number: int, names: set[str]) -> Fixture:
    try:
        source = parse(path.read_bytes())
        # Names of files may name patients: files are told by their number.
        return fixture_of(_new_name(HeaderFacts.of(source), names), source)
    except OSError as error:
        raise Fatal(f"file {number} cannot be read ({error.strerror})") from None
    except Held as held:
        raise Fatal(f"file {number} is no object to make a fixture of: {held}") from None
    except Fatal as refused:
        raise Fatal(f"file {number}: {refused}") from None


def _new_name(facts: HeaderFacts, names: set[str]) -> str:
    device = facts.device
    words = f"{device.modality} {device.manufacturer} {device.model} {device.rows}x{device.columns}".lower()
    name = re.sub("[^a-z0-9]+", "-", words).strip("-")
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(names) + 3))) if one not in names)

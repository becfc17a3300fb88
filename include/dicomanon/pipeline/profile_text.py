"""A profile in words: what it does, who stands for it, and its YAML."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from dicomanon import __version__
from dicomanon.crosswalk.profiles import PublishedProfile
from dicomanon.crosswalk.rows import ProfilePublication
from dicomanon.errors import Fatal
from dicomanon.pipeline.profiles import opened, shipped_version
from dicomanon.profile import Profile
from dicomanon.profile.compiler import CLEAN_PIXEL_DATA, PIXEL_DATA
from dicomanon.profile.explaining import Explanation
from dicomanon.profile.options import PATIENT_CHARACTERISTICS
from dicomanon.profile.schema import Override
from dicomanon.standard import EDITION
from dicomanon.standard.confidentiality import method_codes
from dicomanon.standard.names import sop_class_keyword
from dicomanon.standard.tables import format_tag

WIDTH = 20
_IN_WORDS = {
    "maximum_age": "maximum age",
    "birth_date": "birth date",
    "trust_block_identifying_information": "trust (0008,0300)",
    "outside_iod": "outside the IOD",
    "unconfirmed_devices": "unconfirmed devices",
    "recognizable_visual_features": "faces in volumes",
}


def summary(profile: Profile) -> Iterator[str]:
    """Yield what the profile does, a line for each switch and each override."""
    yield _line("base", f"Basic Profile of {EDITION}")
    codes = method_codes()
    for number, option in enumerate(profile.options):
        yield _line("" if number else "options", f"{option} ({codes[option].value} {codes[option].meaning})")
    if not profile.options:
        yield _line("options", "none")
    for field, words in _IN_WORDS.items():
        if field == "maximum_age" and PATIENT_CHARACTERISTICS not in profile.options:
            continue
        if field == "unconfirmed_devices" and profile.unconfirmed_devices is None:
            yield _line(words, "wait in DAGs, read in folders")
            continue
        yield _line(words, _said(getattr(profile, field)))
    for number, override in enumerate(profile.overrides):
        yield _line("" if number else "overrides", override_line(override))
    if not profile.overrides:
        yield _line("overrides", "none")


def override_line(override: Override) -> str:
    """Return one override as a sentence."""
    if override.private is not None:
        private = override.private
        element = f",xx{private.element[-2:]}" if private.element else ""
        what = f"private {private.creator!r} ({private.group}{element})"
    else:
        what = override.keyword or override.tag or ""
    where = f" in {override.path}" if override.path else ""
    where += f" of SOP class {override.sop_class}" if override.sop_class else ""
    where += f" of modality {override.modality}" if override.modality else ""
    return f"{what}{where}: {override.action}" + (f" ({override.reason})" if override.reason else "")


def heading(profile: Profile) -> Iterator[str]:
    """Yield version, title and when to use it."""
    yield f"{profile.version}  {profile.title}"
    yield _line("when to use", profile.when_to_use)


def standing(version: str, publication: ProfilePublication | None, approvals: int) -> str:
    """Return who stands for a version and whether that is enough.

    Parameters
    ----------
    approvals
        How many persons the site demands.
    """
    if shipped_version(version) is not None:
        return f"comes with dicomanon {__version__}"
    if publication is None:
        return "not published"
    return publication_line(publication) + (
        "" if publication.persons >= approvals else f"; {publication.persons} of {approvals} persons, not usable yet"
    )


def publication_line(publication: ProfilePublication) -> str:
    """Return who published and who approved a version, and when."""
    said = f"published by {publication.published_by} on {publication.published_at:%Y-%m-%d %H:%M}"
    for approval in publication.approvals:
        said += f", approved by {approval.approved_by} on {approval.approved_at:%Y-%m-%d %H:%M}"
    return said


def as_row(profile: Profile, publication: ProfilePublication | None, approvals: int) -> dict[str, Any]:
    """Return what a list of profiles tells of one, ready for JSON."""
    return {
        "version": profile.version,
        "name": profile.name,
        "title": profile.title,
        "when_to_use": profile.when_to_use,
        "options": list(profile.options),
        **_signed(profile.version, publication, approvals),
    }


def published_row(published: PublishedProfile, approvals: int) -> dict[str, Any]:
    """Return the row of a published profile, also of one that this release cannot use: it stays published."""
    publication = published.publication
    try:
        return as_row(opened(published), publication, approvals)
    except Fatal:
        content = json.loads(published.content)
        return {
            "version": publication.version,
            "name": publication.name,
            "title": content.get("title", ""),
            "when_to_use": f"not with this release; published with dicomanon {publication.code_version}",
            "options": content.get("options", []),
            **_signed(publication.version, publication, approvals),
        }


def _signed(version: str, publication: ProfilePublication | None, approvals: int) -> dict[str, Any]:
    return {
        "standing": standing(version, publication, approvals),
        "published_by": publication.published_by if publication else None,
        "published_at": publication.published_at.isoformat() if publication else None,
        "approvals": [
            {"approved_by": one.approved_by, "approved_at": one.approved_at.isoformat()}
            for one in (publication.approvals if publication else ())
        ],
    }


def explanation_lines(profile: Profile, found: Explanation, sop_class_uid: str | None) -> Iterator[str]:
    """Yield what happens to an attribute, which rule says so, and where the standard has it."""
    what = (found.keyword, found.name and f'"{found.name}"', found.vr, found.creator and f"of {found.creator}")
    yield " ".join((format_tag(found.tag), *filter(None, what)))
    yield _line("profile", profile.version)
    if sop_class_uid:
        yield _line("SOP class", sop_class_keyword(sop_class_uid))
    elif len(found.by_sop_class) > 1:
        yield _line(
            "SOP class", "none named, and it depends on it: this is the most frequent, --sop-class asks for one"
        )
    elif not found.tag >> 16 & 1:
        yield _line("SOP class", "none named: --sop-class asks for one")
    yield _line("what happens", f"it {found.effect} ({found.action})")
    yield _line("which rule", f"{found.rule} ({found.source})")
    yield _line("why", found.why)
    if found.paragraph:
        yield _line("standard", found.paragraph)
    cells = "".join(f"; {option} {cell}" for option, cell in found.cells)
    yield _line("Table E.1-1", f"Basic Profile {found.basic}{cells}" if found.basic else "has no row for it")
    if len(found.by_sop_class) > 1:
        counts = ", ".join(f"{count} {action}" for action, count in found.by_sop_class)
        yield _line("SOP classes", f"{counts}: --sop-class asks for one")
    if found.tag in PIXEL_DATA:
        yield _line("in them", _pixels(profile))
    for name in found.elsewhere:
        yield _line("otherwise", f"{name}: --sop-class, --modality and --path ask for it")


def _pixels(profile: Profile) -> str:
    """Return what happens inside of pixel data, which the rule of the attribute says nothing of."""
    faces = {"pass": "stay", "hold": "hold the object", "deface": "become air in whole series of CT and MR"}
    text = (
        "text that identifies is made black, all other pixels stay (clean-pixel-data)"
        if CLEAN_PIXEL_DATA in profile.options
        else "nothing changes; objects in which text is likely are held"
    )
    return f"{text}; faces {faces[profile.recognizable_visual_features]}; `dicomanon pixels check FILE` looks at one"


def as_yaml(profile: Profile) -> str:
    """Return a profile file that comes to the same version."""
    content = profile.model_dump(mode="json", exclude_none=True)
    # What is None by default is left out; what is None against its default has to be said.
    for field, value in profile.model_dump(mode="json").items():
        if value is None and Profile.model_fields[field].default is not None:
            content[field] = None
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}{text}"


def _said(value: object) -> str:
    if value is None:
        return "none"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)

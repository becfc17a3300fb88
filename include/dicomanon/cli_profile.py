"""``dicomanon profile``: look at the rules, check them, see what they do, and put them into force."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import is_site, signer, site_crosswalk, site_profile_name
from dicomanon.console import DONE, FATAL, PARTLY, err, out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.profiles import PublishedProfile
    from dicomanon.profile import Profile

profile_app = typer.Typer(
    help="The rules: what is de-identified, how, and who says so. A PROFILE is the name of a shipped one, NAME@HASH of"
    " a published one, or a YAML file.",
    no_args_is_help=True,
)

Named = Annotated[str, typer.Argument(metavar="PROFILE", help="Shipped name, NAME@HASH, or file.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Shipped name, NAME@HASH, or file.")]
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Profile file, YAML.")]
_EASILY_READ = 110

Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@profile_app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """Name the profiles that come with this release, and those that were published here."""
    from dicomanon.pipeline.profile_text import as_row, published_row
    from dicomanon.profile import load_profile, shipped_profiles

    in_force = _version_in_force()

    def told(row: dict[str, Any]) -> dict[str, Any]:
        row["in_force"] = row["version"] == in_force
        if not as_json:
            _show_row(row)
        return row

    # What comes with the release is shown also where the crosswalk does not answer.
    rows = [told(as_row(load_profile(name), None, _approvals())) for name in shipped_profiles()]
    if is_site():
        with site_crosswalk(Role.AUDITOR) as crosswalk:
            published = [published_row(one, _approvals()) for one in crosswalk.profiles.all()]
        rows += map(told, published)
    elif not as_json:
        err.print("no crosswalk here: only what comes with the release is shown")
    if as_json:
        out.print_json(json.dumps(rows))
    elif not any(row["in_force"] for row in rows):
        say(f"in force: {in_force or 'none that can be used'}, by DICOMANON_PROFILE={site_profile_name()}")


@profile_app.command("show")
def show(
    profile: Named,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As a profile file, to start your own from.")] = False,
    as_json: Json = False,
) -> None:
    """Show a whole profile: its options, its overrides, and who stands for it and why."""
    from dicomanon.crosswalk.audit.events import Subject, SubjectKind
    from dicomanon.pipeline import profile_text

    found, published = _found(profile)
    publication = published.publication if published else None
    if as_yaml:
        say(profile_text.as_yaml(found).rstrip("\n"))
        return
    if as_json:
        out.print_json(
            json.dumps(
                {**profile_text.as_row(found, publication, _approvals()), "profile": found.model_dump(mode="json")}
            )
        )
        return
    for line in (*profile_text.heading(found), *profile_text.summary(found)):
        _tell(line)
    say(f"  {'standing':<{profile_text.WIDTH}}{profile_text.standing(found.version, publication, _approvals())}")
    signatures = published.signatures if published else ()
    if signatures:
        subject = Subject(SubjectKind.PROFILE, found.version)
        with site_crosswalk(Role.AUDITOR) as crosswalk:
            crosswalk.releases.record_access(signer(), "profile.show", "reasons", len(signatures), subject=subject)
    for signature in signatures:
        say(f"  {'':<{profile_text.WIDTH}}{signature.who}: {signature.reason.reveal()}")


@profile_app.command("check")
def check(file: File) -> None:
    """Check a profile file; say what is wrong with it and where, or what it does."""
    from dicomanon.pipeline.profile_text import summary
    from dicomanon.pipeline.profiles import require_own_name
    from dicomanon.profile import load_profile
    from dicomanon.profile.checking import hints
    from dicomanon.profile.loading import ProfileRefused
    from dicomanon.profile.schema import place_name

    try:
        profile = load_profile(file)
    except ProfileRefused as refused:
        for problem in refused.problems:
            err.print(f"{file}: {problem}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(FATAL) from None
    try:
        require_own_name(profile)
    except Fatal as refused:
        err.print(f"{file}: name: {refused}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(FATAL) from None
    say(f"ok: {profile.version}")
    for place, hint in hints(profile):
        err.print(f"hint: {place_name(place)}: {hint}", markup=False, soft_wrap=True)
    for line in summary(profile):
        _tell(line)


@profile_app.command("diff")
def diff(
    first: Named,
    second: Named,
    every: Annotated[bool, typer.Option("--all", help="Name every attribute, not the first few of each kind.")] = False,
    as_json: Json = False,
) -> None:
    """Compare what two profiles do, attribute by attribute. Exit code 0: the same; 1: they differ."""
    from dataclasses import asdict

    from dicomanon.pipeline.diff_text import diff_lines
    from dicomanon.profile.comparing import compare

    (here, _), (there, _) = _found(first), _found(second)
    differences = compare(here, there)
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "first": here.version,
                    "second": there.version,
                    "differences": [asdict(one) for one in differences],
                }
            )
        )
    else:
        say(f"{here.version} and {there.version} do {'otherwise in:' if differences else 'the same'}")
        for line in diff_lines(differences, every=every):
            say(line)
    raise typer.Exit(PARTLY if differences else DONE)


@profile_app.command("explain")
def explain(
    attribute: Annotated[
        str, typer.Argument(help="Tag (0010,0010), keyword or name, or private attribute as CREATOR,GGGG,EE.")
    ],
    profile: ProfileOption = None,
    sop_class: Annotated[str | None, typer.Option(help="UID, keyword or name; compound codes depend on it.")] = None,
    modality: Annotated[str, typer.Option(help="Value of Modality, where an override asks for it.")] = "",
    path: Annotated[
        str, typer.Option(help="Sequences that it is in, from outside, as A > B; none is the main data set.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Tell what happens to an attribute, which rule says so, and where the standard has it."""
    from dataclasses import asdict

    from dicomanon.pipeline.profile_text import explanation_lines
    from dicomanon.profile.explaining import explain as explained

    tag, creator = _attribute(attribute)
    uid = _sop_class(sop_class)
    rules, _ = _found(profile or site_profile_name())
    found = explained(rules, tag, uid, modality.strip(), _path(path), creator)
    if as_json:
        out.print_json(
            json.dumps({
                **asdict(found), "tag": f"{tag >> 16:04X},{tag & 0xFFFF:04X}", "profile": rules.version,
                "sop_class": uid, "path": path,
            })
        )  # fmt: skip
        return
    for line in explanation_lines(rules, found, uid):
        _tell(line)


@profile_app.command("preview")
def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A DICOM file.")],
    profile: ProfileOption = None,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what stays as it is.")] = False,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show the values. PHI; who asked and why is recorded.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why the values are needed; kept in the audit trail.")] = "",
    as_json: Json = False,
) -> None:
    """Show what a profile would do to a real object, element by element.

    Nothing is written, and pseudonym, UIDs and date shift are made up for this one look.
    """
    from dicomanon.pipeline import preview as previewing
    from dicomanon.pipeline import preview_text
    from dicomanon.profile import compile_profile

    if show_values and not reason.strip():
        raise typer.BadParameter("say why: it is kept in the audit trail", param_hint="--reason")
    rules, _ = _found(profile or site_profile_name())
    if show_values:
        _record_that_values_are_shown(reason)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Fatal(f"the file cannot be read ({error.strerror})") from None
    seen = previewing.preview(raw, compile_profile(rules))
    if as_json:
        content = preview_text.as_json(rules.version, seen, changed_only=changed, show_values=show_values)
        out.print_json(json.dumps(content))
    else:
        preview_text.show(rules.version, seen, changed_only=changed, show_values=show_values)
    raise typer.Exit(PARTLY if seen.reason else DONE)


@profile_app.command("publish")
def publish(
    file: File,
    reason: Annotated[str, typer.Option(help="Why; kept with the profile for those who approve it.")],
) -> None:
    """Put a profile into the crosswalk for ever, under its version, so that DICOMANON_PROFILE can name it."""
    from dicomanon.pipeline.profiles import publish_profile
    from dicomanon.profile import load_profile

    profile = load_profile(file)
    with site_crosswalk(Role.ADMIN) as crosswalk:
        published, new = publish_profile(crosswalk, profile, actor=signer(), reason=reason)
    say(f"{profile.version} is {'published' if new else 'published already, nothing was changed'}")
    _say_standing(published)


@profile_app.command("approve")
def approve(
    version: Annotated[str, typer.Argument(help="NAME@HASH, as `dicomanon profile list` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the profile.")],
) -> None:
    """Stand for a published profile as a further person. Look at it first: `dicomanon profile show NAME@HASH`."""
    from dicomanon.pipeline.profiles import opened

    with site_crosswalk(Role.ADMIN) as crosswalk:
        found = crosswalk.profiles.find(version)
        if found is not None:
            opened(found)
        published, new = crosswalk.profiles.approve(version, actor=signer(), reason=reason)
    say(f"{version} is {'approved' if new else 'approved by you already, nothing was changed'}")
    _say_standing(published)


# -- what a word means -------------------------------------------------------------------------------------------------


def _attribute(text: str) -> tuple[int, str]:
    """Return tag and private creator, ``""`` for a public attribute."""
    import re

    from dicomanon.profile.explaining import is_private_creator
    from dicomanon.standard.names import attribute_named, similar_keywords

    tag = attribute_named(text)
    if tag is not None and tag >> 16 & 1 and not is_private_creator(tag):
        raise typer.BadParameter(
            "a private tag means something only with its creator: ask for"
            f' "CREATOR,{tag >> 16:04X},{tag & 0xFF:02X}", with what ({tag >> 16:04X},{tag >> 8 & 0xFF:04X}) holds'
            " for CREATOR; without a creator it is removed",
            param_hint="ATTRIBUTE",
        )
    if tag is not None:
        return tag, ""
    # From the right, since a creator may have a comma of its own.
    private = re.fullmatch(
        r"(?P<creator>.+?)\s*,\s*(?P<group>[0-9A-Fa-f]{4})\s*,\s*(?:[xX]{2})?(?P<element>[0-9A-Fa-f]{2})", text
    )
    if private and int(private["group"], 16) & 1:
        return int(private["group"], 16) << 16 | 0x1000 | int(private["element"], 16), private["creator"].strip()
    raise typer.BadParameter(f"no such attribute{_perhaps(similar_keywords(text))}", param_hint="ATTRIBUTE")


def _sop_class(text: str | None) -> str | None:
    from dicomanon.standard.names import similar_sop_classes, sop_class_named

    uid = sop_class_named(text) if text is not None else None
    if text is not None and uid is None:
        raise typer.BadParameter(f"no such SOP class{_perhaps(similar_sop_classes(text))}", param_hint="--sop-class")
    return uid


def _path(text: str) -> tuple[int, ...]:
    """Return the tags of the sequences that a path names."""
    from dicomanon.standard.dictionary import dictionary_vrs
    from dicomanon.standard.names import attribute_named, similar_keywords

    tags = []
    for part in filter(None, map(str.strip, text.split(">"))):
        tag = attribute_named(part)
        if tag is None:
            raise typer.BadParameter(f"no such attribute{_perhaps(similar_keywords(part))}", param_hint="--path")
        if not tag >> 16 & 1 and dictionary_vrs().get(tag) != "SQ":
            raise typer.BadParameter(f"{part} is no sequence", param_hint="--path")
        tags.append(tag)
    return tuple(tags)


def _perhaps(names: tuple[str, ...]) -> str:
    return f"; perhaps {' or '.join(names)}" if names else ""


# -- where things come from -------------------------------------------------------------------------------------------


def _found(wanted: str) -> tuple["Profile", "PublishedProfile | None"]:
    """Return a profile, and its publication where it was asked for by version; others need no crosswalk."""
    from dicomanon.pipeline.profiles import is_version, not_shipped, opened, shipped_version
    from dicomanon.profile import load_profile

    if not is_version(wanted):
        return load_profile(wanted), None
    shipped = shipped_version(wanted)
    if shipped is not None:
        return shipped, None
    if not is_site():
        raise Fatal(not_shipped(wanted))
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        published = crosswalk.profiles.find(wanted)
    if published is None:
        raise Fatal(f"no profile {wanted} comes with this release or is published: `dicomanon profile list` names them")
    return opened(published), published


def _version_in_force() -> str | None:
    """Return the version of the profile that the site works by, ``None`` if there is no such profile."""
    from dicomanon.pipeline.profiles import is_version
    from dicomanon.profile import load_profile

    wanted = site_profile_name()
    try:
        return wanted if is_version(wanted) else load_profile(wanted).version
    except Fatal:
        return None


def _approvals() -> int:
    from dicomanon.settings import CrosswalkSettings

    return CrosswalkSettings.load().profile_approvals if is_site() else 1


def _record_that_values_are_shown(reason: str) -> None:
    """Record an access, so that no value is shown that nobody knows of.

    Raises
    ------
    Fatal
        There is no crosswalk to record it in.
    """
    if not is_site():
        raise Fatal(
            "values are shown only where that is recorded, and there is no crosswalk here: "
            "leave out --show-values, or name your site with the DICOMANON_ variables"
        )
    with site_crosswalk(Role.REVIEWER) as crosswalk:
        crosswalk.releases.record_access(signer(), "profile.preview", reason, 1)


# -- how they are shown -----------------------------------------------------------------------------------------------


def _show_row(row: dict[str, Any]) -> None:
    say(f"{row['version']}  {row['title']}{'  (in force)' if row['in_force'] else ''}")
    for line in (row["when_to_use"], f"options: {', '.join(row['options']) or 'none'}", row["standing"]):
        say(_wrapped(f"  {line}", hanging=2))
    say()


def _wrapped(line: str, hanging: int) -> str:
    """Return a line broken between words, for as many columns as are read with ease."""
    import textwrap

    return textwrap.fill(
        line,
        min(out.width, _EASILY_READ),
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _tell(line: str) -> None:
    """Print a line of names and words; in a file or a pipe it stays one line."""
    from dicomanon.pipeline.profile_text import WIDTH

    say(_wrapped(line, hanging=WIDTH + 2) if out.is_terminal and line.startswith(" ") else line)


def _say_standing(published: "PublishedProfile") -> None:
    from dicomanon.pipeline.profile_text import standing

    version = published.publication.version
    say(f"  {standing(version, published.publication, _approvals())}")
    missing = _approvals() - published.publication.persons
    if missing > 0:
        say(f"  before it can be used: `dicomanon profile approve {version} --reason WHY`, by another person")
    else:
        say(f"  to use it, set DICOMANON_PROFILE={version}")

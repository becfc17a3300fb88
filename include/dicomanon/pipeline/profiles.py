"""Which rules the site works by: one place turns a setting into a profile, and refuses what nobody stands for."""

import json
import re

from dicomanon import __version__
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.profiles import PublishedProfile
from dicomanon.errors import DicomanonError, Fatal
from dicomanon.pipeline.runtime import Runtime
from dicomanon.profile import Profile, load_profile, shipped_profiles

_PUBLISHED = re.compile(r"[a-z][a-z0-9-]{0,31}@[0-9a-f]{6,64}")


def is_version(wanted: str) -> bool:
    """Tell whether a text names a version, such as ``site@0123456789ab``, rather than a shipped profile or a file."""
    return _PUBLISHED.fullmatch(wanted) is not None


def site_profile(runtime: Runtime) -> Profile:
    """Return the profile that the site's settings name; the contract is :func:`resolve_profile`'s."""
    settings = runtime.settings
    return resolve_profile(settings.profile, runtime.crosswalk, settings.profile_approvals)


def resolve_profile(wanted: str, crosswalk: Crosswalk, approvals: int = 1) -> Profile:
    """Return the profile that objects may be made by.

    Parameters
    ----------
    wanted
        Name of a shipped profile, ``NAME@HASH`` of a shipped or published one, or the path of a file.
    approvals
        How many persons must stand for a profile that does not come with the release. From 2 on a file is used only
        if its very content is published and approved.

    Raises
    ------
    Fatal
        There is no such profile, it is not what was published, or too few persons stand for it.
    """
    profile = find_profile(wanted, crosswalk)
    if _is_shipped(profile) or (approvals < 2 and not is_version(wanted)):  # noqa: PLR2004 - one person: who sets it
        return profile
    published = crosswalk.profiles.find(profile.version)
    if published is None:
        raise Fatal(
            f"profile {profile.version} is not published, as this site demands: "
            "`dicomanon profile publish FILE --reason WHY`"
        )
    persons = published.publication.persons
    if persons < approvals:
        raise Fatal(
            f"{persons} of {approvals} persons stand for profile {profile.version}: another one has to run "
            f"`dicomanon profile approve {profile.version} --reason WHY`"
        )
    return profile


def require_profile_name(wanted: str) -> None:
    """Refuse what no profile can have as its name, as far as that can be told without the crosswalk.

    Raises
    ------
    Fatal
        It is no version, and neither a shipped profile nor a profile file that can be used.
    """
    if not is_version(wanted):
        load_profile(wanted)


def find_profile(wanted: str, crosswalk: Crosswalk) -> Profile:
    """Return a profile by name, version or file, approved or not: to be looked at.

    Raises
    ------
    Fatal
        There is no such profile, or a published one is not usable with this release.
    """
    if not is_version(wanted):
        return load_profile(wanted)
    shipped = shipped_version(wanted)
    if shipped is not None:
        return shipped
    published = crosswalk.profiles.find(wanted)
    if published is None:
        raise Fatal(f"no profile {wanted} comes with this release or is published: `dicomanon profile list` names them")
    return opened(published)


def shipped_version(version: str) -> Profile | None:
    """Return the profile of this release that has just this version."""
    name = version.partition("@")[0]
    if name not in shipped_profiles():
        return None
    profile = load_profile(name)
    return profile if profile.version == version else None


def not_shipped(version: str) -> str:
    """Return what to say of a version that this release does not have, where there is no crosswalk to look in."""
    name = version.partition("@")[0]
    if name in shipped_profiles():
        shipped = load_profile(name).version
        return (
            f"{version} is not shipped with this release, which has {shipped}: ask for that one, "
            "or install the release that had the other"
        )
    return (
        f"{version} is not shipped with this release, and there is no crosswalk here that it could be published in: "
        "run this where the DICOMANON_ variables name your site, start a local stack with `make demo`, "
        "or give the profile's file"
    )


def opened(published: PublishedProfile) -> Profile:
    """Return a published profile as this release reads it.

    Raises
    ------
    Fatal
        This release would do something else by it than the one that published it: other tables, or another form.
    """
    version = published.publication.version
    advice = (
        f"profile {version} was published with dicomanon {published.publication.code_version} and means something "
        f"else to {__version__}: check its file again, compare with `dicomanon profile diff`, publish it anew"
    )
    try:
        profile = Profile.model_validate_json(published.content)
    except (ValueError, DicomanonError):
        raise Fatal(advice) from None
    if profile.version != version:
        raise Fatal(advice)
    return profile


def content_of(profile: Profile) -> str:
    """Return the whole profile, its texts for people included, as canonical JSON."""
    return json.dumps(profile.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def publish_profile(
    crosswalk: Crosswalk, profile: Profile, *, actor: str, reason: str
) -> tuple[PublishedProfile, bool]:
    """Publish a profile; return it as it stands in the crosswalk, and whether it is new there.

    Raises
    ------
    Fatal
        It comes with the release, or has the name of one that does; or actor or reason is empty.
    """
    if _is_shipped(profile):
        raise Fatal(f"profile {profile.version} comes with this release: it needs no publishing")
    require_own_name(profile)
    content = content_of(profile)
    if Profile.model_validate_json(content).version != profile.version:
        raise Fatal(f"profile {profile.version} would not be read as it was written: a defect, please report it")
    return crosswalk.profiles.publish(profile.version, content, actor=actor, reason=reason, code_version=__version__)


def require_own_name(profile: Profile) -> None:
    """Refuse a profile that has the name of one that comes with the release, and is another.

    Raises
    ------
    Fatal
        Objects made by it would look like those of the release's.
    """
    if profile.name in shipped_profiles() and not _is_shipped(profile):
        raise Fatal(f"{profile.name} is a profile of the release: give yours a name of its own")


def _is_shipped(profile: Profile) -> bool:
    return shipped_version(profile.version) is not None

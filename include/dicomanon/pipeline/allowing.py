"""Tells the validator what a profile lets stay: neither of the two rooms knows the other."""

from collections.abc import Iterator

from dicomanon.profile import Profile
from dicomanon.profile.options import BY_SWITCH
from dicomanon.profile.overrides import ANY_ELEMENT, place_override
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.overrides import Allowance, Effect

_EFFECTS = {"keep": Effect.KEPT, "remove": Effect.REMOVED}


def allowed_attributes(profile: Profile) -> AllowedAttributes:
    """Return what objects made by ``profile`` may hold."""
    return AllowedAttributes.for_options(
        {*profile.options, *(BY_SWITCH if profile.defaces else ())},
        _allowances(profile),
        maximum_age=profile.maximum_age,
        trusts_blocks=profile.trust_block_identifying_information,
    )


def _allowances(profile: Profile) -> Iterator[Allowance]:
    for at, override in enumerate(profile.overrides):
        placed = place_override(override, ("overrides", at))
        effect = _EFFECTS.get(override.action, Effect.CLEANED)
        path, sop_class, modality = placed.path or (), override.sop_class or "", override.modality or ""
        if placed.private is None:
            yield Allowance(effect, placed.tag, path=path, sop_class_uid=sop_class, modality=modality)
            continue
        creator, group, number = placed.private
        byte = None if number == ANY_ELEMENT else number
        yield Allowance(
            effect,
            creator=creator,
            group=group,
            byte=byte,
            path=path,
            sop_class_uid=sop_class,
            modality=modality,
        )

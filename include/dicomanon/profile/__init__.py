"""What to do with each attribute: profiles, their files, and the rule per tag that they come to for a SOP class."""

from dicomanon.profile.actions import Action, AttributeRule, LevelRules, TextKind
from dicomanon.profile.compiler import CompiledProfile, compile_profile
from dicomanon.profile.loading import load_profile, shipped_profiles
from dicomanon.profile.schema import Profile

__all__ = [
    "Action",
    "AttributeRule",
    "CompiledProfile",
    "LevelRules",
    "Profile",
    "TextKind",
    "compile_profile",
    "load_profile",
    "shipped_profiles",
]

"""What to do with each attribute: profiles, their files, and the action per tag that they come to for a SOP class."""

from dicomanon.profile.actions import Action, AttributeRule
from dicomanon.profile.compiler import CompiledProfile, SopClassActions, compile_profile
from dicomanon.profile.loading import load_profile, shipped_profiles
from dicomanon.profile.schema import Profile

__all__ = [
    "Action",
    "AttributeRule",
    "CompiledProfile",
    "Profile",
    "SopClassActions",
    "compile_profile",
    "load_profile",
    "shipped_profiles",
]

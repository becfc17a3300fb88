"""Finds and reads profile files."""

from pathlib import Path

import yaml
from pydantic import ValidationError

import dicomanon
from dicomanon.errors import Fatal
from dicomanon.profile.schema import Profile

SUFFIX = ".yaml"


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
        There is no such profile, the file does not have the form of :class:`Profile`, or it asks for an option that
        the engine does not carry out.
    """
    text = str(name_or_path)
    path = _shipped_folder() / f"{text}{SUFFIX}" if text in shipped_profiles() else Path(text)
    if path.suffix not in {SUFFIX, ".yml"} or not path.is_file():
        raise Fatal(
            f"no profile {text!r}; shipped are {', '.join(shipped_profiles())}, or give the path of a YAML file"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Fatal(f"profile {text!r} cannot be read as YAML ({type(error).__name__})") from None
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise Fatal(f"profile {text!r} is not usable: {problems}") from None

"""Reads YAML together with the line and column of everything in it."""

from dataclasses import dataclass
from typing import Any

import yaml

from dicomanon.profile.schema import Place

Position = tuple[int, int]
"""Line and column, both from 1."""

_TYPED_KEYS = frozenset({"maximum_age", "trust_block_identifying_information"})
"""Whose scalars are numbers and booleans; all others are text, however YAML would read ``0010,0020`` or ``no``."""
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp"))
_MOST_NODES = 20_000


class NotReadable(ValueError):
    """Text that is no YAML, or YAML of a kind that a profile has no use for."""

    def __init__(self, message: str, position: Position, place: Place = ()) -> None:
        super().__init__(message)
        self.position = position
        self.place = place


@dataclass(frozen=True, slots=True)
class Located:
    """Content of a file and where each of its places starts.

    Attributes
    ----------
    keys
        Position of a place's key, or of the list item.
    """

    content: Any
    keys: dict[Place, Position]

    def position(self, place: Place) -> Position:
        """Return where a place is, or the nearest place around it that the file has."""
        while place not in self.keys and place:
            place = place[:-1]
        return self.keys.get(place, (1, 1))


def read_located(text: str) -> Located:
    """Read one YAML document.

    Raises
    ------
    NotReadable
        It cannot be read, has a key twice, an alias, or an explicit type.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotReadable("not YAML from here on", _position(mark)) from None
    except (yaml.YAMLError, RecursionError):
        raise NotReadable("not YAML", (1, 1)) from None
    keys: dict[Place, Position] = {}
    content = _content(root, (), keys, set()) if root is not None else None
    return Located(content, keys)


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _content(node: yaml.Node, place: Place, keys: dict[Place, Position], seen: set[int]) -> Any:
    position = _position(node.start_mark)
    keys.setdefault(place, position)
    if id(node) in seen:
        raise NotReadable("aliases are not allowed: write it out", position, place)
    seen.add(id(node))
    if len(seen) > _MOST_NODES:
        raise NotReadable("too long for a profile", position, place)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, keys, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_content(item, (*place, index), keys, seen) for index, item in enumerate(node.value)]
    if node.tag not in _PLAIN_TAGS:
        raise NotReadable("explicit types are not allowed", position, place)
    typed = place and place[-1] in _TYPED_KEYS
    return yaml.SafeLoader("").construct_object(node) if typed else node.value


def _mapping(node: yaml.MappingNode, place: Place, keys: dict[Place, Position], seen: set[int]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in node.value:
        position = _position(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise NotReadable("a key is a word", position, place)
        if key.value in content:
            raise NotReadable("this key is there twice", position, (*place, key.value))
        keys[*place, key.value] = position
        content[key.value] = _content(value, (*place, key.value), keys, seen)
    return content

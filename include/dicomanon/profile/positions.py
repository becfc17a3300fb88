"""Reads YAML together with the line and column of everything in it."""

import re
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
_SAID = (
    (r"character '\\t'", "a tab: YAML wants blanks"),
    (r"that cannot start any token", "a text that starts with this sign has to be in quotes"),
    (
        r"mapping values are not allowed",
        "a text with a colon and a blank in it has to be in quotes, and a key starts in the column of those beside it",
    ),
    (r"undefined alias", "aliases are not allowed: write it out; a text that starts with * has to be in quotes"),
    (r"undefined tag", "explicit types are not allowed; a text that starts with ! has to be in quotes"),
    (r"escape character", "a backslash in double quotes means something else: use single quotes"),
    (r"another document", "one document is wanted: no line --- between"),
    (r"expected ':'", "a key has a colon and a blank behind it"),
    (r"expected <block end>", "this does not go on what is above it: the column is another, or a quote ends too early"),
)
"""What to say where the parser's own words fit the pattern; its words may quote the file."""


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
        raise _not_yaml(error, text) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = before.count("\n") + 1, error.position - before.rfind("\n")
        raise NotReadable("a character that YAML does not allow", position) from None
    except (yaml.YAMLError, RecursionError):
        raise NotReadable("not YAML", (1, 1)) from None
    keys: dict[Place, Position] = {}
    content = _content(root, (), keys, set()) if root is not None else None
    return Located(content, keys)


def _not_yaml(error: yaml.MarkedYAMLError, text: str) -> NotReadable:
    """Return what is wrong in words of ours: those of the parser speak of tokens, and quote the file."""
    mark = error.problem_mark or error.context_mark
    said = next((words for pattern, words in _SAID if re.search(pattern, error.problem or "")), "")
    opened = _open_bracket(text)
    if "unexpected end of stream" in (error.problem or ""):
        return NotReadable("the quote that opens here is not closed", _position(error.context_mark))
    if opened is not None and (not said or "flow" in (error.context or "")):
        return NotReadable(
            f"the bracket that opens here is not closed, or a comma is missing, before line {mark.line + 1}"
            if mark is not None and mark.line > opened.line
            else "the bracket that opens here is not closed, or a comma is missing",
            _position(opened),
        )
    return NotReadable(said or "not YAML from here on", _position(mark))


def _open_bracket(text: str) -> Any:
    """Return where the innermost bracket opens that is open where the text cannot be read any further."""
    opened = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                opened.append(token.start_mark)
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) and opened:
                opened.pop()
    except yaml.YAMLError:
        pass
    return opened[-1] if opened else None


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

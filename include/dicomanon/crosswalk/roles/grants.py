"""Reads ``grants.toml``: who may do what in the crosswalk, as a set of single privileges."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from typing import Any

from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

SCHEMAS = ("crosswalk", "research")
"""What is granted in; every relation and function there has an entry, if only to say that nobody may."""

_PRIVILEGE = re.compile(r"(\w+)(?:\((\w+(?:, *\w+)*)\))?")


class Kind(StrEnum):
    """What a privilege is about, as GRANT names it."""

    DATABASE = "DATABASE"
    SCHEMA = "SCHEMA"
    TABLE = "TABLE"
    SEQUENCE = "SEQUENCE"
    FUNCTION = "FUNCTION"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One privilege of one grantee.

    Attributes
    ----------
    target
        Qualified by its schema; a function with its argument types; empty for the database that one is in.
    column
        Empty for a privilege on the whole.
    grantee
        A role of the server; empty for PUBLIC.
    """

    kind: Kind
    target: str
    column: str
    privilege: str
    grantee: str


@dataclass(frozen=True, slots=True)
class Grants:
    """What the file says.

    Attributes
    ----------
    grants
        What is listed by name.
    every_sequence
        What holds for each sequence that the schemas have, as a grant without a target.
    relations, functions
        What has an entry: tables, views and functions, qualified.
    """

    grants: frozenset[Grant]
    every_sequence: frozenset[Grant]
    relations: frozenset[str]
    functions: frozenset[str]

    @classmethod
    def load(cls) -> "Grants":
        """Read the file that comes with this version.

        Raises
        ------
        Fatal
            It names a role that there is not, or is no list of privileges.
        """
        text = resources.files("dicomanon.crosswalk.roles").joinpath("grants.toml").read_text("utf-8")
        return cls.of(tomllib.loads(text))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Grants":
        """Understand the content of such a file.

        Raises
        ------
        Fatal
            As :meth:`load`.
        """
        everything = content.get("every_table", {})
        found: set[Grant] = set()
        found.update(_of_roles(Kind.DATABASE, "", content.get("database", {})))
        for schema, roles in content.get("schemas", {}).items():
            found.update(_of_roles(Kind.SCHEMA, schema, {role: ["USAGE"] for role in roles}))
        for table, roles in content.get("tables", {}).items():
            found.update(_of_roles(Kind.TABLE, table, everything | roles))
        for view, roles in content.get("views", {}).items():
            found.update(_of_roles(Kind.TABLE, view, roles))
        for sequence, roles in content.get("sequences", {}).items():
            found.update(_of_roles(Kind.SEQUENCE, sequence, roles))
        for function, roles in content.get("functions", {}).items():
            found.update(_of_roles(Kind.FUNCTION, function, {role: ["EXECUTE"] for role in roles}))
        return cls(
            grants=frozenset(found),
            every_sequence=frozenset(_of_roles(Kind.SEQUENCE, "", content.get("every_sequence", {}))),
            relations=frozenset(content.get("tables", {}).keys() | content.get("views", {}).keys()),
            functions=frozenset(content.get("functions", {})),
        )

    def wanted(self, sequences: Iterable[str]) -> frozenset[Grant]:
        """Return the privileges that a database with these sequences is to have."""
        return self.grants | {replace(grant, target=name) for name in sequences for grant in self.every_sequence}


def _of_roles(kind: Kind, target: str, roles: Mapping[str, list[str]]) -> Iterator[Grant]:
    for name, privileges in roles.items():
        if name not in set(Role):
            raise Fatal(f"grants.toml: there is no role {name}")
        for text in privileges:
            match = _PRIVILEGE.fullmatch(text)
            if not match:
                raise Fatal(f"grants.toml: {target} of {name} is no privilege: {text}")
            for column in re.split(", *", match[2]) if match[2] else [""]:
                yield Grant(kind, target, column, match[1], Role(name).group)

"""OpenLineage's official form of events, as JSON schemas made from the client's classes.

OpenLineage generates these classes from its schema files (OpenLineage.json 2-0-2 and one file a facet), which the
client does not ship. Each class names the file and the definition that it was made from, which is how the schema of a
facet is found by its ``_schemaURL``. Stricter than the files in one way: what the official form does not name is
refused.
"""

import json
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from enum import EnumType
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from urllib.parse import urlparse

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import generated
from openlineage.client.event_v2 import RunEvent
from openlineage.client.generated.base import BaseFacet
from referencing import Registry, Resource

_FORMATS = {
    "runId": "uuid",
    "eventTime": "date-time",
    "nominalStartTime": "date-time",
    "nominalEndTime": "date-time",
    "producer": "uri",
    "_producer": "uri",
    "schemaURL": "uri",
    "_schemaURL": "uri",
}
_ALWAYS = {"producer", "_producer", "schemaURL", "_schemaURL"}
"""Required in the files; the classes have a default for them."""
_PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number"}
_CHECKER = FormatChecker(formats=("uuid",))
_BASE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"


@_CHECKER.checks("date-time", ValueError)
def _is_date_time(value: Any) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None


@_CHECKER.checks("uri", ValueError)
def _is_uri(value: Any) -> bool:
    return bool(urlparse(value).scheme)


def _class_schema(of: type) -> dict[str, Any]:
    hints = typing.get_type_hints(of)
    return {
        "type": "object",
        "properties": {
            one.name: _schema(hints[one.name]) | ({"format": _FORMATS[one.name]} if one.name in _FORMATS else {})
            for one in attr.fields(of)
        },
        "required": [one.name for one in attr.fields(of) if one.default is attr.NOTHING or one.name in _ALWAYS],
        "additionalProperties": False,
    }


def _schema(of: Any) -> dict[str, Any]:
    if attr.has(of):
        return _class_schema(of)
    if isinstance(of, EnumType):
        return {"enum": [one.value for one in of]}
    if of in _PLAIN:
        return {"type": _PLAIN[of]}
    origin, arguments = typing.get_origin(of), typing.get_args(of)
    if origin in {types.UnionType, typing.Union}:
        return {"anyOf": [_schema(one) for one in arguments if one is not types.NoneType]}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    return _map_schema(arguments[1]) if origin is dict else {}


def _map_schema(values: Any) -> dict[str, Any]:
    # Facets are checked one by one, each by the schema that it names.
    facets = isinstance(values, type) and issubclass(values, BaseFacet)
    return {"type": "object", "additionalProperties": {"type": "object"} if facets else _schema(values)}


def _official_facets() -> dict[str, type[BaseFacet]]:
    found: dict[str, type[BaseFacet]] = {}
    for module in iter_modules(generated.__path__):
        for value in vars(import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, BaseFacet):
                found[value._get_schema()] = value
    return found


def _own_facets() -> Iterator[dict[str, Any]]:
    for file in (resources.files("dicomanon.openlineage") / "schemas").iterdir():
        yield json.loads(file.read_text())


def _registry() -> "Registry[Any]":
    """Our own schemas, and the base that they build on."""
    base = {"$id": _BASE, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    facet = _schema(BaseFacet) | {"additionalProperties": True}
    known = [base | {"$defs": {"RunFacet": facet}}, *_own_facets()]
    return Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in known])


_EVENT = Draft202012Validator(_schema(RunEvent), format_checker=_CHECKER)
_OFFICIAL = _official_facets()
_REGISTRY = _registry()
OWN = frozenset(f"{one['$id']}#/$defs/{name}" for one in _own_facets() for name in one["$defs"])
"""The URLs of our own schemas."""


@cache
def _facet(url: str) -> Draft202012Validator | None:
    if url in OWN:
        return Draft202012Validator({"$ref": url}, registry=_REGISTRY, format_checker=_CHECKER)
    if url in _OFFICIAL:
        return Draft202012Validator(_schema(_OFFICIAL[url]), format_checker=_CHECKER)
    return None


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for holder in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(kind, {}).items()


def faults(event: dict[str, Any]) -> list[str]:
    """Return in what an event is not as OpenLineage's schema, and ours for our facets, say."""
    found = [f"{error.json_path}: {error.message}" for error in _EVENT.iter_errors(event)]
    for name, facet in facets_of(event):
        validator = _facet(facet.get("_schemaURL", ""))
        if validator is None:
            found.append(f"{name}: nobody's schema")
        else:
            found += [f"{name}{error.json_path[1:]}: {error.message}" for error in validator.iter_errors(facet)]
    return found


def events_in(folder: Path) -> list[dict[str, Any]]:
    """Return every event of a folder, loaded or not, in the order of the files."""
    files = [*sorted((folder / "loaded").glob("*.jsonl")), *sorted((folder / "waiting").glob("*.jsonl"))]
    lines = [line for file in (*files, folder / "events.jsonl") if file.exists() for line in file.open()]
    return [json.loads(line) for line in lines]

"""What de-identified objects say of themselves: one row for all objects of a series that say the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from uuid import UUID

from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Retriable

ResearchFacts = Mapping[str, str | int | float]
"""Values by DICOM keyword, of an object that may be released; what the object does not tell is not in it."""

Key = tuple[UUID, bytes]
"""Series, and digest of what its objects say."""


def key_of(series_id: UUID, facts: ResearchFacts) -> Key:
    """Return what a row is found by."""
    return series_id, hashlib.sha256(_canonical(facts).encode()).digest()


def rows_for(connection: Connection, wanted: Iterable[tuple[UUID, ResearchFacts]]) -> dict[Key, int]:
    """Return the row of each distinct key, locked against its removal; what is missing is added in one go.

    Raises
    ------
    Retriable
        Objects of the series were removed meanwhile, and with the last of them the row.
    """
    texts = {key_of(series_id, facts): _canonical(facts) for series_id, facts in wanted}
    # In one order everywhere, so that two batches that bring the same facts never wait for each other in a circle.
    keys = sorted(texts)
    columns = [series_id for series_id, _ in keys], [digest for _, digest in keys]
    connection.execute(
        "INSERT INTO crosswalk.research_facts (series_id, digest, facts)"
        " SELECT series_id, digest, facts::jsonb FROM unnest(%s::uuid[], %s::bytea[], %s::text[])"
        " AS new (series_id, digest, facts) ORDER BY series_id, digest ON CONFLICT DO NOTHING",
        (*columns, [texts[key] for key in keys]),
    )
    rows = connection.execute(
        "SELECT f.series_id, f.digest, f.id FROM crosswalk.research_facts f"
        " JOIN unnest(%s::uuid[], %s::bytea[]) AS new (series_id, digest)"
        " ON f.series_id = new.series_id AND f.digest = new.digest ORDER BY f.id FOR KEY SHARE OF f",
        columns,
    ).fetchall()
    found = {(series_id, digest): row for series_id, digest, row in rows}
    if len(found) != len(keys):
        raise Retriable("objects of the series were removed meanwhile: what the others say is entered anew")
    return found


def facts_of_release(session: Session, release_id: UUID) -> dict[int, tuple[ResearchFacts | None, bool]]:
    """Return by instance what each object of a release says, and whether validation has passed just these bytes.

    ``None`` stands for objects from before there were facts.
    """
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT facts, passed, instances FROM crosswalk.facts_of_release(%s)", (release_id,)
        ).fetchall()
    return {instance: (facts, bool(passed)) for facts, passed, instances in rows for instance in instances}


def _canonical(facts: ResearchFacts) -> str:
    return json.dumps(dict(facts), sort_keys=True, separators=(",", ":"))

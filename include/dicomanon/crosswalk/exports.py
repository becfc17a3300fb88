"""Gives the maps out in clear, to whoever may have them, and only after saying so in the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.sealed import open_identity, open_phi
from dicomanon.crosswalk.session import Session
from dicomanon.values import Phi, Pseudonym, ResearchUid

UidRow = tuple[Phi[str], ResearchUid]
PatientRow = tuple[Phi[str], Pseudonym]

_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class _Map:
    """Where source UIDs of one level are; rows come in pages by key, so that no transaction stays open for long."""

    column: str
    before_first: UUID | int
    page: LiteralString


_NO_UUID = UUID(int=0)
_MAPS = (
    _Map(
        "study.uid",
        _NO_UUID,
        "SELECT id, uid_sealed, research_study_uid, id, key_wrapped FROM crosswalk.study"
        " WHERE research_study_uid IS NOT NULL AND key_destroyed_at IS NULL AND id > %s ORDER BY id LIMIT %s",
    ),
    _Map(
        "series.uid",
        _NO_UUID,
        "SELECT se.id, se.uid_sealed, se.research_series_uid, st.id, st.key_wrapped"
        " FROM crosswalk.series se JOIN crosswalk.study st ON st.id = se.study_id"
        " WHERE se.research_series_uid IS NOT NULL AND st.key_destroyed_at IS NULL AND se.id > %s"
        " ORDER BY se.id LIMIT %s",
    ),
    _Map(
        "instance.uid",
        0,
        "SELECT i.id, i.uid_sealed, i.research_sop_uid, st.id, st.key_wrapped"
        " FROM crosswalk.instance i JOIN crosswalk.study st ON st.id = i.study_id"
        " WHERE i.research_sop_uid IS NOT NULL AND st.key_destroyed_at IS NULL AND i.id > %s"
        " ORDER BY i.id LIMIT %s",
    ),
)
_PATIENTS: LiteralString = (
    "SELECT id, identity_sealed, pseudonym, id, key_wrapped FROM crosswalk.patient"
    " WHERE key_destroyed_at IS NULL AND id > %s ORDER BY id LIMIT %s"
)


class Exports:
    """Re-identification in bulk."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def maps(self, actor: str, reason: str) -> tuple[Iterator[UidRow], Iterator[PatientRow]]:
        """Return the UID map (study, series, SOP instance) and the patient map, source value first.

        What was destroyed is in neither.

        The access event is committed before this returns, so that it stands whatever becomes of the reader.

        Parameters
        ----------
        actor, reason
            Who reads the maps, and why.

        Raises
        ------
        Fatal
            Actor or reason is empty.
        """
        with self._session.transaction() as connection:
            row = connection.execute("SELECT count(*) FROM crosswalk.patient").fetchone()
            record_access_event(
                connection, self._session.keys.site, actor, "export maps", reason, count=row[0] if row else 0
            )
        return self._uid_rows(), self._patient_rows()

    def _uid_rows(self) -> Iterator[UidRow]:
        keys = self._session.keys
        for source in _MAPS:
            for row, sealed, research_uid, study, wrapped in self._pages(source.page, source.before_first):
                yield open_phi(keys.of("study", study, wrapped), source.column, row, sealed), ResearchUid(research_uid)

    def _patient_rows(self) -> Iterator[PatientRow]:
        for row, sealed, pseudonym, patient, wrapped in self._pages(_PATIENTS, _NO_UUID):
            identity = open_identity(self._session.keys.of("patient", patient, wrapped), row, sealed)
            yield Phi(identity.patient_id), Pseudonym(pseudonym)

    def _pages(self, query: LiteralString, after: UUID | int) -> Iterator[tuple[UUID, bytes, str, UUID, bytes | None]]:
        while True:
            with self._session.transaction() as connection:
                rows = connection.execute(query, (after, _ROWS_AT_ONCE)).fetchall()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

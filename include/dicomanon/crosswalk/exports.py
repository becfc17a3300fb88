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
        "SELECT id, uid_sealed, research_study_uid FROM crosswalk.study"
        " WHERE research_study_uid IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
    ),
    _Map(
        "series.uid",
        _NO_UUID,
        "SELECT id, uid_sealed, research_series_uid FROM crosswalk.series"
        " WHERE research_series_uid IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
    ),
    _Map(
        "instance.uid",
        0,
        "SELECT id, uid_sealed, research_sop_uid FROM crosswalk.instance"
        " WHERE research_sop_uid IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
    ),
)
_PATIENTS: LiteralString = (
    "SELECT id, identity_sealed, pseudonym FROM crosswalk.patient WHERE id > %s ORDER BY id LIMIT %s"
)


class Exports:
    """Re-identification in bulk."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def maps(self, actor: str, reason: str) -> tuple[Iterator[UidRow], Iterator[PatientRow]]:
        """Return the UID map (study, series, SOP instance) and the patient map, source value first.

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
                connection, self._session.keyring, actor, "export maps", reason, count=row[0] if row else 0
            )
        return self._uid_rows(), self._patient_rows()

    def _uid_rows(self) -> Iterator[UidRow]:
        keyring = self._session.keyring
        for source in _MAPS:
            for row, sealed, research_uid in self._pages(source.page, source.before_first):
                yield open_phi(keyring, source.column, row, sealed), ResearchUid(research_uid)

    def _patient_rows(self) -> Iterator[PatientRow]:
        for row, sealed, pseudonym in self._pages(_PATIENTS, _NO_UUID):
            identity = open_identity(self._session.keyring, row, sealed)
            yield Phi(identity.patient_id), Pseudonym(pseudonym)

    def _pages(self, query: LiteralString, after: UUID | int) -> Iterator[tuple[UUID, bytes, str]]:
        while True:
            with self._session.transaction() as connection:
                rows = connection.execute(query, (after, _ROWS_AT_ONCE)).fetchall()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

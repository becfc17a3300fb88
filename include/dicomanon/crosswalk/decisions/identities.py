"""The door to identity events and what people decide about them."""

from collections.abc import Sequence
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.decisions import events, merging
from dicomanon.crosswalk.decisions.rows import Decided, KeyChange, OpenReissue, ShownEvent, Signed
from dicomanon.crosswalk.identity_events import identity_events
from dicomanon.crosswalk.people import known_identities
from dicomanon.crosswalk.rows import IdentityEvent
from dicomanon.crosswalk.sealed import open_phi
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.identity import PatientIdentity
from dicomanon.values import Phi, Pseudonym

_MOST_STUDIES = 20


class Identities:
    """Identity events and decisions; every decision is a row for ever, is signed, and takes one event once.

    What is held for an event that a decision settles goes back to ``discovered``; the next run takes it up.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def events(self, *, open_only: bool = True) -> list[IdentityEvent]:
        """Return events, oldest first; values stay sealed."""
        with self._session.transaction() as connection:
            return identity_events(connection, open_only=open_only)

    def show(self, event_id: UUID, *, actor: str, reason: str) -> ShownEvent:
        """Say that somebody looks at an event, and only then what is in it.

        Raises
        ------
        Fatal
            There is no such event, its values were destroyed with the keys of its patient, or actor or reason is
            empty.
        """
        keys = self._session.keys
        with self._session.transaction() as connection:
            event = self._event(connection, event_id)
            record_access_event(
                connection,
                keys.site,
                actor,
                "identity.show",
                reason,
                count=1,
                subject=self._subject(connection, event),
            )
        with self._session.transaction() as connection:
            row = events.event_row(connection, keys, event_id)
            sides: list[tuple[Pseudonym | None, tuple[PatientIdentity, ...]]] = []
            for patient_id in (row.patient_id, row.other_patient_id):
                found = connection.execute(
                    "SELECT s.id, s.pseudonym, s.key_destroyed_at IS NULL FROM crosswalk.patient p"
                    " JOIN crosswalk.patient s ON s.id = p.survivor_id WHERE p.id = %s",
                    (patient_id,),
                ).fetchone()
                readable = [found[0]] if found and found[2] else []
                known = known_identities(connection, keys, readable).get(found[0], ()) if found else ()
                sides.append((Pseudonym(found[1]) if found else None, known))
            studies = connection.execute(
                "SELECT id, uid_sealed, key_wrapped FROM crosswalk.study WHERE (id IN (%s, %s) OR id IN (SELECT"
                " i.study_id FROM crosswalk.identity_event_instance l JOIN crosswalk.instance i ON i.id = l.instance_id"
                " WHERE l.event_id = %s)) AND key_destroyed_at IS NULL ORDER BY first_observed_at, id LIMIT %s",
                (event.study_id, event.other_study_id, event_id, _MOST_STUDIES),
            ).fetchall()
        (pseudonym, known), (other_pseudonym, other) = sides
        return ShownEvent(
            event=event,
            pseudonym=pseudonym,
            other_pseudonym=other_pseudonym,
            known=Phi(known),
            other=Phi(other),
            seen=Phi(row.seen),
            study_uids=tuple(
                open_phi(keys.of("study", study_id, wrapped), "study.uid", study_id, sealed)
                for study_id, sealed, wrapped in studies
            ),
        )

    def _subject(self, connection: Connection, event: IdentityEvent) -> Subject | None:
        if event.patient_id is None:
            return None
        return Subject(SubjectKind.PSEUDONYM, merging.pseudonym_of(connection, event.patient_id))

    def _event(self, connection: Connection, event_id: UUID) -> IdentityEvent:
        found = identity_events(connection, event_id=event_id)
        if not found:
            raise Fatal("no such identity event: `dicomanon identity list` names them")
        return found[0]

    def merge(self, pseudonyms: Sequence[str], signed: Signed, *, keep: str | None = None) -> Decided:
        """Say that two patients are one person.

        From now on either Patient ID leads to the survivor: the older pseudonym, unless ``keep`` names the other. What
        is known of both is known of the person. A study keeps the pseudonym and the date shift that it has, also for
        objects that come later: a study is of one patient (PS3.3 A.1.2). Events that were about these two being two are
        settled.

        Raises
        ------
        Fatal
            A pseudonym is unknown, they are one patient already, ``keep`` is of neither, the keys of one of them were
            destroyed, or one of them has withdrawn and the other has not.
        """
        return merging.merge(self._session, pseudonyms, keep, signed)

    def merge_keys(self, change: KeyChange, signed: Signed) -> Decided:
        """Carry out a change of identifier, as ADT^A40 reports it.

        Where both identifiers are known, their patients are merged; where one is, the other becomes a further key of
        that patient; where none is, a patient is entered who has both, so that the change is not forgotten. A further
        key of a patient whose keys were destroyed is held like the one that is known.
        """
        return merging.merge_keys(self._session, change, signed)

    def unmerge(self, pseudonym: str, signed: Signed) -> Decided:
        """Take a patient who was merged, with those merged into this one before, out again.

        Studies that were made since for this patient's identifiers go back, and what is stored of them is marked as to
        be re-issued.

        Raises
        ------
        Fatal
            The pseudonym is unknown, of a patient who is not merged into another, of one whose keys were destroyed, or
            of one who has withdrawn.
        """
        return merging.unmerge(self._session, pseudonym, signed)

    def merge_event(self, event_id: UUID, signed: Signed, *, keep: str | None = None) -> Decided:
        """Say that the two patients of an event are one person, see :meth:`merge`."""
        return events.merge_event(self._session, event_id, keep, signed)

    def overrule(self, event_id: UUID, signed: Signed, *, shared: bool = False) -> Decided:
        """Say that what an event tells is no conflict.

        A name, birth date or sex that differs is known from now on; objects of a second Patient ID in a study belong to
        the study's patient; an accession number is let to the study, or with ``shared`` to everybody, with all open
        events about it; what came under a used SOP Instance UID is tried again, and re-issued where it is stored.

        Raises
        ------
        Fatal
            There is no such event, it was decided before, or it cannot be overruled.
        """
        return events.overrule(self._session, event_id, shared, signed)

    def uphold(self, event_id: UUID, signed: Signed) -> Decided:
        """Say that an event is right: what it holds stays held, and what else it comes to touch is held without asking.

        Raises
        ------
        Fatal
            There is no such event, or it was decided before.
        """
        return events.uphold(self._session, event_id, signed)

    def split(
        self,
        research_study_uids: Sequence[str],
        signed: Signed,
        *,
        event_id: UUID | None = None,
        to: str | None = None,
    ) -> Decided:
        """Give studies to another patient, whatever Patient ID their objects bear.

        Parameters
        ----------
        research_study_uids
            Research Study Instance UIDs or study ids; if empty, all that the event touches.
        event_id
            The event that this settles.
        to
            Pseudonym of a known patient; else a new one is entered.

        Raises
        ------
        Fatal
            A study, event or pseudonym is unknown, the studies are of several patients, keys of one were destroyed, or
            one has withdrawn.
        """
        return events.split(self._session, research_study_uids, event_id, to, signed)

    def open_reissues(self) -> list[OpenReissue]:
        """Return the stored instances that wait to be removed and made again, oldest first."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, i.study_id, coalesce(i.research_sop_uid, ''), r.decision_id, r.opened_at"
                " FROM crosswalk.reissue r JOIN crosswalk.instance i ON i.id = r.instance_id"
                " WHERE r.closed_at IS NULL ORDER BY r.opened_at, r.id"
            ).fetchall()
        return [OpenReissue(*row) for row in rows]

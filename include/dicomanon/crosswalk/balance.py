"""The account of studies: clinical count against stored, held, filtered, withdrawn and pending."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.crosswalk.sealed import open_phi
from dicomanon.crosswalk.session import Session
from dicomanon.values import Pseudonym, ResearchUid

_STUDIES = """
SELECT st.id, st.uid_sealed, st.research_study_uid, p.pseudonym, st.observed_count, st.key_wrapped
FROM crosswalk.study st LEFT JOIN crosswalk.patient p ON p.id = st.patient_id
WHERE st.key_destroyed_at IS NULL
  AND (%(studies)s::uuid[] IS NULL OR st.id = ANY(%(studies)s))
  AND (%(run)s::uuid IS NULL OR st.id IN (
      SELECT i.study_id FROM crosswalk.batch b JOIN crosswalk.instance i ON i.batch_id = b.id
      WHERE b.run_id = %(run)s))
ORDER BY st.first_observed_at, st.id
"""

_STATES = """
SELECT study_id, state, reason, count(*), count(absent_since) FROM crosswalk.instance
WHERE study_id = ANY(%s) GROUP BY study_id, state, reason
"""

_MODALITIES = """
SELECT study_id, array_agg(DISTINCT modality ORDER BY modality) FROM crosswalk.series
WHERE study_id = ANY(%s) AND modality <> '' GROUP BY study_id
"""


def balance(session: Session, study_ids: Sequence[UUID] | None, run_id: UUID | None) -> list[StudyBalance]:
    """Count the instances of each study by state, all at one moment.

    Studies whose keys were destroyed are left out: there is no UID to ask the clinical PACS by.
    """
    scope = {"studies": None if study_ids is None else list(study_ids), "run": run_id}
    with session.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        studies = connection.execute(_STUDIES, scope).fetchall()
        ids = [row[0] for row in studies]
        states = connection.execute(_STATES, (ids,)).fetchall()
        modalities = dict(connection.execute(_MODALITIES, (ids,)).fetchall())
    totals: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    held: dict[UUID, dict[str, int]] = defaultdict(dict)
    for study_id, state, reason, count, absent in states:
        account = totals[study_id]
        account["enrolled"] += count
        account["absent"] += absent
        if state == "held":
            held[study_id][reason] = count
        elif state in {"stored", "filtered", "withdrawn"}:
            account[state] += count
        else:
            account["pending"] += count
    return [
        StudyBalance(
            study_id=row[0],
            study_uid=open_phi(session.keys.of("study", row[0], row[5]), "study.uid", row[0], row[1]),
            research_study_uid=ResearchUid(row[2]) if row[2] else None,
            pseudonym=Pseudonym(row[3]) if row[3] else None,
            modalities=tuple(modalities.get(row[0], ())),
            observed=row[4],
            enrolled=totals[row[0]]["enrolled"],
            stored=totals[row[0]]["stored"],
            held=held[row[0]],
            filtered=totals[row[0]]["filtered"],
            pending=totals[row[0]]["pending"],
            absent=totals[row[0]]["absent"],
            withdrawn=totals[row[0]]["withdrawn"],
        )
        for row in studies
    ]

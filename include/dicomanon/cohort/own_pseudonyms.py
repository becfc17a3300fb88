"""What leaves for a project that has pseudonyms of its own: rows, records and tombstones as it sees them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR

from dicomanon.cohort.left_out import Answer
from dicomanon.cohort.release_record import ReleaseRecord
from dicomanon.crosswalk.removals.rows import Tombstone
from dicomanon.crosswalk.rows import CohortInstance, ReleaseRow
from dicomanon.profile.actions import TextKind
from dicomanon.project_view.texts import SeenTexts
from dicomanon.project_view.view import ProjectView
from dicomanon.values import Pseudonym, ResearchUid

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

_Fact = str | int | float
_DATES_MODIFIED: Final = "LongitudinalTemporalInformationModified"
_TEXTS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
NOT_TOLD: Final = frozenset({"output_digest"})
"""Columns that such a project's manifest does not have: a digest of what the research PACS holds is one more name of
it, and what the project gets of it has another."""


@dataclass(frozen=True, slots=True)
class OwnPseudonyms:
    """How one project sees what is released to it."""

    view: ProjectView
    _texts: dict[str, SeenTexts] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, crosswalk: "Crosswalk", project: str) -> "OwnPseudonyms | None":
        """Return how a project sees it; nothing where it sees what the research PACS has."""
        key = crosswalk.projects.view_key(project)
        return None if key is None else cls(ProjectView(key))

    def instance(self, one: CohortInstance) -> CohortInstance:
        """Return an instance of a release as the project sees it."""
        uid = self.view.uid
        return replace(
            one,
            pseudonym=Pseudonym(self.view.pseudonym(one.pseudonym)),
            patient=Pseudonym(self.view.pseudonym(one.patient)),
            research_study_uid=ResearchUid(uid(one.research_study_uid)),
            research_series_uid=ResearchUid(uid(one.research_series_uid)),
            research_sop_uid=ResearchUid(uid(one.research_sop_uid)),
            facts=None if one.facts is None else self._facts(one.facts, one.pseudonym),
        )

    def identifiers(self, instances: Iterable[CohortInstance]) -> Mapping[str, str]:
        """Return research identifiers of instances by those of the project."""
        uids: set[str] = set()
        pseudonyms: set[str] = set()
        for one in instances:
            uids |= {one.research_study_uid, one.research_series_uid, one.research_sop_uid}
            pseudonyms |= {one.pseudonym, one.patient}
        own = {self.view.uid(uid): uid for uid in uids}
        return own | {self.view.pseudonym(pseudonym): pseudonym for pseudonym in pseudonyms}

    def record(self, record: ReleaseRecord) -> ReleaseRecord:
        """Return the record of a release as the project sees it."""
        return replace(
            record,
            columns={
                name: {self.view.uid(study): told for study, told in of_study.items()}
                for name, of_study in record.columns.items()
            },
            patients={self.view.uid(study): self.view.pseudonym(patient) for study, patient in record.patients.items()},
            answers=tuple(sorted(map(self._answer, record.answers))),
        )

    def released_uids(self, uids: Mapping[int, str]) -> dict[int, str]:
        """Return by instance the SOP Instance UID that the project knows it by."""
        return {instance: self.view.uid(uid) for instance, uid in uids.items()}

    def tombstone(self, tombstone: Tombstone) -> Tombstone:
        """Return a tombstone as the project sees it: by day, and without what other projects are told, too."""
        return replace(
            tombstone,
            removal_id=self.view.reference(tombstone.removal_id),
            recorded_at=day_of(tombstone.recorded_at),
            research_sop_uids=tuple(sorted(ResearchUid(self.view.uid(uid)) for uid in tombstone.research_sop_uids)),
        )

    def _answer(self, answer: Answer) -> Answer:
        return replace(answer, study_uid=self.view.uid(answer.study_uid))

    def _facts(self, facts: Mapping[str, _Fact], pseudonym: str) -> dict[str, _Fact]:
        if pseudonym not in self._texts:
            self._texts[pseudonym] = SeenTexts(self.view, pseudonym)
        return dict(self._seen_facts(facts, self._texts[pseudonym]))

    @staticmethod
    def _seen_facts(facts: Mapping[str, _Fact], texts: SeenTexts) -> Iterator[tuple[str, _Fact]]:
        for keyword, told in facts.items():
            vr = dictionary_VR(keyword)
            if not isinstance(told, str):
                yield keyword, told
            elif vr in {"DA", "DT"}:
                if moved := texts.dates(told, vr):
                    yield keyword, moved
            elif keyword == _DATES_MODIFIED:
                yield keyword, "MODIFIED" if told == "UNMODIFIED" else told
            else:
                yield keyword, texts.text(told, TextKind.DESCRIPTION) if vr in _TEXTS else told


def day_of(moment: datetime) -> datetime:
    """Return the start of a day: moments are the same for all whom something concerns at once."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def tombstones_as_told(crosswalk: "Crosswalk", tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """Return each tombstone as its release's project sees it."""
    return [_as_told(OwnPseudonyms.of(crosswalk, one.release.project), one) for one in tombstones]


def moment_told(own: OwnPseudonyms | None, release: ReleaseRow) -> datetime:
    """Return when a release was made, as its project is told."""
    return release.created_at if own is None else day_of(release.created_at)


def _as_told(own: OwnPseudonyms | None, tombstone: Tombstone) -> Tombstone:
    return tombstone if own is None else own.tombstone(tombstone)

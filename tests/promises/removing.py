"""A site with two patients and a release, and how a test takes some of it out again."""

from dataclasses import dataclass
from pathlib import Path

from tests.site import Site, person, slices, study

from dicomanon.cohort.manifest import manifest_table
from dicomanon.cohort.release_files import write_release
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Requester, Step
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.pipeline.removal.steps import carry_out

WITHDRAWING, STAYING = person(1), person(2)
GONE, KEPT = study("gone", WITHDRAWING), study("kept", STAYING, number=2)
ADA = Requester("ada")
WHY = {"reason": "asked by letter", "ticket": "DPO-17"}


@dataclass
class Clinic:
    """Three instances of who withdraws and two of who stays are stored, and released together."""

    site: Site
    sources: list[bytes]
    pseudonym: str
    former: set[str]
    """Research SOP Instance UIDs of who withdraws."""
    kept: set[str]
    release: ReleaseRow

    @property
    def release_dir(self) -> Path:
        return self.site.folder / "releases"

    def folder(self, number: int) -> Path:
        return self.release_dir / "lung-ai" / f"{number:04d}"

    def request(self, kind: RemovalKind = RemovalKind.WITHDRAWAL) -> Removal:
        with self.site.crosswalk() as crosswalk:
            return crosswalk.removals.request_of_patient(kind, self.pseudonym, ADA, **WHY)

    def recall(self, *uids: str, number: int = 1) -> Removal:
        with self.site.crosswalk() as crosswalk:
            return crosswalk.removals.request_recall("lung-ai", number, ADA, research_sop_uids=uids, **WHY)

    def carry_out(self, removal: Removal) -> dict[Step, dict[str, int]]:
        done: dict[Step, dict[str, int]] = {}
        with self.site.runtime(Role.REMOVAL) as runtime:
            carry_out(runtime, removal.id, note=done.__setitem__)
        return done


def clinic(site: Site) -> Clinic:
    return Clinic(site, *site.begin(_filled))


def _filled(site: Site) -> tuple[list[bytes], str, set[str], set[str], ReleaseRow]:
    sources = [*slices(GONE), *slices(KEPT, [1, 2])]
    site.ingest(*sources)
    pseudonym = str(site.account(GONE).pseudonym)
    former, kept = (set(site.expected(*some)) for some in (sources[:3], sources[3:]))
    return sources, pseudonym, former, kept, release(site, former | kept)


def release(site: Site, uids: set[str], project: str = "lung-ai") -> ReleaseRow:
    """Release stored objects, with their folder, as ``cohort_extraction`` does."""
    ids = [row[0] for row in site.rows("SELECT id FROM crosswalk.instance WHERE research_sop_uid = ANY(%s)", [*uids])]
    with site.crosswalk() as crosswalk:
        made = crosswalk.releases.create(project, "researcher", b"\0" * 32, ids)
        table = manifest_table(crosswalk.removals.release_instances(made.id))
    release_dir = site.folder / "releases"
    write_release(
        release_dir, release_dir / project / f"{made.number:04d}", table, group_by="patient", facts={"number": 1}
    )
    return made

"""The instances of one study, from two sources that have to agree before they are believed."""

from dicomanon.identity import InstanceSighting
from dicomanon.pacs.connection import Connection, Row
from dicomanon.pacs.paging import list_rows, number, text

STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
SOP_UID = "00080018"
SOP_CLASS_UID = "00080016"
INSTANCES_OF_STUDY = "00201208"
_MOST_ROWS = 10
"""Patient IDs that one study is looked for under; more would be no study."""


def list_instances(connection: Connection, study_uid: str) -> list[InstanceSighting]:
    """Return every instance that the archive has of a study; none if it does not know the study.

    What QIDO-RS shows may be cut (see :func:`dicomanon.pacs.paging.list_rows`). It is believed when there is as much
    as Number of Study Related Instances (0020,1208) says. Otherwise WADO-RS metadata (PS3.18 10.4), which is not
    paged, adds what is missing; the number itself is not believed, because archives count what they no longer give.

    Raises
    ------
    Held
        ``MISSING_IDENTITY``: the study's UID is none.
    """

    def fetch(limit: int, offset: int) -> list[Row]:
        return connection.search_instances(study_uid, {}, (SERIES_UID, SOP_UID, SOP_CLASS_UID), limit, offset)

    instances = list_rows(fetch, _read_instance, page_size=connection.endpoint.page_size).rows
    told = told_number(connection, study_uid)
    if told is None and not instances:
        return []
    if told != len(instances) or any(not instance.series_uid for instance in instances.values()):
        for key, instance in map(_read_instance, connection.study_metadata(study_uid)):
            if key:
                instances.pop(_key("", instance.sop_uid), None)
                instances.setdefault(key, instance)
    return list(instances.values())


def told_number(connection: Connection, study_uid: str) -> int | None:
    """Return how many instances the study's rows say it has, ``None`` where they do not say it all.

    They are added up: an archive that has it under several Patient IDs shows a row for each.
    """
    rows = connection.search_studies({STUDY_UID: study_uid}, (STUDY_UID, INSTANCES_OF_STUDY), _MOST_ROWS, 0)
    told = [number(row, INSTANCES_OF_STUDY) for row in rows if text(row, STUDY_UID) == study_uid]
    counts = [count for count in told if count is not None]
    return sum(counts) if counts and len(counts) == len(told) else None


def _read_instance(row: Row) -> tuple[str, InstanceSighting]:
    series_uid, sop_uid = text(row, SERIES_UID), text(row, SOP_UID)
    return _key(series_uid, sop_uid), InstanceSighting(series_uid, sop_uid, text(row, SOP_CLASS_UID))


def _key(series_uid: str, sop_uid: str) -> str:
    """Tell instances apart by series too: a SOP Instance UID that two series share is two objects."""
    return f"{series_uid}/{sop_uid}" if sop_uid else ""

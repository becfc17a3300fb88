"""Finds what a token shows: the crosswalk says what there is, the PACS what it is like, by its UIDs and no others.

The PACS is never asked without UIDs of what is shown. So no page has a hole where something hidden was, nothing can be
learnt from how many there are, and its answer does not grow with what others have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomanon.crosswalk.gateway.showing import Showing
from dicomanon.gateway.attributes import KnownBy, Level
from dicomanon.gateway.query import Query
from dicomanon.gateway.refusals import TOO_MUCH, Refusal
from dicomanon.gateway.rows import UID_KEYWORDS, Shown, row, uid_of
from dicomanon.pacs.connection import Connection, Row

_UIDS_AT_ONCE: Final = 50
"""Addresses of some 3,500 characters, which every server takes."""
_LOOKED_AT: Final = 500
_MOST_LOOKED_AT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of an answer, and whether there are more."""

    rows: list[dict[str, Any]]
    has_more: bool


class Search:
    """QIDO-RS over what tokens show.

    Parameters
    ----------
    most
        Rows of an answer at most, whatever is asked for.
    """

    def __init__(self, showing: Showing, pacs: Connection, *, most: int) -> None:
        self._showing = showing
        self._pacs = pacs
        self._most = most

    def page(self, digest: bytes, query: Query, root: str) -> Page:
        """Return the page that is asked for.

        Raises
        ------
        Refusal
            413: the PACS would have to look at too many.
        Retriable, Fatal
            Crosswalk or PACS cannot answer.
        """
        limit = min(query.limit or self._most, self._most)
        if query.filters:
            found = self._matching(digest, query, query.offset + limit + 1)[query.offset :]
        else:
            shown = self._shown(digest, query, limit + 1, query.offset)
            found = self._described(shown[:limit], query) + [(one, None) for one in shown[limit:]]
        rows = [row(one, of_pacs, query.fields, root) for one, of_pacs in found[:limit]]
        return Page(rows, has_more=len(found) > limit)

    def _matching(self, digest: bytes, query: Query, enough: int) -> list[tuple[Shown, Row | None]]:
        """Return what the PACS finds to match, until it is enough."""
        found: list[tuple[Shown, Row | None]] = []
        for start in range(0, _MOST_LOOKED_AT, _LOOKED_AT):
            shown = self._shown(digest, query, _LOOKED_AT, start)
            found += [(one, of_pacs) for one, of_pacs in self._described(shown, query) if of_pacs is not None]
            if len(found) >= enough or len(shown) < _LOOKED_AT:
                return found
        raise Refusal(
            TOO_MUCH, "Too many objects would have to be looked at: narrow it by UIDs, PatientID or Modality."
        )

    def _described(self, shown: Sequence[Shown], query: Query) -> list[tuple[Shown, Row | None]]:
        """Return each with what the PACS says of it, if it matches."""
        described: list[tuple[Shown, Row | None]] = []
        for start in range(0, len(shown), _UIDS_AT_ONCE):
            some = shown[start : start + _UIDS_AT_ONCE]
            keyword, tag = UID_KEYWORDS[type(some[0])]
            filters = {**query.filters, keyword: ",".join(uid_of(one) for one in some)}
            fields = [one.keyword for one in query.fields if one.known_by is KnownBy.PACS and not one.is_default]
            rows = {_uid(of_pacs, tag): of_pacs for of_pacs in self._asked(query.level, filters, fields, len(some))}
            described += [(one, rows.get(uid_of(one))) for one in some]
        return described

    def _asked(self, level: Level, filters: dict[str, str], fields: Sequence[str], most: int) -> list[Row]:
        match level:
            case Level.STUDY:
                return self._pacs.search_studies(filters, fields, most, 0)
            case Level.SERIES:
                return self._pacs.search_series(filters, fields, most, 0)
            case Level.INSTANCE:
                return self._pacs.search_instances(None, filters, fields, most, 0)

    def _shown(self, digest: bytes, query: Query, limit: int, offset: int) -> Sequence[Shown]:
        match query.level:
            case Level.STUDY:
                return self._showing.studies(digest, query.wanted, limit=limit, offset=offset)
            case Level.SERIES:
                return self._showing.series(digest, query.wanted, limit=limit, offset=offset)
            case Level.INSTANCE:
                return self._showing.instances(digest, query.wanted, limit=limit, offset=offset)


def _uid(of_pacs: Row, tag: str) -> str:
    values = of_pacs.get(tag, {}).get("Value") or [""]
    return str(values[0])

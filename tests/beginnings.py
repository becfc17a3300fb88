"""What many tests begin with is made once in a session, and what came of it is put into the site of each other one."""

import shutil
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.databases import Databases
from tests.pacs_content import objects_in, put

if TYPE_CHECKING:
    from tests.site import Site

Made = TypeVar("Made")
KEYS = ("keyring.json", "audit_key.pem")
"""Made with the site; a crosswalk belongs to them."""


@dataclass(frozen=True)
class _Kept:
    clinical: tuple[bytes, ...]
    research: tuple[bytes, ...]
    crosswalk: str
    folder: Path
    made: Any


class Beginnings:
    """Those of one session; ``folder`` is for what they leave in the folders of their sites."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        self._databases, self._folder = databases, folder
        self._kept: dict[Callable[..., Any], _Kept] = {}

    def at(self, site: "Site", make: "Callable[[Site], Made]") -> Made:
        """Lead an empty site to what ``make`` makes of one; see :meth:`tests.site.Site.begin`."""
        if make not in self._kept:
            there = {path.name for path in site.folder.iterdir()}.difference(KEYS)
            made = make(site)
            self._kept[make] = self._keep(site, made, (one for one in site.folder.iterdir() if one.name not in there))
            return made
        kept = self._kept[make]
        for server, objects in ((site.clinical, kept.clinical), (site.research, kept.research)):
            put(server, *objects)
        self._databases.put(kept.crosswalk, site.dsn)
        shutil.copytree(kept.folder, site.folder, dirs_exist_ok=True)
        made = deepcopy(kept.made)
        return made  # type: ignore[no-any-return]

    def _keep(self, site: "Site", made: Any, files: Iterable[Path]) -> _Kept:
        folder = self._folder / str(len(self._kept))
        folder.mkdir()
        for file in files:
            if file.is_dir():
                shutil.copytree(file, folder / file.name)
            else:
                shutil.copy2(file, folder)
        clinical, research = (tuple(objects_in(server).values()) for server in (site.clinical, site.research))
        return _Kept(clinical, research, self._databases.keep(site.dsn), folder, deepcopy(made))

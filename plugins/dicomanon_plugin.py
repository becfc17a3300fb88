"""What Airflow loads of DICOManon: the sealing of requests at the api-server, its pages, and the links to them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from dicomanon.web.links import URL_PREFIX, DataDocsLink, ReleaseLink, external_views
from dicomanon.web.sealing_middleware import SealingMiddleware

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

    from dicomanon.web.releases import ReleaseShelf

PUBLIC_KEY_VARIABLE = "DICOMANON_REQUEST_PUBLIC_KEY"
DATA_DOCS_VARIABLE = "DICOMANON_DATA_DOCS_DIR"
PAGES_DSN_VARIABLE = "DICOMANON_PAGES_DSN"
RELEASES_VARIABLE = "DICOMANON_RELEASE_DIR"
GATEWAY_VARIABLE = "DICOMANON_GATEWAY__URL"


class Pages:
    """Makes the application at its first request: every Airflow process loads this file, one of them serves pages."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Handle one connection (ASGI)."""
        if self._app is None:
            from dicomanon.web.app import create_app

            folder = os.environ.get(DATA_DOCS_VARIABLE)
            self._app = create_app(
                Path(folder) if folder else None, os.environ.get(PUBLIC_KEY_VARIABLE), shelf=_shelf()
            )
        await self._app(scope, receive, send)


def _shelf() -> "ReleaseShelf | None":
    from dicomanon.crosswalk.release_pages import ReleasePages
    from dicomanon.web.releases import ReleaseShelf

    dsn, folder = os.environ.get(PAGES_DSN_VARIABLE), os.environ.get(RELEASES_VARIABLE)
    if not (dsn and folder):
        return None
    return ReleaseShelf(ReleasePages(dsn), Path(folder), os.environ.get(GATEWAY_VARIABLE, ""))


class DicomanonPlugin(AirflowPlugin):
    """DICOManon's extension points of Airflow."""

    name = "dicomanon"
    fastapi_root_middlewares: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "DICOManon request sealing",
            "middleware": SealingMiddleware,
            "args": [],
            "kwargs": {"public_key": os.environ.get(PUBLIC_KEY_VARIABLE)},
        }
    ]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {"name": "DICOManon pages", "app": Pages(), "url_prefix": URL_PREFIX}
    ]
    external_views: ClassVar[list[dict[str, str]]] = external_views()
    global_operator_extra_links: ClassVar[list[Any]] = [DataDocsLink(), ReleaseLink()]

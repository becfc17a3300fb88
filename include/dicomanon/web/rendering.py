"""Makes our pages out of their templates."""

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.responses import HTMLResponse


def page(template: str, title: str, status: int = 200, **told: Any) -> HTMLResponse:
    """Return a page.

    Parameters
    ----------
    template
        Name in ``templates/``, without its endings.
    told
        What the template shows; escaped there.
    """
    text = _environment().get_template(f"{template}.html.jinja").render(title=title, **told)
    return HTMLResponse(text, status)


@cache
def _environment() -> Environment:
    folder = resources.files("dicomanon.web").joinpath("templates")
    return Environment(
        loader=DictLoader({file.name: file.read_text("utf-8") for file in folder.iterdir()}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )

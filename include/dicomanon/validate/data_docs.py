"""Turns what Great Expectations writes into pages that stand alone: small, readable, asking no server outside."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

_TOUR: Final = ("glossary_scroller.gif", "iterative-dev-loop.png", "validation_failed_unexpected_values.gif")
_EXTERNAL: Final = re.compile(
    r"<script[^>]+src=[\"']https?://[^>]*>\s*</script>|<link[^>]+href=[\"']https?://[^>]*>|<img[^>]+src=[\"']https?://[^>]*>",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"https?://[^\"'()\s<>]+")
_STYLE: Final = (
    "<style>body{font:14px/1.5 system-ui,sans-serif;margin:1rem 2rem;color:#222}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "code{font-size:13px}.passed{color:#1a7f37}.failed{color:#b42318}"
    ".modal,.alert-dismissible,button,footer,.card.mb-3{display:none}</style>"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first page says: research UIDs, rules and counts.

    ``failed`` gives the rules that an instance fails, by its research SOP Instance UID.
    """

    title: str
    success: bool
    statistics: Mapping[str, int]
    failed: Mapping[str, tuple[str, ...]]
    incomplete_studies: tuple[str, ...]


def publish(staging: Path, docs_dir: Path, summary: Summary) -> Path:
    """Slim the site in ``staging``, give it a first page, put it in place of ``docs_dir`` at once; return that page.

    Great Expectations copies four megabytes of fonts and tour pictures beside every site, and its pages load scripts
    and styles from servers outside, which a hospital's network blocks and a patient's audit trail should not feed.
    """
    shutil.rmtree(staging / "static" / "fonts", ignore_errors=True)
    for name in _TOUR:
        (staging / "static" / "images" / name).unlink(missing_ok=True)
    for page in staging.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        html = _URL.sub("#", _EXTERNAL.sub("", html))
        page.write_text(html.replace("</head>", f"{_STYLE}</head>", 1), encoding="utf-8")
    details = sorted(page.relative_to(staging) for page in staging.glob("validations/**/*.html"))
    (staging / "index.html").write_text("\n".join(_first_page(summary, details)), encoding="utf-8")
    if docs_dir.exists():
        shutil.rmtree(docs_dir)
    staging.rename(docs_dir)
    return docs_dir / "index.html"


def _first_page(summary: Summary, details: list[Path]) -> Iterator[str]:
    word, kind = ("passed", "passed") if summary.success else ("findings: instances are held", "failed")
    title = escape(summary.title)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{_STYLE}</head>'
    yield f'<body><h1>Validation of {title}</h1><p>Verdict: <strong class="{kind}">{word}</strong></p>'
    yield "<table><tbody>"
    for name, value in summary.statistics.items():
        yield f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{value}</td></tr>"
    yield "</tbody></table>"
    if summary.failed:
        yield "<h2>Held instances</h2><table><thead><tr><th>research SOP Instance UID</th><th>rules</th></tr></thead>"
        yield "<tbody>"
        for uid, rules in sorted(summary.failed.items()):
            yield f"<tr><td><code>{escape(uid)}</code></td><td>{'<br>'.join(map(escape, rules))}</td></tr>"
        yield "</tbody></table>"
    if summary.incomplete_studies:
        yield "<h2>Studies with instances unaccounted for</h2><ul>"
        for uid in sorted(summary.incomplete_studies):
            yield f"<li><code>{escape(uid)}</code></li>"
        yield "</ul>"
    yield "<h2>Every expectation</h2><ul>"
    for page in details:
        yield f'<li><a href="{quote(page.as_posix())}">{escape(page.parts[1])}</a></li>'
    yield "</ul></body></html>"

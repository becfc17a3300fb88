"""A PDF document set anew from its cleaned text."""

import re
from collections.abc import Callable

from dicomanon.deidentify.documents.pdf_pages import SetPage, set_pages
from dicomanon.deidentify.documents.pdf_text import read_pages

# Word processors break a name at the margin; half a name is no word that anybody would know.
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])([^\W\d_]+[^\s\w]*)[^\S\n]?", re.UNICODE)
# Justified or spaced out lines: J O H N.
_SPACED_OUT = re.compile(r"(?<!\S)(?:[^\W_] ){3,}[^\W_](?!\S)")


def clean_pdf(data: bytes, clean: Callable[[str], str]) -> bytes:
    """Return a new document with the cleaned text of each page, in one plain font.

    What is not text is left out: small pictures (a note says that there was one), lines, colours, fonts, links,
    comments, metadata, attachments, scripts. A document in which that could be the substance is held.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: see :func:`~dicomanon.deidentify.documents.pdf_text.read_pages`.
    """
    pages = []
    for page in read_pages(data):
        text = _SPACED_OUT.sub(lambda match: match[0].replace(" ", ""), page.text)
        text = clean(_HYPHENATED.sub(r"\1\n", text))
        if page.pictures:
            text += f"\n\n[{page.pictures} picture{'s' * (page.pictures > 1)} left out]"
        pages.append(SetPage(page.width, page.height, text))
    return set_pages(pages)

"""The text of encapsulated documents is searched; a document that cannot be searched is found."""

import zlib
from collections.abc import Callable

import pytest
from pydicom import Dataset
from tests.validate.support import RESEARCH_OPTIONS

from dicomanon.validate.documents import Unsearchable, document_text
from dicomanon.validate.examine import Findings

Check = Callable[..., Findings]


def pdf(content: bytes, *, extra: bytes = b"", head: bytes = b"", compressed: bool = True) -> bytes:
    body = zlib.compress(content) if compressed else content
    filters = b"/Filter /FlateDecode" if compressed else b""
    return (
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
        + extra
        + b"4 0 obj\n<< /Length %d %s %s >>\nstream\n" % (len(body), filters, head)
        + body
        + b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
    )


def with_document(research: Dataset, data: bytes, mime_type: str = "application/pdf") -> Dataset:
    research.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    research.MIMETypeOfEncapsulatedDocument = mime_type
    return research


SHOWN = b"BT /F1 12 Tf 72 720 Td (%s) Tj ET"


def test_clean_document_passes(check_research: Check, research: Dataset) -> None:
    assert check_research(with_document(research, pdf(SHOWN % b"No acute disease."))).counts == {}


@pytest.mark.parametrize(
    "content",
    [
        SHOWN % b"Report on Featherstone",
        b"BT [(Feath) -20 (erst) 15 (one)] TJ ET",
        b"BT <46656174686572 73746F6E65> Tj ET",
        b"BT " + b" ".join(b"(%c) Tj" % letter for letter in b"Featherstone") + b" ET",
        SHOWN % b"seen by Gray",
        SHOWN % b"MRN0048213",
        SHOWN % rb"Feath\145rstone",
        SHOWN % b"seen 5 January 2019",
    ],
)
def test_known_value_in_a_compressed_document_is_found(
    check_research: Check, research: Dataset, content: bytes
) -> None:
    findings = check_research(with_document(research, pdf(content)))
    assert {"known-text", "known-date"} & findings.counts.keys()
    assert findings.places[next(iter(findings.counts))] == ("0042,0011",)


def test_known_value_in_the_description_of_a_document_is_found(check_research: Check, research: Dataset) -> None:
    title = b"2 0 obj\n<< /Author (Featherstone) /Title <FEFF00470072006100790020> >>\nendobj\n"
    assert "known-text" in check_research(with_document(research, pdf(SHOWN % b"x", extra=title))).counts


def test_pattern_in_a_document_is_found(check_research: Check, research: Dataset) -> None:
    assert check_research(with_document(research, pdf(SHOWN % b"call 604-555-0123"))).counts == {"pattern-phone": 1}


def test_numbered_shapes_are_read_by_their_map(check_research: Check, research: Dataset) -> None:
    mapping = b"1 beginbfrange <0001> <001A> <0041> endbfrange"
    shapes = b"".join(b"%04X" % (letter - 64) for letter in b"FEATHERSTONE")
    fonts = (
        b"3 0 obj\n<< /Type /Font /Subtype /Type0 /Encoding /Identity-H >>\nendobj\n"
        b"5 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(mapping), mapping)
    )
    assert (
        "known-text" in check_research(with_document(research, pdf(b"BT <" + shapes + b"> Tj ET", extra=fonts))).counts
    )


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"PK\x03\x04 something zipped", "application/zip"),
        (b"not a document", "application/pdf"),
        (pdf(b"", extra=b"2 0 obj << /Encrypt 3 0 R >> endobj\n"), "application/pdf"),
        (pdf(b"\xff\xd8\xff", head=b"/Subtype /Image", compressed=False), "application/pdf"),
        (pdf(b"", extra=b"2 0 obj << /Subtype /Type0 >> endobj\n"), "application/pdf"),
        (pdf(b"x", head=b"/Filter /JBIG2Decode", compressed=False), "application/pdf"),
        (pdf(b"x" * 99)[:-20], "application/pdf"),
        (b"%PDF-1.7 4 0 obj << /Filter /FlateDecode >> stream\nno zlib\nendstream", "application/pdf"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY n "Ada">]><a>&n;</a>', "text/xml"),
        (b'<a representation="B64">QWRh</a>', "text/xml"),
    ],
)
def test_document_that_cannot_be_searched_is_found(
    check_research: Check, research: Dataset, data: bytes, mime_type: str
) -> None:
    findings = check_research(with_document(research, data, mime_type))
    assert findings.counts["document-not-searched"] == 1
    assert not findings.passed


def test_clinical_document_is_searched(check_research: Check, research: Dataset) -> None:
    clean = (
        b'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        b'<code codeSystem="2.16.840.1.113883.6.1"/><text>no acute disease</text>%s</ClinicalDocument>'
    )
    assert check_research(with_document(research, clean % b"", "text/xml")).counts == {}
    name = b"<name><given>Agnieszka</given><family>M&#252;llerstr&#246;m</family></name>"
    assert check_research(with_document(research, clean % name, "text/xml")).counts["known-text"] == 2


def test_document_is_found_where_the_profile_cleans_no_text(check_research: Check, research: Dataset) -> None:
    options = RESEARCH_OPTIONS - {"clean-descriptors"}
    counts = check_research(with_document(research, pdf(SHOWN % b"x")), options=options).counts
    assert counts["attribute-not-allowed"] >= 1


def test_bomb_is_refused() -> None:
    with pytest.raises(Unsearchable):
        document_text(pdf(b"\0" * (1 << 28)), "application/pdf")

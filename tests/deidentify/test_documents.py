import random
import re
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from dicomanon.deidentify.documents import clean_document
from dicomanon.deidentify.documents.pdf_pages import SetPage, set_pages
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

TOKENS = ("Featherstone", "Wilhelmina", "MRN-00417733")
PDF, CDA, STL, OBJ, MTL = "application/pdf", "text/XML", "model/stl", "model/obj", "model/mtl"


def clean(text: str) -> str:
    """Stands for the cleaner: takes the planted tokens out, and moves dates in ISO 8601 by a leap year."""
    text = re.sub("|".join(TOKENS), "", text, flags=re.IGNORECASE)
    return re.sub(r"2024-02-29", "2020-09-30", text)


def assert_no_token(data: bytes) -> None:
    """Look for planted tokens in bytes, inflated streams, hexadecimal strings and UTF-16."""
    pieces = [data]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            pieces.append(zlib.decompress(stream))
        except zlib.error:
            continue
    pieces += [bytes.fromhex(digits.decode()) for digits in re.findall(rb"<((?:[0-9A-Fa-f]{2}){4,})>", data)]
    for token in TOKENS:
        for piece in pieces:
            for encoding in ("latin-1", "utf-16-be", "utf-16-le"):
                assert token.lower().encode(encoding) not in piece.lower()


def assert_held(data: bytes, mime_type: str, detail: str = "") -> None:
    with pytest.raises(Held) as held:
        clean_document(data, mime_type, clean)
    assert held.value.reason is HoldReason.ENCAPSULATED_DOCUMENT
    assert detail in held.value.detail
    assert_no_token(str(held.value).encode())


HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf_file(
    content: bytes,
    *,
    fonts: bytes = HELVETICA,
    xobject: bytes = b"",
    further: tuple[bytes, ...] = (),
    flate: bool = True,
) -> bytes:
    """Write a document of one page by hand; object 5 is font /F1, object 6 is what /X1 names, more follow."""
    stream = zlib.compress(content) if flate else content
    filtered = b"/Filter /FlateDecode " if flate else b""
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> /XObject << /X1 6 0 R >> >> >>",
        b"<< %b/Length %d >>\nstream\n%b\nendstream" % (filtered, len(stream), stream),
        fonts,
        xobject or b"null",
        *further,
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(bodies) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def shown(*lines: str) -> bytes:
    escaped = [re.sub(r"([()\\])", r"\\\1", line) for line in lines]
    return ("BT /F1 12 Tf 50 750 Td " + " ".join(f"({line}) Tj 0 -18 Td" for line in escaped) + " ET").encode("latin-1")


def image(width: int, height: int) -> bytes:
    return (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Length 4 >>\nstream\nABCD\nendstream" % (width, height)
    )


def text_of(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(data), strict=True).pages)


REPORT = shown("Radiology report", "Patient: Wilhelmina Featherstone   MRN-00417733", "No pneumothorax (image 3).")


class TestPdf:
    @pytest.mark.parametrize("flate", [True, False])
    def test_the_report_stays_and_the_patient_goes(self, flate: bool) -> None:
        cleaned = clean_document(pdf_file(REPORT, flate=flate), PDF, clean)
        assert_no_token(cleaned)
        assert "Radiology report" in text_of(cleaned)
        assert "No pneumothorax (image 3)." in text_of(cleaned)

    def test_nothing_but_the_text_passes(self) -> None:
        secret = " ".join(TOKENS)
        writer = PdfWriter(clone_from=BytesIO(pdf_file(REPORT)))
        writer.add_metadata({"/Title": secret, "/Author": secret, "/Producer": secret})
        writer.xmp_metadata = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{secret}</x:xmpmeta>".encode()
        writer.add_attachment(f"{TOKENS[0]}.txt", secret.encode())
        writer.root_object[NameObject("/OpenAction")] = DictionaryObject({
            NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject(f"app.alert('{secret}')"),
        })  # fmt: skip
        writer.add_outline_item(title=secret, page_number=0)
        writer.add_annotation(0, FreeText(text=secret, rect=(50, 50, 200, 100)))
        writer.pages[0][NameObject("/PieceInfo")] = DictionaryObject({NameObject("/App"): TextStringObject(secret)})
        written = BytesIO()
        writer.write(written)
        # And a revision of the document that is no longer shown, and bytes behind its end.
        source = written.getvalue() + secret.encode()
        cleaned = clean_document(source, PDF, clean)
        assert_no_token(cleaned)
        assert "Radiology report" in text_of(cleaned)
        reader = PdfReader(BytesIO(cleaned), strict=True)
        assert reader.metadata is None
        assert set(reader.root_object) == {"/Type", "/Pages"}
        assert set(reader.pages[0]) == {"/Type", "/Parent", "/MediaBox", "/Resources", "/Contents"}

    def test_the_same_document_gives_the_same_bytes(self) -> None:
        assert clean_document(pdf_file(REPORT), PDF, clean) == clean_document(pdf_file(REPORT), PDF, clean)

    def test_padding_and_parameters_of_the_type_do_not_matter(self) -> None:
        plain = clean_document(pdf_file(REPORT), PDF, clean)
        assert clean_document(pdf_file(REPORT) + b"\0", "Application/PDF; charset=x", clean) == plain

    def test_text_in_a_form_within_the_page_is_text(self) -> None:
        form = shown("Impression: stable.")
        xobject = (
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F1 5 0 R >> >> /Length %d >>"
            b"\nstream\n%b\nendstream" % (len(form), form)
        )
        assert "Impression: stable." in text_of(
            clean_document(pdf_file(REPORT + b" /X1 Do", xobject=xobject), PDF, clean)
        )

    def test_a_name_in_pieces_is_a_name(self) -> None:
        content = shown("Seen with W i l h e l m i n a today", "and reported to Mrs Feather-", "stone by phone.")
        cleaned = text_of(clean_document(pdf_file(content), PDF, clean))
        for piece in ("W i l", "Feather", "stone"):
            assert piece not in cleaned
        assert "by phone." in cleaned

    def test_a_name_split_by_kerning_is_a_name(self) -> None:
        content = b"BT /F1 12 Tf 50 750 Td (Report) Tj 0 -18 Td [(Fea) 20 (ther) -15 (stone)] TJ ET"
        cleaned = clean_document(pdf_file(content), PDF, clean)
        assert_no_token(cleaned)
        assert "ther" not in text_of(cleaned)

    def test_a_logo_is_left_out_and_said_so(self) -> None:
        content = REPORT + b" q 80 0 0 40 50 700 cm /X1 Do Q"
        cleaned = clean_document(pdf_file(content, xobject=image(200, 100)), PDF, clean)
        assert "[1 picture left out]" in text_of(cleaned)
        assert b"/Image" not in cleaned

    def test_a_page_that_overflows_goes_on_on_the_next(self) -> None:
        lines = "\n".join(f"line {number}" for number in range(200))
        pages = PdfReader(BytesIO(set_pages([SetPage(612, 792, lines)])), strict=True).pages
        assert len(pages) == 4
        assert "line 199" in pages[3].extract_text()

    @pytest.mark.parametrize(
        "text",
        [
            "Grüße, Ł. Ωμέγα – “≤ 5 cm²”",
            "Заключение: без патологии",
            "所見なし。カルテ",
            "소견 없음",
            "Diagnóstico: señal",
        ],
    )
    def test_text_in_many_scripts_can_be_set_and_read_again(self, text: str) -> None:
        assert text_of(set_pages([SetPage(612, 792, text)])).strip() == text

    def test_held_when_the_script_needs_more_than_placing_glyphs(self) -> None:
        with pytest.raises(Held):
            set_pages([SetPage(612, 792, "تقرير")])


class TestPdfThatIsHeld:
    def test_a_scanned_page(self) -> None:
        content = REPORT + b" q 612 0 0 792 0 0 cm /X1 Do Q"
        assert_held(pdf_file(content, xobject=image(100, 100)), PDF, "picture")

    def test_a_picture_with_room_for_a_page_of_text(self) -> None:
        content = REPORT + b" q 50 0 0 50 0 0 cm /X1 Do Q"
        assert_held(pdf_file(content, xobject=image(2480, 3508)), PDF, "picture")

    def test_a_picture_within_a_form(self) -> None:
        inner = b"q 50 0 0 50 0 0 cm /X2 Do Q"
        form = (
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X2 7 0 R >> >> "
            b"/Length %d >>\nstream\n%b\nendstream" % (len(inner), inner)
        )
        source = pdf_file(REPORT + b" /X1 Do", xobject=form, further=(image(2480, 3508),))
        assert_held(source, PDF, "picture")

    def test_an_inline_picture_over_the_page(self) -> None:
        inline = b" q 600 0 0 700 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID ABCD EI Q"
        assert_held(pdf_file(REPORT + inline), PDF, "picture")

    def test_a_tracing(self) -> None:
        assert_held(pdf_file(REPORT + b" 0 0 m" + b" 10 10 l" * 6000 + b" S"), PDF, "drawing")

    def test_text_drawn_as_outlines(self) -> None:
        assert_held(pdf_file(REPORT + b" 0 0 m" + b" 1 1 2 2 3 3 c" * 2000 + b" f"), PDF, "drawing")

    @pytest.mark.parametrize(
        "font",
        [
            b"<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Arial /Encoding /Identity-H /DescendantFonts [<< /Type "
            b"/Font /Subtype /CIDFontType2 /BaseFont /ABCDEF+Arial >>] >>",
            b"<< /Type /Font /Subtype /TrueType /BaseFont /ABCDEF+Arial /FontDescriptor << /Type /FontDescriptor "
            b"/Flags 4 >> >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Differences [32 /g12 /g13] >> >>",
            b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /Encoding << /Differences [65 /A] >> >>",
        ],
    )
    def test_a_font_that_nobody_can_map_to_unicode(self, font: bytes) -> None:
        assert_held(pdf_file(REPORT, fonts=font), PDF, "font")

    def test_a_font_that_is_not_there(self) -> None:
        assert_held(pdf_file(REPORT.replace(b"/F1", b"/F9")), PDF, "font")

    def test_characters_of_a_fonts_own(self) -> None:
        cmap = b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <20> <7E> <E020> endbfrange"
        font = b"<< /Type /Font /Subtype /Type1 /BaseFont /X /ToUnicode 7 0 R >>"
        stream = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(cmap), cmap)
        assert_held(pdf_file(REPORT, fonts=font, further=(stream,)), PDF, "own")

    def test_an_encrypted_document_even_with_an_empty_password(self) -> None:
        writer = PdfWriter(clone_from=BytesIO(pdf_file(REPORT)))
        writer.encrypt("", "owner", algorithm="RC4-128")
        written = BytesIO()
        writer.write(written)
        assert_held(written.getvalue(), PDF, "encrypted")

    def test_a_form_to_fill_in(self) -> None:
        writer = PdfWriter(clone_from=BytesIO(pdf_file(REPORT)))
        field = DictionaryObject(
            {NameObject("/T"): TextStringObject("name"), NameObject("/V"): TextStringObject(TOKENS[0])}
        )
        fields = ArrayObject([field])
        writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): fields})
        written = BytesIO()
        writer.write(written)
        assert_held(written.getvalue(), PDF, "form")

    @pytest.mark.parametrize("content", [b"", b"0 0 m 1 1 l S", b"BT /F1 12 Tf (   ) Tj ET"])
    def test_a_document_without_text(self, content: bytes) -> None:
        assert_held(pdf_file(content), PDF, "no text")

    def test_a_bomb(self) -> None:
        assert_held(pdf_file(b" " * (100 << 20)), PDF)

    def test_more_content_than_anybody_reads(self) -> None:
        assert_held(pdf_file(b"q Q " * 600_000), PDF)

    @pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", TOKENS[0].encode() * 50, pdf_file(REPORT)[:300]])
    def test_what_is_no_document(self, data: bytes) -> None:
        assert_held(data, PDF)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_a_damaged_pdf_is_held_or_clean(seed: int, changes: int, flate: bool) -> None:
    source = bytearray(pdf_file(REPORT, flate=flate))
    dice = random.Random(seed)
    for _ in range(changes):
        position = dice.randrange(len(source))
        source[position : position + dice.randrange(3)] = dice.randbytes(dice.randrange(4))
    try:
        cleaned = clean_document(bytes(source), PDF, clean)
    except Held as held:
        assert held.reason is HoldReason.ENCAPSULATED_DOCUMENT
    else:
        assert_no_token(cleaned)


NAMESPACE = 'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:example"'


def cda(body: str = "", *, prolog: str = "", header: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{prolog}
<?xml-stylesheet href="{TOKENS[0]}.xsl"?>
<ClinicalDocument {NAMESPACE} classCode="DOCCLIN" moodCode="EVN">
 <!-- {TOKENS[0]} -->
 <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
 <templateId root="1.2.840.10008.9.1"/>
 <id root="1.2.3" extension="{TOKENS[2]}"/>
 <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Report for {TOKENS[0]}"/>
 <title>CT of {TOKENS[1]} {TOKENS[0]}</title>
 <effectiveTime value="20240229101112-0500"/>
 <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
 <languageCode code="en-US"/>
 <recordTarget><patientRole><id extension="{TOKENS[2]}"/><addr><city>{TOKENS[0]}</city></addr>
  <telecom value="tel:+15550199"/><patient><name><given>{TOKENS[1]}</given><family>{TOKENS[0]}</family></name>
  <administrativeGenderCode code="F"/><birthTime value="19561107"/></patient>
  <providerOrganization><name>{TOKENS[0]} Clinic</name></providerOrganization></patientRole></recordTarget>
 <author><time value="20240229"/><assignedAuthor><id extension="{TOKENS[2]}"/><assignedPerson><name>{TOKENS[0]}</name>
 </assignedPerson></assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3"/><name>{TOKENS[0]}</name>
 </representedCustodianOrganization></assignedCustodian></custodian>{header}
 <component><structuredBody><component><section>
  <code code="55752-0" codeSystem="2.16.840.1.113883.6.1"/><title>Findings</title>
  <text><paragraph ID="{TOKENS[0]}">No pneumothorax in <content styleCode="Bold">Mrs</content> {TOKENS[0]} on
  2024-02-29.</paragraph>{body}</text>
  <entry typeCode="DRIV"><observation classCode="OBS" moodCode="EVN"><id extension="{TOKENS[2]}"/>
   <code code="246120007" codeSystem="2.16.840.1.113883.6.96" displayName="Nodule size"/>
   <text><reference value="#{TOKENS[0]}"/></text><statusCode code="completed"/>
   <effectiveTime><low value="20240229"/></effectiveTime>
   <value xsi:type="PQ" value="14.2" unit="mm"/></observation></entry>
 </section></component></structuredBody></component>
</ClinicalDocument>""".encode()


class TestCda:
    def test_what_was_found_stays_and_whom_it_was_found_in_goes(self) -> None:
        cleaned = clean_document(cda(), CDA, clean)
        assert_no_token(cleaned)
        text = cleaned.decode()
        for kept in (
            "No pneumothorax in", "Mrs", 'code="18748-4"', 'xsi:type="PQ" value="14.2" unit="mm"', "Nodule size",
            'code="completed"', 'code="en-US"', "POCD_HD000040", 'classCode="OBS"', 'styleCode="Bold"',
        ):  # fmt: skip
            assert kept in text
        for gone in ("19561107", "5550199", " Clinic<", "<!--", "xml-stylesheet", 'code="F"', "1.2.3"):
            assert gone not in text

    def test_dates_move_and_times_of_day_stay(self) -> None:
        text = clean_document(cda(), CDA, clean).decode()
        assert 'effectiveTime value="20200930101112-0500"' in text
        assert 'low value="20200930"' in text
        assert "2020-09-30" in text
        assert "2024" not in text

    @pytest.mark.parametrize("value", ["2024", "202402", "20241399", "20240229x", "tomorrow"])
    def test_a_time_that_is_no_day_is_masked(self, value: str) -> None:
        source = cda().replace(b"20240229101112-0500", value.encode())
        assert f'value="{value}"' not in clean_document(source, CDA, clean).decode()

    def test_links_within_the_document_still_lead_somewhere(self) -> None:
        text = clean_document(cda(), CDA, clean).decode()
        (name,) = re.findall(r'paragraph ID="(\w+)"', text)
        assert f'reference value="#{name}"' in text

    def test_a_name_in_pieces_is_a_name(self) -> None:
        body = "<paragraph>Seen: Feather<content>stone</content> today.</paragraph>"
        text = clean_document(cda(body), CDA, clean).decode()
        assert "Seen:  today." in text

    def test_codes_of_a_local_scheme_are_masked(self) -> None:
        source = cda().replace(b'code="55752-0" codeSystem="2.16.840.1.113883.6.1"', b'code="K77" codeSystem="1.2.3.4"')
        text = clean_document(source, CDA, clean).decode()
        assert "K77" not in text
        assert '<code nullFlavor="MSK"' in text

    def test_extensions_of_other_namespaces_go(self) -> None:
        text = clean_document(cda(f"<x:secret>{TOKENS[0]} and more</x:secret>"), CDA, clean).decode()
        assert "and more" not in text

    def test_everything_about_other_persons_goes(self) -> None:
        inner = f"<signatureCode code='S'/><assignedEntity><id/>{TOKENS[0]}</assignedEntity>"
        header = f"<legalAuthenticator>{inner}</legalAuthenticator>"
        text = clean_document(cda(header=header), CDA, clean).decode()
        assert "legalAuthenticator" not in text

    def test_the_result_is_xml_of_the_same_kind_and_the_same_every_time(self) -> None:
        once = clean_document(cda(), CDA, clean)
        assert once == clean_document(cda() + b"\0", "text/xml", clean)
        again = clean_document(once, CDA, lambda text: text)
        assert again == once

    @pytest.mark.parametrize(
        "source",
        [
            b"",
            b"<a/>",
            b"<ClinicalDocument/>",
            cda()[:500],
            cda(prolog='<!DOCTYPE x [<!ENTITY e "Featherstone">]>'),
            cda(prolog='<!DOCTYPE x SYSTEM "file:///etc/passwd">'),
            cda("<unheardOf>text</unheardOf>"),
            cda("<paragraph>" * 200 + "</paragraph>" * 200),
            cda().replace(b'<value xsi:type="PQ"', b'<value xsi:type="ED" representation="B64" mediaType="image/png"'),
        ],
    )
    def test_held_when_it_is_more_than_the_tables_know(self, source: bytes) -> None:
        assert_held(source, CDA)


def binary_stl(triangles: int, header: bytes = b"", attribute: bytes = b"\0\0") -> bytes:
    triangle = struct.pack("<12f", *range(12)) + attribute
    return header.ljust(80) + struct.pack("<L", triangles) + triangle * triangles


class TestModels:
    def test_a_binary_stl_keeps_its_triangles_and_nothing_else(self) -> None:
        source = binary_stl(3, TOKENS[0].encode(), b"Fe") + b"\0"
        assert clean_document(source, STL, clean) == binary_stl(3, bytes(80))

    def test_bytes_behind_a_binary_stl_hold_it(self) -> None:
        assert_held(binary_stl(3) + TOKENS[0].encode(), STL)

    def test_an_ascii_stl_loses_its_name(self) -> None:
        corners = "   vertex 0 0 0\n   vertex 1 0 0\n   vertex 0 1e-3 0"
        body = f" facet normal 0 0 1\n  outer loop\n{corners}\n  endloop\n endfacet"
        cleaned = clean_document(f"solid {TOKENS[0]}\n{body}\nendsolid {TOKENS[0]}\n".encode(), STL, clean)
        assert_no_token(cleaned)
        assert cleaned.splitlines()[0] == b"solid"
        assert b"vertex 0 1e-3 0" in cleaned

    def test_an_ascii_stl_with_anything_else_is_held(self) -> None:
        assert_held(f"solid\n color {TOKENS[0]}\nendsolid".encode(), STL)

    def test_an_obj_keeps_geometry_and_harmless_names(self) -> None:
        source = (
            f"# {TOKENS[0]}\nmtllib bone.mtl\no {TOKENS[1]}_liver\ng left_kidney\nusemtl bone\nv 0 0 1.5\nvn 0 0 1\n"
            "s off\nf 1/1/1 2//2 3\n"
        )
        assert clean_document(source.encode(), OBJ, clean).decode() == (
            "mtllib bone.mtl\no removed\ng left_kidney\nusemtl bone\nv 0 0 1.5\nvn 0 0 1\ns off\nf 1/1/1 2//2 3\n"
        )

    def test_a_material_library_keeps_numbers(self) -> None:
        source = f"newmtl bone # {TOKENS[0]}\nKd 0.9 0.8 0.7\nd 1.0\nillum 2\n"
        assert clean_document(source.encode(), MTL, clean) == b"newmtl bone\nKd 0.9 0.8 0.7\nd 1.0\nillum 2\n"

    @pytest.mark.parametrize(
        ("source", "mime_type"),
        [
            (b"newmtl a\nmap_Kd face.png\n", MTL),
            (b"v 0 0 Featherstone\n", OBJ),
            (b"call Featherstone.obj\n", OBJ),
            (b"\xff\xfe", OBJ),
        ],
    )
    def test_held_when_a_statement_is_neither_geometry_nor_a_name(self, source: bytes, mime_type: str) -> None:
        assert_held(source, mime_type)


@pytest.mark.parametrize("mime_type", ["", "application/octet-stream", "image/jpeg", "text/html", "application/msword"])
def test_held_when_the_type_is_unknown(mime_type: str) -> None:
    assert_held(b"anything", mime_type, "type")


@pytest.mark.parametrize("mime_type", [PDF, CDA, STL, OBJ, MTL])
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_held_or_clean(mime_type: str, data: bytes) -> None:
    try:
        clean_document(data, mime_type, clean)
    except Held as held:
        assert held.reason is HoldReason.ENCAPSULATED_DOCUMENT


def test_a_failure_of_the_cleaner_is_not_released() -> None:
    def failing(text: str) -> str:
        raise ValueError(TOKENS[0])

    cleaner: Callable[[str], str] = failing
    for source, mime_type in ((pdf_file(REPORT), PDF), (cda(), CDA)):
        with pytest.raises(Held) as held:
            clean_document(source, mime_type, cleaner)
        assert TOKENS[0] not in held.value.detail

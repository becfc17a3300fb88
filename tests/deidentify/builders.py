"""Writes DICOM files byte by byte, also such as no library would write; shares no code with the engine."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from dicomanon.deidentify import PatientContext, UidMapper
from dicomanon.profile import CompiledProfile, compile_profile, load_profile

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
LONG_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF

STUDY_UID = "1.2.826.0.1.3680043.8.498.1"
SERIES_UID = "1.2.826.0.1.3680043.8.498.2"
SOP_UID = "1.2.826.0.1.3680043.8.498.3"
FRAME_OF_REFERENCE_UID = "1.2.826.0.1.3680043.8.498.4"
PSEUDONYM = "D7Q2M8K4ZX1P"
SHIFT = -1234
CONTEXT = PatientContext(PSEUDONYM, SHIFT, UidMapper(b"a key of thirty-two bytes length"))


def letting_faces_pass(name: str) -> CompiledProfile:
    """Return a shipped profile that does not hold the images of tests, few of which say what they are of."""
    return compile_profile(load_profile(name).model_copy(update={"recognizable_visual_features": "pass"}))


@dataclass(frozen=True)
class Leaf:
    """A data element with a value."""

    tag: int
    vr: str
    value: bytes | str


@dataclass(frozen=True)
class Nest:
    """A sequence; ``vr`` UN makes its content Implicit VR Little Endian, as PS3.5 section 6.2.2 demands."""

    tag: int
    items: tuple["tuple[Leaf | Nest, ...]", ...]
    vr: str = "SQ"
    undefined: bool = False


Node = Leaf | Nest


def _header(tag: int, vr: str, length: int, syntax: str) -> bytes:
    order = ">" if syntax == BIG else "<"
    if syntax == IMPLICIT:
        return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)
    if vr in LONG_VRS:
        return struct.pack(f"{order}HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return struct.pack(f"{order}HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def write(nodes: Iterable[Node], syntax: str = EXPLICIT) -> bytes:
    """Encode a data set; the nodes are put in order of their tags, duplicates stay."""
    order = ">" if syntax == BIG else "<"
    chunks = []
    for node in sorted(nodes, key=lambda node: node.tag):
        if isinstance(node, Leaf):
            value = node.value.encode("utf-8") if isinstance(node.value, str) else node.value
            if len(value) % 2:
                value += b"\0" if node.vr in {"UI", "OB", "UN"} else b" "
            chunks.append(_header(node.tag, node.vr, len(value), syntax) + value)
            continue
        inner = IMPLICIT if node.vr == "UN" else syntax
        body = b""
        for item in node.items:
            content = write(item, inner)
            if node.undefined:
                body += struct.pack(f"{order}HHL", 0xFFFE, 0xE000, UNDEFINED) + content
                body += struct.pack(f"{order}HHL", 0xFFFE, 0xE00D, 0)
            else:
                body += struct.pack(f"{order}HHL", 0xFFFE, 0xE000, len(content)) + content
        if node.undefined:
            body += struct.pack(f"{order}HHL", 0xFFFE, 0xE0DD, 0)
        chunks.append(_header(node.tag, node.vr, UNDEFINED if node.undefined else len(body), syntax) + body)
    return b"".join(chunks)


def part10(
    data_set: bytes, syntax: str = EXPLICIT, sop_class: str = CT, sop_uid: str = SOP_UID, preamble: bytes = bytes(128)
) -> bytes:
    """Put file meta information before an encoded data set."""
    meta = write(
        [
            Leaf(0x00020001, "OB", b"\0\1"),
            Leaf(0x00020002, "UI", sop_class),
            Leaf(0x00020003, "UI", sop_uid),
            Leaf(0x00020010, "UI", syntax),
            Leaf(0x00020012, "UI", "1.2.3.4"),
            Leaf(0x00020016, "AE", "META-AE-TITLE"),
        ]
    )
    return preamble + b"DICM" + _header(0x00020000, "UL", 4, EXPLICIT) + struct.pack("<L", len(meta)) + meta + data_set


@dataclass
class Instance:
    """A small but complete image; ``extra`` replaces or adds elements, ``without`` leaves some out."""

    extra: tuple[Node, ...] = ()
    without: frozenset[int] = frozenset()
    sop_class: str = CT
    syntax: str = EXPLICIT
    pixels: bytes | None = field(default=bytes(range(32)))
    preamble: bytes = bytes(128)

    def nodes(self) -> list[Node]:
        order = "big" if self.syntax == BIG else "little"
        base: list[Node] = [
            Leaf(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
            Leaf(0x00080016, "UI", self.sop_class),
            Leaf(0x00080018, "UI", SOP_UID),
            Leaf(0x00080020, "DA", "20240229"),
            Leaf(0x00080030, "TM", "101112"),
            Leaf(0x00080050, "SH", "ACC-778812"),
            Leaf(0x00080060, "CS", "CT"),
            Leaf(0x00080070, "LO", "ACME"),
            Leaf(0x00100010, "PN", "Featherstone^Wilhelmina"),
            Leaf(0x00100020, "LO", "MRN-00417733"),
            Leaf(0x00100030, "DA", "19561107"),
            Leaf(0x00100040, "CS", "F"),
            Leaf(0x0020000D, "UI", STUDY_UID),
            Leaf(0x0020000E, "UI", SERIES_UID),
            Leaf(0x00200052, "UI", FRAME_OF_REFERENCE_UID),
        ]
        if self.pixels is not None:
            base += [
                *(Leaf(tag, "US", value.to_bytes(2, order)) for tag, value in (  # type: ignore[arg-type]
                    (0x00280002, 1), (0x00280010, 4), (0x00280011, 4), (0x00280100, 16), (0x00280101, 12),
                    (0x00280102, 11), (0x00280103, 0),
                )),
                Leaf(0x00280004, "CS", "MONOCHROME2"),
                Leaf(0x00281052, "DS", "-1024"),
                Leaf(0x7FE00010, "OW", self.pixels),
            ]  # fmt: skip
        replaced = {node.tag for node in self.extra} | self.without
        return [node for node in base if node.tag not in replaced] + list(self.extra)

    def raw(self) -> bytes:
        return part10(write(self.nodes(), self.syntax), self.syntax, self.sop_class, preamble=self.preamble)

"""What the pages say, as HTML; everything that comes in is escaped."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import DictLoader, Environment, StrictUndefined

from dicomanon.crosswalk.rows import HeldCount, HeldInstance, SeenDevice
from dicomanon.deidentify.pixels.judging import TextClass
from dicomanon.devices import DeviceDecision
from dicomanon.pipeline.device_text import DeviceText, device_text
from dicomanon.pipeline.pixel_outcome import outcome_of
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.review.looks import Look

ADVICE: Final[Mapping[HoldReason, str]] = {
    HoldReason.UNCONFIRMED_DEVICE: "They wait until somebody has confirmed their device.",
    HoldReason.BURNED_IN_RISK: (
        "As intended for video, audio, slide labels, devices confirmed as hold, and text that does not go away."
    ),
    HoldReason.UNDECODABLE: (
        "Nobody can tell whether they show text: have them sent again, or in another transfer syntax."
    ),
    HoldReason.RECOGNIZABLE_FACE: (
        "Volumes that may show a face: complete the series, or use a profile that lets faces pass where they may."
    ),
}
"""What is said to each of the reasons of :data:`~dicomanon.reasons.OF_PIXELS`."""
_TEXTS: Final = (
    (TextClass.IDENTIFYING, "identifying"),
    (TextClass.UNREADABLE, "unreadable"),
    (TextClass.HARMLESS, "harmless"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """An instance in a list; ``handle`` is what it is called here."""

    handle: str
    instance: HeldInstance


@dataclass(frozen=True, slots=True)
class Samples:
    """A page of instances of one group; ``base`` is the address of the group."""

    base: str
    shown: Sequence[Sample]
    page: int = 1
    more: bool = False

    def link(self, **query: object) -> str:
        """Return the address of something in this group."""
        return f"{self.base}?{urlencode({'page': self.page, **query})}"


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device on the first page."""

    id: str
    text: DeviceText
    samples: Samples | None = None


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A reason on the first page."""

    reason: HoldReason
    count: HeldCount
    samples: Samples

    @property
    def advice(self) -> str:
        """What can be done about it."""
        return ADVICE[self.reason]


@dataclass(frozen=True, slots=True)
class Stage:
    """The large picture; ``at`` is the handle of its instance, ``frame`` counts from 1 as people do."""

    at: str
    frame: int
    contrast: bool
    look: Look
    facts: Sequence[str] = ()
    device: tuple[str, str] | None = None

    @property
    def source(self) -> str:
        """The picture itself, in the page: one request is one look."""
        picture = self.look.picture
        return f"data:image/png;base64,{base64.b64encode(picture.png).decode()}" if picture else ""


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed into the form of a device."""

    decision: str = ""
    boxes: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said at the top of a page: what came of a form, or what was wrong with it."""

    lines: Sequence[str] = field(default_factory=tuple)
    wrong: bool = False


class Pages:
    """Makes the pages that lie below a path.

    Parameters
    ----------
    root
        What every address begins with, such as ``/room``; ``""`` for none.
    """

    def __init__(self, root: str) -> None:
        self._environment = Environment(
            loader=DictLoader(_templates()), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._environment.globals["root"] = root

    def first_page(
        self,
        devices: Sequence[DeviceRow],
        others: Sequence[DeviceRow],
        reasons: Sequence[ReasonRow],
        *,
        page: int,
        more: bool,
    ) -> str:
        """Return the page of what waits."""
        return self._rendered("first.html", devices=devices, others=others, reasons=reasons, page=page, more=more)

    def device_page(
        self,
        device: SeenDevice,
        samples: Samples,
        stage: Stage | None,
        form: Form,
        *,
        proof: str,
        told: Told | None = None,
    ) -> str:
        """Return the page of a device: its pictures, and what is said of it."""
        return self._rendered(
            "device.html",
            device=device,
            text=device_text(device),
            samples=samples,
            stage=stage,
            form=form,
            proof=proof,
            told=told or Told(),
            decisions=list(DeviceDecision),
        )

    def reason_page(self, reason: HoldReason, count: HeldCount, samples: Samples, stage: Stage | None) -> str:
        """Return the page of a reason."""
        return self._rendered(
            "reason.html", reason=reason, advice=ADVICE[reason], count=count, samples=samples, stage=stage
        )

    def entered_page(self) -> str:
        """Return what leads on from the address with the token: the next request comes from a page of ours."""
        return self._rendered("entered.html")

    def message_page(self, text: str) -> str:
        """Return a page that says one thing."""
        return self._rendered("message.html", message=text)

    def words_picture(self, words: str) -> str:
        """Return words in the place of a thumbnail, as SVG."""
        return self._rendered("words.svg", lines=_broken(words))

    def _rendered(self, name: str, **values: Any) -> str:
        return self._environment.get_template(name).render(**values)


def facts_of(look: Look, profile: CompiledProfile) -> list[str]:
    """Return what is said below a picture: codes and counts, and nothing of the header."""
    facts = []
    instance = look.instance
    if instance is not None:
        facts.append(f"held({instance.reason}){f': {instance.detail}' if instance.detail else ''}")
        if instance.research_sop_uid:
            facts.append(f"research UID {instance.research_sop_uid}")
    picture = look.picture
    if picture is None:
        return facts
    size = f"{picture.rows}x{picture.columns} pixels"
    facts.append(f"{size}, {picture.frames} frames" if picture.frames > 1 else size)
    if look.by_pacs:
        return facts
    found = Counter(text.text_class for text in picture.texts)
    told = ", ".join(f"{found[kind]} {name}" for kind, name in _TEXTS if found[kind])
    facts.append(f"texts in this frame: {told or 'none found'}")
    if picture.decision is not None:
        facts.append(f"risk {picture.decision.risk}: {', '.join(picture.decision.reasons)}")
        facts.append(f"by the profile in force {outcome_of(picture.decision, profile).text}")
    return facts


_WORDS_WIDTH = 26


def _broken(words: str) -> list[str]:
    import textwrap

    return textwrap.wrap(words, _WORDS_WIDTH)[:9]


@cache
def _templates() -> dict[str, str]:
    folder = resources.files("dicomanon.review").joinpath("templates")
    return {file.name: file.read_text("utf-8") for file in folder.iterdir()}

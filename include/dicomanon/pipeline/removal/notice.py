"""What holders of a release are told when it ends; research identifiers and counts only."""

from collections.abc import Sequence
from email.message import EmailMessage

from dicomanon.crosswalk.removals.rows import RemovalKind, Tombstone

_WHY = {
    RemovalKind.WITHDRAWAL: "A patient has withdrawn consent.",
    RemovalKind.RECALL: "Objects were released that should not have been, and are recalled.",
    RemovalKind.RE_ISSUE: "Objects were wrong and are made anew, under new UIDs.",
}


def notice(tombstone: Tombstone, recipients: Sequence[str], sender: str = "") -> EmailMessage:
    """Return the message about one release, with its removed SOP Instance UIDs attached."""
    release = tombstone.release
    name = f"{release.project}/{release.number:04d}"
    message = EmailMessage()
    message["Message-ID"] = f"<removal-{tombstone.removal_id}-{release.id}@dicomanon>"
    message["Date"] = tombstone.recorded_at
    message["From"] = sender or "DICOManon <dicomanon@localhost>"
    if recipients:
        message["To"] = ", ".join(recipients)
    message["Subject"] = f"Release {name} has ended: delete {tombstone.instances} objects"
    message.set_content(
        "\n".join(
            [
                f"Release {name} of project {release.project}, requested by {release.requester}.",
                "",
                f"{_WHY[tombstone.kind]} {tombstone.instances} of its {release.instances} objects were removed"
                " from the research PACS.",
                "",
                "What you have to do:",
                "- Stop using the objects whose SOP Instance UIDs are attached.",
                "- Delete every copy of them, and everything derived of them that still shows them.",
                f"- {_next(tombstone)}",
                "- Answer this message when it is done.",
                "",
                f"Removal {tombstone.removal_id}",
            ]
        )
        + "\n"
    )
    listed = "\n".join(["SOPInstanceUID", *tombstone.research_sop_uids]) + "\n"
    message.add_attachment(listed, subtype="csv", filename="removed_instances.csv")
    return message


def _next(tombstone: Tombstone) -> str:
    new = tombstone.replaced_by
    if new is None:
        return "Nothing is left of the release, so that none replaces it."
    return f"Go on with release {new.project}/{new.number:04d}, which has the {new.instances} others."

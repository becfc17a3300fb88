"""Follows the audit trail from the newest signed head, and signs where it stands now."""

import logging
from pathlib import Path

from dicomanon.crosswalk.audit.chain import Checked
from dicomanon.crosswalk.audit.signed_head import SignedHead
from dicomanon.crosswalk.audit.trail import Audit
from dicomanon.errors import Fatal
from dicomanon.pipeline.runtime import Runtime
from dicomanon.settings import AuditSettings
from dicomanon.signing import PublicKey, SigningKey
from dicomanon.write_once import write_once

log = logging.getLogger(__name__)

Counts = dict[str, int]


def sign_site_head(runtime: Runtime) -> Counts:
    """Sign as :func:`sign_head` does, with the site's key and into the site's folder."""
    settings = AuditSettings.load()
    key = SigningKey.load(settings.audit_key_file)
    signed, checked = sign_head(runtime.crosswalk.audit, key, settings.audit_head_dir)
    return {"verified": checked.entries, "signed_entry": signed.head.number}


def sign_head(audit: Audit, key: SigningKey, folder: Path) -> tuple[SignedHead, Checked]:
    """Verify what came after the newest head of the folder, then sign and write a new one there.

    A trail that does not hold is not signed: the signature would vouch for what somebody made of it. Where nothing came
    since, the newest head stands.

    Raises
    ------
    Fatal
        The trail does not hold; a head of the folder is damaged or of another trail; or the folder cannot be written.
    """
    chain = audit.chain()
    newest = newest_head(folder, key.public)
    if newest is not None and newest.chain != chain:
        raise Fatal("the newest signed head is of another trail: point DICOMANON_AUDIT_HEAD_DIR to a folder of its own")
    checked = audit.verify([newest.head] if newest else [], start=newest.head if newest else None)
    if checked.fault is not None:
        raise Fatal(
            f"the audit trail does not hold: entry {checked.fault.number}: {checked.fault.what}. Nothing was signed; "
            "keep the database as it is, and look with `dicomanon audit verify`"
        )
    if newest is not None and newest.head == checked.head:
        return newest, checked
    signed = SignedHead.sign(key, chain, checked.head)
    write_once(folder / file_name(signed), signed.to_json().encode() + b"\n", "the signed head")
    # The log is another place that it is kept in.
    log.info("signed head: %s", signed.to_json())
    return signed, checked


def newest_head(folder: Path, key: PublicKey) -> SignedHead | None:
    """Return the head of the greatest number in a folder, ``None`` where there is none."""
    files = head_files(folder)
    return SignedHead.load(files[-1], key) if files else None


def head_files(folder: Path) -> list[Path]:
    """Return the signed heads of a folder, by number.

    Raises
    ------
    Fatal
        There is no such folder.
    """
    if not folder.is_dir():
        raise Fatal("the folder of signed heads does not exist: make it, or set DICOMANON_AUDIT_HEAD_DIR")
    return sorted(folder.glob("head-*.json"))


def file_name(signed: SignedHead) -> str:
    """Return a name that sorts by number."""
    return f"head-{signed.head.number:015d}.json"

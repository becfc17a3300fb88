"""The key that backups are encrypted to: an age key file, which the ``age`` command reads as well."""

import stat
from pathlib import Path

from pyrage import IdentityError, x25519

from dicomanon.errors import Fatal
from dicomanon.write_once import write_once

_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - the word that a line with a key begins with


class BackupKey:
    """An X25519 identity of age (https://age-encryption.org/v1)."""

    __slots__ = ("identity",)

    def __init__(self, identity: x25519.Identity) -> None:
        self.identity = identity

    @classmethod
    def generate(cls, path: Path) -> "BackupKey":
        """Make a key and write it to ``path``, readable by its owner alone.

        Raises
        ------
        Fatal
            The file exists already (a key is never overwritten) or cannot be written.
        """
        identity = x25519.Identity.generate()
        content = f"# public key: {identity.to_public()}\n{identity}\n"
        write_once(path, content.encode("ascii"), "the backup key file")
        return cls(identity)

    @classmethod
    def load(cls, path: Path) -> "BackupKey":
        """Read the key file.

        Raises
        ------
        Fatal
            It is missing, open to others than its owner and group, or does not hold exactly one key.
        """
        try:
            mode = path.stat().st_mode
            lines = path.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"the backup key file cannot be read: {type(error).__name__}") from None
        if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
            raise Fatal("the backup key file is open to others: give it mode 0600 (or 0440 where a secret is mounted)")
        keys = [line.strip() for line in lines if line.strip().startswith(_SECRET)]
        if len(keys) != 1:
            raise Fatal("the backup key file does not hold one age key")
        try:
            return cls(x25519.Identity.from_str(keys[0]))
        except IdentityError:
            raise Fatal("the backup key file is damaged") from None

    def __repr__(self) -> str:
        return "BackupKey(****)"

"""Master keys: they wrap the wrapping keys, and rest anywhere but in the database.

The seam is :class:`MasterKey`. A key of ours comes from the keyring file or from an environment secret; one of an
external key management service stays there, and a program asks the service.
"""

import base64
import binascii
import hmac
import os
import subprocess
from collections.abc import Sequence
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomanon.crosswalk.keys.data_keys import KEY_BYTES, decrypted, encrypted
from dicomanon.errors import Fatal, Retriable

_NAME_BYTES = 8
_PATIENCE_SECONDS = 60
_LONGEST_ANSWER = 64 * 1024


class MasterKey(Protocol):
    """What wraps the wrapping keys; asked once for each of them in the life of a process."""

    @property
    def name(self) -> str:
        """By what the database knows it; stands there in clear, and never changes."""
        ...

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt a key of 32 bytes, bound to ``context`` where it can.

        Raises
        ------
        Retriable
            It cannot be asked now.
        Fatal
            It refuses.
        """
        ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what :meth:`wrap` gave for the same context; raises as it does."""
        ...


class LocalMasterKey:
    """A master key that this process has: 256 bits, from the keyring file or the environment.

    Its name is a one-way mark of the key, so that it is the same wherever the key came from.
    """

    __slots__ = ("_aead", "name")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Fatal("a master key is 32 bytes long")
        self.name = "local:" + hmac.digest(key, b"dicomanon master key name", "sha256")[:_NAME_BYTES].hex()
        self._aead = AESGCM(key)

    @classmethod
    def from_text(cls, text: str) -> "LocalMasterKey":
        """Read a key in base64, as a secret in the environment is.

        Raises
        ------
        Fatal
            It is not 32 bytes in base64.
        """
        try:
            return cls(base64.b64decode(text.strip(), validate=True))
        except (binascii.Error, ValueError):
            raise Fatal("a master key is 32 bytes in base64: `openssl rand -base64 32` makes one") from None

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt with AES-256-GCM."""
        return encrypted(self._aead, key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt, for the same context only."""
        return decrypted(self._aead, wrapped, context)

    def __repr__(self) -> str:
        return f"LocalMasterKey({self.name}, ****)"


class CommandMasterKey:
    """A master key that another program uses for us, such as the command line of a key management service.

    The program is run with ``wrap`` or ``unwrap`` as its last argument and the context in the environment variable
    ``DICOMANON_KEY_CONTEXT``. It reads base64 from its standard input and writes base64 to its standard output, so
    that no key ever stands in arguments or in a file. Exit code 0 means done, 75 (EX_TEMPFAIL of sysexits.h) try again,
    any other one refused. What it writes to its standard error is not kept.
    """

    __slots__ = ("_command", "name")

    def __init__(self, command: Sequence[str], name: str) -> None:
        if not command or not name.strip():
            raise Fatal("the program of a master key needs a command and a name")
        self._command = tuple(command)
        self.name = f"command:{name.strip()}"

    def wrap(self, key: bytes, context: str) -> bytes:
        """Have the program encrypt."""
        return self._ask("wrap", key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Have the program decrypt."""
        key = self._ask("unwrap", wrapped, context)
        if len(key) != KEY_BYTES:
            raise Fatal("the program of the master key gave back something that is not a key")
        return key

    def _ask(self, verb: str, data: bytes, context: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._command, verb],
                input=base64.b64encode(data) + b"\n",
                env=_environment() | {"DICOMANON_KEY_CONTEXT": context},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Retriable(f"the program of the master key did not answer within {_PATIENCE_SECONDS} s") from None
        except OSError as error:
            raise Fatal(f"the program of the master key cannot be run ({error.strerror})") from None
        if done.returncode == os.EX_TEMPFAIL:
            raise Retriable("the program of the master key asks to try again later")
        if done.returncode or len(done.stdout) > _LONGEST_ANSWER:
            raise Fatal(
                f"the program of the master key refused (exit code {done.returncode}): run it by hand to see why"
            )
        try:
            answer = base64.b64decode(b"".join(done.stdout.split()), validate=True)
        except binascii.Error:
            raise Fatal("the program of the master key did not answer in base64") from None
        if not answer:
            raise Fatal("the program of the master key answered nothing")
        return answer

    def __repr__(self) -> str:
        return f"CommandMasterKey({self.name})"


def _environment() -> dict[str, str]:
    """Return our environment without our secrets: the program needs its own, not ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DICOMANON_")}

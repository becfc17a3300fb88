"""Who somebody is: the account that the kernel knows a process by."""

import os
import pwd

from dicomanon.errors import Fatal


def signer() -> str:
    """Return who signs and who is named in the audit trail.

    The environment's idea of a user is anybody's to set, and a second kind of name would make two persons of one.

    Raises
    ------
    Fatal
        The account has no name.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise Fatal("your account has no name on this system: run this as somebody who has one") from None

"""Binds a database to its keyring, and makes the first keys in it."""

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import DIRECT_KEY
from dicomanon.crosswalk.keys.keychain import Connection, slot_context
from dicomanon.crosswalk.keys.wrapping import WrappingKey, new_key
from dicomanon.errors import Fatal

_FIRST = 1
_SEALING = "sealing"


def make_first_keys(connection: Connection, keyring: Keyring) -> None:
    """Write the keyring's fingerprints, and where there is none yet, a wrapping key and a site key.

    In a database that was written before there were data keys, the sealing key of the keyring becomes site key 0, so
    that what it has sealed opens whatever becomes of the keyring's key. Safe to call again, and by several at once.

    Raises
    ------
    Fatal
        The database was written with another keyring.
    """
    connection.execute("LOCK TABLE crosswalk.wrapping_key IN EXCLUSIVE MODE")
    fingerprints = keyring.fingerprints()
    known: dict[str, bytes] = dict(
        connection.execute("SELECT key_name, fingerprint FROM crosswalk.keyring_fingerprint").fetchall()
    )
    if any(fingerprints.get(name) != fingerprint for name, fingerprint in known.items()):
        raise Fatal("the crosswalk was written with another keyring: point DICOMANON_KEYRING_FILE to that one")
    # From now on the slots of the wrapping keys tell which master keys open them.
    connection.execute("DELETE FROM crosswalk.keyring_fingerprint WHERE key_name = %s", (_SEALING,))
    connection.cursor().executemany(
        "INSERT INTO crosswalk.keyring_fingerprint (key_name, fingerprint) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        sorted((name, fingerprint) for name, fingerprint in fingerprints.items() if name != _SEALING),
    )
    if connection.execute("SELECT 1 FROM crosswalk.wrapping_key").fetchone():
        return
    key, master = new_key(), keyring.masters[0]
    connection.execute("INSERT INTO crosswalk.wrapping_key (number) VALUES (%s)", (_FIRST,))
    connection.execute(
        "INSERT INTO crosswalk.wrapping_key_slot (number, master, key_wrapped) VALUES (%s, %s, %s)",
        (_FIRST, master.name, master.wrap(key, slot_context(_FIRST))),
    )
    wrapping = WrappingKey(_FIRST, key)
    site_keys = {_FIRST: new_key()} | ({DIRECT_KEY: keyring.sealing_key} if _SEALING in known else {})
    connection.cursor().executemany(
        "INSERT INTO crosswalk.site_key (number, key_wrapped) VALUES (%s, %s)",
        [(number, wrapping.wrap(one, "site", number)) for number, one in site_keys.items()],
    )

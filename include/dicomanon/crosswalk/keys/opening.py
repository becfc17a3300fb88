"""Which master keys a site holds: read from its settings."""

import shlex

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.masters import CommandMasterKey, LocalMasterKey, MasterKey
from dicomanon.errors import Fatal
from dicomanon.settings import CrosswalkSettings


def load_keyring(settings: CrosswalkSettings) -> Keyring:
    """Read the keyring file, and the master keys that the settings name.

    The one of ``DICOMANON_MASTER_KEY_FROM`` wraps; every other one that is set can still open, so that a site can move
    from one to another while it works.

    Raises
    ------
    Fatal
        The file or a master key is missing or malformed.
    """
    keyring = Keyring.load(settings.keyring_file)
    others = _others(settings)
    wanted = settings.master_key_from
    if wanted == "keyring":
        return keyring.with_masters((*keyring.masters, *others.values()))
    if wanted not in others:
        raise Fatal("DICOMANON_MASTER_KEY_FROM names a master key that is not set: see the runbook, Keys")
    first = others.pop(wanted)
    return keyring.with_masters((first, *others.values(), *keyring.masters))


def renew_keyring_file(settings: CrosswalkSettings) -> None:
    """Put a new sealing key into the keyring file, and keep the present one beside it.

    Raises
    ------
    Fatal
        The file cannot be replaced; it is as it was.
    """
    Keyring.load(settings.keyring_file).replaced_sealing_key().replace(settings.keyring_file)


def forget_former_keys(settings: CrosswalkSettings) -> bool:
    """Remove former sealing keys from the keyring file; tell whether there were any. Raises as the renewal does."""
    keyring = Keyring.load(settings.keyring_file)
    if not keyring.has_former_keys:
        return False
    keyring.without_former_keys().replace(settings.keyring_file)
    return True


def _others(settings: CrosswalkSettings) -> dict[str, MasterKey]:
    """Return the master keys beside those of the keyring file, by where they come from."""
    secret, former, command = settings.master_key, settings.former_master_key, settings.master_key_command
    others: dict[str, MasterKey] = {}
    # An empty variable is one that is not set: that is what compose files make of a secret that they were not given.
    if secret is not None and secret.get_secret_value():
        others["environment"] = LocalMasterKey.from_text(secret.get_secret_value())
    if command:
        others["command"] = CommandMasterKey(shlex.split(command), settings.master_key_name)
    if former is not None and former.get_secret_value():
        others["former"] = LocalMasterKey.from_text(former.get_secret_value())
    return others

"""Make the keys, the certificates and the `.env` file that docker-compose.yaml asks for; never overwrites any."""

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from certificates import AUTHORITY, CERTIFICATE, KEY, hand_over, make_certificates

from dicomanon.backup.key import BackupKey
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.signing import SigningKey

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "deploy" / ".env.example"

AIRFLOW_UID = 50000
"""The user of Airflow's official image, who must be able to read the keyring."""


def _password() -> str:
    # Letters and digits alone, as these end up inside URLs and JSON; 64 of them, as HS512 wants of a signing key.
    return secrets.token_hex(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", type=Path, default=ROOT / ".env", help="file to write (default: .env)")
    parser.add_argument(
        "--keyring",
        type=Path,
        default=ROOT / "deploy" / "secrets" / "keyring.json",
        help="keyring to use, made if there is none, as are audit_key.pem and certificates beside it "
        "(default: in deploy/secrets)",
    )
    parser.add_argument(
        "--backup-key",
        type=Path,
        help="backup key to use, made if there is none (default: backup.key beside the keyring)",
    )
    arguments = parser.parse_args()

    env_file: Path = arguments.env
    if env_file.exists():
        print(f"{env_file} exists already: move it away first, or edit it by hand", file=sys.stderr)
        return 1
    keyring_file: Path = arguments.keyring.resolve()
    audit_key_file = keyring_file.with_name("audit_key.pem")
    backup_key_file: Path = (arguments.backup_key or keyring_file.with_name("backup.key")).resolve()
    keys: dict[Path, Callable[[Path], object]] = {
        keyring_file: Keyring.generate,
        audit_key_file: SigningKey.generate,
        backup_key_file: BackupKey.generate,
    }
    made = []
    for file, generate in keys.items():
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            generate(file)
            made.append(file)
    certified = make_certificates(keyring_file.parent)
    public_key = base64.b64encode(Keyring.load(keyring_file).request_public_key).decode()

    makers: dict[str, Callable[[], str]] = {
        "AIRFLOW_FERNET_KEY": _fernet_key,
        "DICOMANON_KEYRING_HOST_FILE": lambda: str(keyring_file),
        "DICOMANON_AUDIT_KEY_HOST_FILE": lambda: str(audit_key_file),
        "DICOMANON_BACKUP_KEY_HOST_FILE": lambda: str(backup_key_file),
        "DICOMANON_REQUEST_PUBLIC_KEY": lambda: public_key,
        "POSTGRES_CA_HOST_FILE": lambda: str(keyring_file.with_name(AUTHORITY)),
        "POSTGRES_CERTIFICATE_HOST_FILE": lambda: str(keyring_file.with_name(CERTIFICATE)),
        "POSTGRES_KEY_HOST_FILE": lambda: str(keyring_file.with_name(KEY)),
    }
    lines = []
    for line in TEMPLATE.read_text().splitlines():
        name, separator, value = line.partition("=")
        to_fill = separator and not value and not line.startswith("#")
        lines.append(f"{name}={makers.get(name, _password)()}" if to_fill else line)
    with os.fdopen(os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write("\n".join(lines) + "\n")

    for file in keys:
        print(f"{'made' if file in made else 'kept'} {file}")
    print(f"wrote {env_file}")
    if certified:
        hand_over(keyring_file.parent)
    for file in made:
        _hand_over(file)
    if made:
        print("keep copies of the keys apart from all backups: without them neither crosswalk nor backup can be read")
    return 0


def _hand_over(file: Path) -> None:
    """Give a key to the container's user, or say how."""
    if os.geteuid() == 0:
        os.chown(file, AIRFLOW_UID, 0)
    elif os.geteuid() != AIRFLOW_UID:
        print(f"the containers run as uid {AIRFLOW_UID}: sudo chown {AIRFLOW_UID}:0 {file}")


if __name__ == "__main__":
    sys.exit(main())

"""Make the certificates of PostgreSQL's TLS: an authority, and a server certificate for the name `postgres`.

The key of the authority is thrown away once it has signed, so that nobody can ever sign another server with it. To
renew them, remove the three files, run this again, and restart the stack.
"""

import argparse
import datetime as dt
import ipaddress
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = Path(__file__).resolve().parent.parent
SECRETS = ROOT / "deploy" / "secrets"

POSTGRES_UID = 999
"""The user of PostgreSQL's official image, who must be able to read the key, and with whom nobody may share it."""

AUTHORITY, CERTIFICATE, KEY = "postgres-ca.crt", "postgres.crt", "postgres.key"

_VALID = dt.timedelta(days=3650)


def make_certificates(folder: Path) -> bool:
    """Write the three files into ``folder``, unless they are there; return whether they were made."""
    paths = [folder / name for name in (AUTHORITY, CERTIFICATE, KEY)]
    if all(path.exists() for path in paths):
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DICOManon PostgreSQL authority")])
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postgres")])
    names = [x509.DNSName("postgres"), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        _certificate(server_name, authority_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, content, mode in (
        (paths[0], authority.public_bytes(serialization.Encoding.PEM), 0o644),
        (paths[1], server.public_bytes(serialization.Encoding.PEM), 0o644),
        (paths[2], private, 0o600),
    ):
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        # Whatever the umask: the containers' users read the certificates.
        path.chmod(mode)
    return True


def hand_over(folder: Path) -> None:
    """Give the key to the container's user, or say how."""
    key = folder / KEY
    if os.geteuid() == 0:
        os.chown(key, POSTGRES_UID, 0)
    elif os.geteuid() != POSTGRES_UID:
        print(f"PostgreSQL runs as uid {POSTGRES_UID}: sudo chown {POSTGRES_UID}:0 {key}")


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of two hosts differ.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=SECRETS, help="where to write them (default: deploy/secrets)")
    folder: Path = parser.parse_args().folder.resolve()
    made = make_certificates(folder)
    print(f"{'made' if made else 'kept'} {AUTHORITY}, {CERTIFICATE} and {KEY} in {folder}")
    if made:
        hand_over(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

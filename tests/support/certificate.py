"""A certificate for this machine, which nobody vouches for but itself; needs the openssl command."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

OPENSSL: Final = shutil.which("openssl")

MISSING: Final = "the openssl command, which makes certificates, is not installed"


def make_certificate(folder: Path) -> Path:
    """Return a PEM file with a key and its certificate, good for two days."""
    assert OPENSSL is not None
    made = folder / "localhost.pem"
    names = "subjectAltName=DNS:localhost,DNS:shop.example,IP:127.0.0.1,IP:::1"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    where = ["-subj", "/CN=localhost", "-addext", names, "-keyout", str(made), "-out", str(folder / "certificate.pem")]
    subprocess.run([OPENSSL, "req", "-x509", *kind, *where], check=True, capture_output=True)
    with made.open("a") as file:
        file.write((folder / "certificate.pem").read_text())
    return made

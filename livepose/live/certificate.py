"""Certificates for ``--serve``: one from a file, or one that is made for this run."""

import ssl
import subprocess
import tempfile
from pathlib import Path

from livepose.errors import UsageError


def tls_from(path: Path) -> ssl.SSLContext:
    """A context with the certificate and key of one PEM file.

    Raises
    ------
    UsageError
        When the file cannot be read or lacks one of the two.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has no certificate with its key"
        raise UsageError(
            f"--serve-cert {path}: {reason}; expected a PEM file with certificate and key"
        ) from error
    return context


def self_signed_tls(host: str) -> ssl.SSLContext:
    """A context with a fresh certificate, which browsers ask about once.

    Raises
    ------
    UsageError
        When there is no ``openssl`` to make it with.
    """
    with tempfile.TemporaryDirectory(prefix="livepose-") as folder:
        both = Path(folder) / "both.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "365"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=livepose"]
        command += ["-addext", f"subjectAltName={_name(host)}", "-keyout", str(both)]
        try:
            made = subprocess.run(command, capture_output=True, check=True, timeout=30.0)
        except (OSError, subprocess.SubprocessError) as error:
            raise UsageError(
                "--serve-self-signed needs the program openssl; install it, or give a "
                "certificate of your own with --serve-cert FILE"
            ) from error
        with both.open("ab") as file:
            file.write(made.stdout)
        return tls_from(both)


def _name(host: str) -> str:
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    return f"{kind}:{host},DNS:localhost,IP:127.0.0.1"

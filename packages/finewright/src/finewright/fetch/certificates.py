"""What the certificate of a server is checked by, also where nothing else of the environment is trusted."""

import os
import ssl


def load_certificates() -> ssl.SSLContext | bool:
    """The certificates of SSL_CERT_FILE or SSL_CERT_DIR, where one is set; else httpx' own list.

    Raises OSError where they cannot be read."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return True
    return ssl.create_default_context(cafile=file or None, capath=folder or None)

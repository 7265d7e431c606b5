"""How a server is verified that is reached over TLS, and what it is shown of us."""

import ssl

from sessile.errors import ConfigError


class Tls:
    """How the server is verified, and what we show it. Files in PEM.

    Args:
        ca: the authorities to trust instead of the system's.
        cert: our certificate, where the server asks for one.
        key: its key, where the certificate's file does not hold it.

    Attributes:
        context: verifies the certificate and the host's name.

    Raises:
        ConfigError: a file cannot be read.
    """

    def __init__(
        self, ca: str | None = None, cert: str | None = None, key: str | None = None
    ) -> None:
        self.ca, self.cert, self.key = ca, cert, key
        try:
            self.context = ssl.create_default_context(cafile=ca)
            if cert is not None:
                self.context.load_cert_chain(cert, key)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(file for file in (ca, cert, key) if file)
            raise ConfigError(
                f"TLS files {files}: {error.strerror or error}; "
                "write ca=, cert= and key= with the paths of readable PEM files"
            ) from error

"""The one thing that input can do to us."""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer broke the protocol, a limit, or what we support; nothing more is read from it.

    ``code`` is for logs and tests.  Where the peer can show a sentence, the session
    has put it into ``data_to_send`` before it raises.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

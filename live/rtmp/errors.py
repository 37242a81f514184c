"""Protocol error, the only exception that input can raise."""

from __future__ import annotations


class ProtocolError(Exception):
    """Error: the peer broke the protocol, exceeded a limit or used an unsupported feature.

    Nothing more is read from the peer.  ``code`` is for logs and tests.  If the peer can
    show a sentence, the session has put it into ``data_to_send`` before it raises.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

"""RTMP without sockets: bytes in, events and bytes out (Adobe's RTMP 1.0, and what encoders really send).

``session.ServerSession`` is the whole of a connection: ``handshake``, then ``chunks``
that carry messages, some of them commands in ``amf0``.  ``flv`` knows what is inside
a media message.  Every size a peer declares is checked before anything is kept, and
``errors.ProtocolError`` is all that any input can raise.
"""

"""RTMP without sockets: bytes in, events and bytes out (Adobe's RTMP 1.0, and encoders' deviations).

``session.ServerSession`` handles a whole connection: ``handshake``, then ``chunks``
that carry messages, some of them commands in ``amf0``.  ``flv`` reads the content of
a media message.  Every size that a peer declares is checked before anything is kept,
and input raises nothing but ``errors.ProtocolError``.
"""

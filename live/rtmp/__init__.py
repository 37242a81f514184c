"""RTMP without sockets: bytes in, events and bytes out (Adobe's RTMP 1.0, and what encoders really send)."""

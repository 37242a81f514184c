"""HLS playlists as values (RFC 8216 and draft-pantos-hls-rfc8216bis).

A playlist is a frozen dataclass; its ``render`` method returns the same text for
the same values.  ``attributes`` writes values, ``media`` one rendition's list of
segments, ``multivariant`` the list of renditions.  Callers pass in the URIs, signed
if necessary.
"""

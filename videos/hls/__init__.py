"""HLS playlists as values (RFC 8216 and draft-pantos-hls-rfc8216bis).

A playlist is a frozen dataclass whose ``render`` gives its text, to the letter
and always the same.  ``attributes`` knows how values are written, ``media`` one
rendition's list of segments, ``multivariant`` the list of renditions.  URIs are
passed in: what they point at, and who signs them, is not our business.
"""

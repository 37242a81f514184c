"""Low-Latency HLS: boxes, parts, segments, playlists, and when to answer (draft-pantos-hls-rfc8216bis)."""

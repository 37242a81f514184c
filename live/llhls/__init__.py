"""Low-Latency HLS: boxes, parts, segments, playlists and delivery (draft-pantos-hls-rfc8216bis)."""

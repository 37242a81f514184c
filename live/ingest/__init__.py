"""A broadcast's way in: RTMP connections, one FFmpeg each, parts to the edge and segments to the bucket."""

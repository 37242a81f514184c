"""Ingest of broadcasts: RTMP connections, one FFmpeg each, parts to the edge and segments to the bucket."""

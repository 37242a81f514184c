"""Media formats that uploads and broadcasts share: MP4 boxes, tracks, AAC configurations.

Only bytes and numbers: no Django, no files of its own, and every loop is bounded.
"""

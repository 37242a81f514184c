"""Everything that is played on demand.

A video travels once, in one direction: upload → probe → plan → encode →
publish.  ``pipeline.py`` reads like that sentence; ``transcoding/`` and
``hls/`` decide without knowing Django.
"""

"""Videos on demand.

A video takes one path: upload → probe → plan → encode → publish.  ``pipeline.py``
has the steps in this order; ``transcoding/`` and ``hls/`` do not depend on Django.
"""

"""Sources whose streams become renditions without an encode: segments are cut from their own bytes.

``tables`` reads the index of an MP4 file, and ``scans`` makes the same tables of other
containers; ``eligibility`` decides, with a named reason, whether video and audio tracks can
be copied; ``grid`` lays the segments on the keyframes; ``segments`` writes them.  No program
decodes anything on this path.
"""

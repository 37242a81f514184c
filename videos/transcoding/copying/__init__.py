"""Sources whose streams become renditions without an encode: segments are cut from their own bytes.

``tables`` reads the index of an MP4 file; ``eligibility`` decides, with a named reason,
whether its video and audio tracks can be copied; ``grid`` lays the segments on its
keyframes; ``segments`` writes them.  No program decodes anything on this path.
"""

"""From an uploaded file to fMP4 segments on disk: plain Python around FFmpeg.

The modules are the steps of the path, each usable alone.  ``probe`` turns a
source into a frozen ``SourceInfo`` or into a ``TranscodeError`` its owner can
read.  ``ladder`` and ``chunks`` decide, purely, what to encode and in which
pieces.  ``ffmpeg`` writes the command lines, ``run`` executes them and hands out
segments as they are finished.  Underneath, ``sandbox`` is the only place that
starts a process, ``sniff`` and ``mp4`` read bytes before FFmpeg may, ``packets``
and ``framerate`` measure what headers only claim.

Nothing here knows Django, a database or S3: a source is an http(s) URL or a
local path, a result is a file.
"""

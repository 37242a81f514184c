"""The path from an uploaded file to fMP4 segments on disk: plain Python around FFmpeg.

The modules are the steps of the path, and each is usable alone.  ``probe`` turns a
source into a frozen ``SourceInfo`` or raises a ``TranscodeError`` for its owner.
``ladder`` and ``chunks`` decide, purely, the rungs and the pieces to encode.
``ffmpeg`` writes the command lines; ``run`` executes them and yields segments as
they are finished.  Underneath, ``sandbox`` confines every process that reads media,
``sniff`` and ``mp4`` read bytes before FFmpeg does, and ``packets`` and
``framerate`` measure times and rates, because headers may be wrong.

The package does not import Django, a database or S3: a source is an http(s) URL or
a local path, a result is a file.
"""

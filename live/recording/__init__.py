"""Recording of a broadcast as a video that grows: DVR while it runs, replay afterwards.

Finished live segments are joined (:mod:`.assembler`), wait in memory or on disk
(:mod:`.recorder`, :mod:`.spool`), and are stored and listed (:mod:`.writer`).  A dead
ingest's segments are stored by :mod:`.recovery`.
"""

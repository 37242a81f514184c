"""Live edge in Redis: the newest half minute of a broadcast, for every process that serves it.

An ingest writes it (:mod:`.writer`), Django sets its access and its end (:mod:`.control`),
and every web process serves it (:mod:`.origin`) from what it reads (:mod:`.reader`).
They share the names and formats of :mod:`.keys`, and nothing else.
"""

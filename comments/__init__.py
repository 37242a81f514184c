"""Threads and danmaku under anything.

A *comment* belongs to a thread: a root and its replies, one level deep.  A
*danmaku* is a short message at a moment of what is played, shown flying over it.
Both hang on a *target*, found by content type: this app knows no other above
``accounts``, and asks its target the questions of :class:`comments.targets.Target`.
"""

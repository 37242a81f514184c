"""Threads of comments and danmaku, attached to any object.

A *comment* belongs to a thread: a root and its replies, one level deep.  A
*danmaku* is a short message at a moment of a video, which flies over it.  Both
belong to a *target*, found by content type.  This app imports no other app than
``accounts`` and uses its target through :class:`comments.targets.Target`.
"""

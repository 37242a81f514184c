"""API of comments and danmaku.

The app that owns a target subclasses :class:`~comments.api.comments.CommentsView` and
:class:`~comments.api.danmaku.DanmakuView` for the target's lists.  A single comment or
message is found by its own id.
"""

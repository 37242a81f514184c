"""Channels of other sites, read through the public API of each.

``peertube`` and ``mediacms`` turn the answers of a site into ``FoundVideo``s; a site may send
anything, so each value is checked and cut.  ``asking`` makes the requests.
"""

"""Videos of pages of other sites, fetched by yt-dlp where it is installed.

``program`` is a program that runs yt-dlp on one page, ``reading`` runs it confined like FFmpeg,
and ``proxy`` is the only network of that program: it connects to checked addresses alone.
"""

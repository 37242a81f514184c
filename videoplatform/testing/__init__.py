"""The tools of ``bin/test`` and ``bin/check``. The site imports none of them.

``suite`` starts real services and runs every test; ``checks`` runs the checks of style, types
and wording; ``browser``, ``gstreamer`` and ``postgres`` bring the engines that only tests need.
Servers, ports and progress lines are those of ``videoplatform.embedded``.
"""

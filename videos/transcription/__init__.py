"""Speech to captions, as plain Python about files, numbers and text.

``weights`` finds the speech model, ``recogniser`` is a program that turns sound into words
with their times, ``listening`` runs it confined, and ``cues`` makes captions from words.
"""

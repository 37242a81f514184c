"""Spam detection: :mod:`facts` collects, :mod:`rules` decides, :mod:`counters` counts in the cache."""

"""API of videos, on the same services and QuerySets as the pages."""

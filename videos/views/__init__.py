"""Pages of videos, and the playlists of their players."""

"""Pages of streams, and the playlists of their recordings."""

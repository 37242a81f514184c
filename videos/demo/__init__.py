"""Demo videos: drawn by code, and uploaded through the services like everyone's."""

"""Chat rooms: what may be said, the room's log in Redis, and the hub that fans it out."""

"""Chat rooms: the rules for messages, the room's log in Redis, and the hub that fans events out."""

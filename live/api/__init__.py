"""API of streams and chats, on the same services and QuerySets as the pages."""

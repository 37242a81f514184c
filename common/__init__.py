"""Shared foundation of all apps; it imports none of them."""

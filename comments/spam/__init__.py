"""Spam: pure rules judge the facts about a text, and counters in the cache provide some of them."""

"""API of accounts, through the same services as the pages."""

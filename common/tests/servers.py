"""Web servers of tests."""

# ``serve_forever`` looks for the request to stop this often; at the default of half a second
# the end of a server takes longer than its test.
POLL_S = 0.01

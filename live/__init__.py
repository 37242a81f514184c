"""Live streaming: streams, broadcasts and their chat."""

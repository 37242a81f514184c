"""Limit of file descriptors: every socket needs one, and the default soft limit is 1,024."""

import resource

# Enough for the sockets of one process.  Some programs loop over all numbers up to the
# limit, and a hard limit may be a thousand million.
MAX_DESCRIPTORS = 65_536


def raise_descriptor_limit() -> int:
    """Raise the soft limit of this process and its future children as far as allowed; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft if soft != resource.RLIM_INFINITY else MAX_DESCRIPTORS

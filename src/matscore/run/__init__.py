"""One chunk in, one result out, and what runs that over all chunks, here or on a cluster."""

"""What Redis holds: rows, offsets, leases and marks, and the scripts that change them."""

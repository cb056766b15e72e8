"""The room of rules: bytes in, events out, with no I/O, no clock and no randomness of its own."""

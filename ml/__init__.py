"""The room of networks: pixels in, findings out. It imports none of the other rooms."""

"""The room of keys: identities, signatures, sealed blobs, wraps and the secure channel.

Nothing here knows photos, peers' names or the network.
"""

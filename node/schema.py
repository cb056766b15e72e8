"""The library's schema, as a list of steps. A released step is never changed, only followed."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    # 1: version 0.1.0
    """
    CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE contacts (
        identity BLOB PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        pair_secret BLOB NOT NULL,
        added INTEGER NOT NULL,
        verified INTEGER NOT NULL DEFAULT 0,
        muted INTEGER NOT NULL DEFAULT 0,
        blocked INTEGER NOT NULL DEFAULT 0,
        accept TEXT NOT NULL DEFAULT 'ask' CHECK (accept IN ('ask', 'always'))
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE devices (
        device BLOB PRIMARY KEY,
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        chain BLOB NOT NULL,
        seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX devices_by_identity ON devices (identity);

    CREATE TABLE addresses (
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (identity, host, port)
    ) STRICT, WITHOUT ROWID;

    -- Sealed blobs that lie in the blob folder, whole and verified.
    CREATE TABLE blobs (
        content_id BLOB PRIMARY KEY,
        kind INTEGER NOT NULL,
        photo_id BLOB NOT NULL,
        manifest BLOB NOT NULL,
        file_key BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Photos of which record, metadata and original are here, own and received.
    CREATE TABLE photos (
        photo_id BLOB PRIMARY KEY,
        author BLOB NOT NULL,
        record BLOB NOT NULL,
        content_id BLOB NOT NULL REFERENCES blobs,
        metadata_id BLOB NOT NULL REFERENCES blobs,
        metadata BLOB NOT NULL,
        fingerprint BLOB NOT NULL,  -- keyed hash of the content: finds it again, tells nothing
        added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX photos_by_fingerprint ON photos (fingerprint);

    -- What goes out: one row per photo and receiving device.
    CREATE TABLE deliveries (
        envelope_hash BLOB PRIMARY KEY,
        photo_id BLOB NOT NULL REFERENCES photos,
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        device BLOB NOT NULL,
        envelope BLOB NOT NULL,
        expires INTEGER,
        state TEXT NOT NULL
            CHECK (state IN ('queued', 'offered', 'waiting', 'delivered', 'refused')),
        code TEXT,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deliveries_by_photo ON deliveries (photo_id);
    CREATE INDEX deliveries_by_device ON deliveries (device, state);

    -- What came in: one row per envelope. Keys stay here until the photo does.
    CREATE TABLE offers (
        envelope_hash BLOB PRIMARY KEY,
        photo_id BLOB NOT NULL,
        identity BLOB NOT NULL,
        device BLOB NOT NULL,
        record BLOB NOT NULL,
        capability BLOB NOT NULL,
        content_key BLOB NOT NULL,
        metadata_key BLOB NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'accepted', 'stored', 'declined', 'refused')),
        code TEXT,
        received INTEGER NOT NULL,
        updated INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX offers_by_photo ON offers (photo_id);
    CREATE INDEX offers_by_identity ON offers (identity, state);
    """,
)

VERSION: Final = len(MIGRATIONS)

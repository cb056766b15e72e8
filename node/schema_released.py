"""The steps of the library's schema up to version 0.2.0, which is released; see `schema`."""

from __future__ import annotations

from typing import Final

RELEASED: Final[tuple[str, ...]] = (
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
    # 2: version 0.2.0
    """
    ALTER TABLE contacts ADD COLUMN metadata TEXT NOT NULL DEFAULT 'no-location'
        CHECK (metadata IN ('original', 'no-location', 'clean'));

    -- Out of the metadata, for the search; NULL until `catalogue` has read them.
    ALTER TABLE photos ADD COLUMN name TEXT;  -- folded
    ALTER TABLE photos ADD COLUMN modified INTEGER;  -- seconds since 1970

    -- What the decoder found in a picture. Never sent; a photo without a row was not looked at yet.
    CREATE TABLE facts (
        photo_id BLOB PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
        facts BLOB NOT NULL,      -- all of it, msgpack
        captured TEXT,            -- local time as the camera showed it, ISO 8601 without the zone
        camera TEXT,              -- folded
        latitude REAL,
        longitude REAL,
        place TEXT,               -- folded
        pair TEXT,
        c2pa TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX facts_by_captured ON facts (captured);
    CREATE INDEX facts_by_pair ON facts (pair) WHERE pair IS NOT NULL;

    -- Live photos: a still and its clip, two photos that are one item.
    CREATE TABLE clips (
        still_id BLOB PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
        clip_id BLOB NOT NULL UNIQUE REFERENCES photos ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;

    -- Copies made for sharing under a metadata policy, so that a second share makes none.
    CREATE TABLE copies (
        source_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        policy TEXT NOT NULL,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,  -- may be the source
        left_out TEXT NOT NULL,   -- JSON list of words
        PRIMARY KEY (source_id, policy)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX copies_by_photo ON copies (photo_id);

    -- Previews and the like: made once, sealed like everything else, made again if lost.
    CREATE TABLE renditions (
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        name TEXT NOT NULL,
        content_id BLOB NOT NULL REFERENCES blobs,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        PRIMARY KEY (photo_id, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE albums (
        album_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE album_photos (
        album_id INTEGER NOT NULL REFERENCES albums ON DELETE CASCADE,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        added INTEGER NOT NULL,
        PRIMARY KEY (album_id, photo_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX album_photos_by_photo ON album_photos (photo_id);

    -- Where imported files lay: one that has not changed since is not read again.
    CREATE TABLE files (
        path BLOB PRIMARY KEY,      -- as the system has it: it may be no text
        stem BLOB NOT NULL,         -- without its suffix, the name folded: a clip has its still's
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,  -- nanoseconds since 1970
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX files_by_stem ON files (stem);

    -- Folders that the node keeps up: `mirror` writes photos there, `watch` takes them from there.
    CREATE TABLE folders (
        folder_id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('mirror', 'watch')),
        album_id INTEGER REFERENCES albums ON DELETE CASCADE,
        identity BLOB REFERENCES contacts ON DELETE CASCADE,
        options TEXT NOT NULL,    -- JSON
        created INTEGER NOT NULL
    ) STRICT;
    -- What a mirror has written, or a watch has shared, is done once: a person may have moved or
    -- removed it since.
    CREATE TABLE folder_photos (
        folder_id INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        name TEXT NOT NULL,       -- of the file, as a mirror wrote it
        PRIMARY KEY (folder_id, photo_id)
    ) STRICT, WITHOUT ROWID;
    """,
    # 3: version 0.2.0, who may see what
    """
    -- Copies by their whole form: a smaller one beside one of full size.
    CREATE TABLE copies_3 (
        source_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        policy TEXT NOT NULL,
        max_px INTEGER NOT NULL,  -- longest side; 0: as long as it is
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,  -- may be the source
        left_out TEXT NOT NULL,   -- JSON list of words
        PRIMARY KEY (source_id, policy, max_px)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO copies_3 SELECT source_id, policy, 0, photo_id, left_out FROM copies;
    DROP TABLE copies;
    ALTER TABLE copies_3 RENAME TO copies;
    CREATE INDEX copies_by_photo ON copies (photo_id);

    -- What was granted: each capability that went out.
    CREATE TABLE grants (
        grant_hash BLOB PRIMARY KEY,  -- of its last link, as a list of revocations names it
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        capability BLOB NOT NULL,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX grants_by_photo ON grants (photo_id);
    CREATE INDEX grants_by_identity ON grants (identity);

    -- Who says what of whom, by us and by others.
    CREATE TABLE attestations (
        digest BLOB PRIMARY KEY,
        issuer BLOB NOT NULL,
        subject BLOB NOT NULL,
        not_after INTEGER NOT NULL,
        statement BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attestations_by_subject ON attestations (subject);
    CREATE INDEX attestations_by_issuer ON attestations (issuer, not_after);

    -- What each identity took back: its newest list, and two that differ if such were ever seen.
    CREATE TABLE revocations (
        issuer BLOB PRIMARY KEY,
        newest BLOB NOT NULL,
        fork_first BLOB,
        fork_second BLOB
    ) STRICT, WITHOUT ROWID;

    -- NULL for deliveries of before: their envelopes are sealed, and what they grant is not known.
    ALTER TABLE deliveries ADD COLUMN grant_hash BLOB;
    """,
    # 4: version 0.2.0, passing on, and grants to whoever has an attribute
    """
    -- Of the author, and of all who passed it on, as they came with the envelope (an encoded list).
    -- Empty for offers of before: those came from their author, whose devices are known.
    ALTER TABLE offers ADD COLUMN certificates BLOB NOT NULL DEFAULT x'';

    -- Whose certificates these are, to find by whom a list of revocations counts.
    CREATE TABLE offer_signers (
        sender BLOB NOT NULL,
        identity BLOB NOT NULL,
        device BLOB NOT NULL,
        envelope_hash BLOB NOT NULL REFERENCES offers ON DELETE CASCADE,
        PRIMARY KEY (sender, identity, device, envelope_hash)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX offer_signers_by_offer ON offer_signers (envelope_hash);

    -- Grants for whoever has certain attributes: they are in no row of `grants`. Who met them and
    -- was sent an offer shows in `deliveries`.
    CREATE TABLE open_grants (
        grant_hash BLOB PRIMARY KEY,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        capability BLOB NOT NULL,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX open_grants_by_photo ON open_grants (photo_id);
    CREATE INDEX deliveries_by_grant ON deliveries (grant_hash);

    -- What others say of us that we show to a contact: by its name, so that what is said anew
    -- after the end of an attestation is shown as well.
    CREATE TABLE shown_attributes (
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        issuer BLOB NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (identity, issuer, name, value)
    ) STRICT, WITHOUT ROWID;

    -- Words that a person gave a photo, and how delicate it is. Never sent.
    CREATE TABLE tags (
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        tag TEXT NOT NULL COLLATE NOCASE,
        PRIMARY KEY (photo_id, tag)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_tag ON tags (tag);
    CREATE TABLE sensitivities (
        photo_id BLOB PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
        sensitivity TEXT NOT NULL CHECK (sensitivity IN ('low', 'normal', 'high'))
    ) STRICT, WITHOUT ROWID;

    -- Blobs whose file is damaged or gone, and that are to be made whole again.
    CREATE TABLE repairs (
        content_id BLOB PRIMARY KEY REFERENCES blobs ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    """,
)

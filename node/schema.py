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
    # 5: version 0.3.0, many photos at once
    """
    -- A file that was replaced by another of its size and time is another file. -1: not known.
    ALTER TABLE files ADD COLUMN inode INTEGER NOT NULL DEFAULT -1;

    -- A file of a size that none had is a new one, so it need not be hashed before it is sealed.
    CREATE INDEX files_by_size ON files (size);

    -- In which order they go: each is one more than the last. Who sends reads on from a number.
    ALTER TABLE deliveries ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    UPDATE deliveries SET number = ordered.number FROM (
        SELECT envelope_hash, row_number() OVER (ORDER BY created, envelope_hash) AS number
        FROM deliveries
    ) AS ordered WHERE ordered.envelope_hash = deliveries.envelope_hash;
    CREATE INDEX deliveries_by_number ON deliveries (number);
    CREATE INDEX deliveries_open ON deliveries (device, number)
        WHERE state IN ('queued', 'offered', 'waiting');
    DROP INDEX deliveries_by_device;
    """,
    # 6: version 0.3.0, what is held for who is away
    """
    -- A delivery may be `held` by somebody until its device comes for it.
    CREATE TABLE deliveries_6 (
        envelope_hash BLOB PRIMARY KEY,
        photo_id BLOB NOT NULL REFERENCES photos,
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        device BLOB NOT NULL,
        envelope BLOB NOT NULL,
        expires INTEGER,
        state TEXT NOT NULL
            CHECK (state IN ('queued', 'offered', 'held', 'waiting', 'delivered', 'refused')),
        code TEXT,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        grant_hash BLOB,
        number INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO deliveries_6 SELECT envelope_hash, photo_id, identity, device, envelope, expires,
        state, code, created, updated, grant_hash, number FROM deliveries;
    DROP TABLE deliveries;
    ALTER TABLE deliveries_6 RENAME TO deliveries;
    CREATE INDEX deliveries_by_photo ON deliveries (photo_id);
    CREATE INDEX deliveries_by_grant ON deliveries (grant_hash);
    CREATE INDEX deliveries_by_number ON deliveries (number);
    CREATE INDEX deliveries_open ON deliveries (device, number)
        WHERE state IN ('queued', 'offered', 'held', 'waiting');

    -- Signed words of devices that they have what we sent them. They go with the photo.
    CREATE TABLE receipts (
        envelope_hash BLOB PRIMARY KEY REFERENCES deliveries ON DELETE CASCADE,
        receipt BLOB NOT NULL,
        received INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Where what is for a contact may be left, as it told us itself.
    CREATE TABLE mailboxes (
        identity BLOB PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
        secret BLOB NOT NULL,
        holders BLOB NOT NULL  -- the marks of those who hold for it
    ) STRICT, WITHOUT ROWID;

    -- What contacts say that they hold for us, and whom of them we let.
    CREATE TABLE holdings (
        identity BLOB PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
        quota INTEGER NOT NULL,    -- bytes; 0: they don't
        seconds INTEGER NOT NULL,
        backup INTEGER NOT NULL,
        chosen INTEGER NOT NULL DEFAULT 0,
        backed_up INTEGER NOT NULL DEFAULT 0  -- whether we back up there
    ) STRICT, WITHOUT ROWID;

    -- What we left with holders. The delivery may be gone when they are told that it is over.
    CREATE TABLE deposits (
        envelope_hash BLOB NOT NULL,
        holder BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        state TEXT NOT NULL CHECK (state IN ('offered', 'held', 'refused')),
        code TEXT,
        updated INTEGER NOT NULL,
        PRIMARY KEY (envelope_hash, holder)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deposits_by_holder ON deposits (holder);

    -- What of our own we left with holders: entries about a photo (its id) or about the contacts
    -- (a digest of them). Sealed again one would be another, so it is kept until the holder has it.
    CREATE TABLE backups (
        holder BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        subject BLOB NOT NULL,
        envelope_hash BLOB NOT NULL,
        envelope BLOB,            -- null once it is held
        PRIMARY KEY (holder, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX backups_by_envelope ON backups (holder, envelope_hash);

    -- Offers that came from a holder, who is to be told when they are over.
    CREATE TABLE held_offers (
        envelope_hash BLOB NOT NULL,
        holder BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        PRIMARY KEY (envelope_hash, holder)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX held_offers_by_holder ON held_offers (holder);

    -- Contacts for whom it is another matter than for all (a setting) whether this node holds what
    -- is theirs; `holds` null: as for all. And whose things it keeps without end.
    CREATE TABLE held_for (
        identity BLOB PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
        holds INTEGER,
        backup INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What it holds: sealed, from whom and for whom. `position` is its place among what is held for
    -- its owner, given once all of its blobs are here durably.
    CREATE TABLE held_items (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        envelope_hash BLOB NOT NULL,
        depositor BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        owner BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        envelope BLOB NOT NULL,
        received INTEGER NOT NULL,  -- seconds since 1970
        expires INTEGER NOT NULL,
        position INTEGER,
        UNIQUE (envelope_hash, depositor)
    ) STRICT;
    CREATE INDEX held_items_by_owner ON held_items (owner, position);
    -- Thousands that somebody left itself must not be gone through for each one that others left.
    CREATE INDEX held_items_of_others ON held_items (owner, position) WHERE depositor <> owner;
    CREATE INDEX held_items_own ON held_items (owner, position) WHERE depositor = owner;
    CREATE INDEX held_items_by_depositor ON held_items (depositor);
    CREATE INDEX held_items_by_end ON held_items (expires);
    CREATE INDEX held_items_partial ON held_items (depositor, received) WHERE position IS NULL;
    CREATE TABLE held_blobs (
        number INTEGER NOT NULL REFERENCES held_items ON DELETE CASCADE,
        content_id BLOB NOT NULL,
        depositor BLOB NOT NULL,
        owner BLOB NOT NULL,
        length INTEGER NOT NULL,
        token_hash BLOB NOT NULL,
        PRIMARY KEY (number, content_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX held_blobs_by_depositor ON held_blobs (depositor, content_id, owner, length);
    CREATE INDEX held_blobs_by_owner ON held_blobs (owner, content_id, token_hash);
    -- Of those that are here whole. A blob of one depositor is never taken for that of another.
    CREATE TABLE held_manifests (
        depositor BLOB NOT NULL,
        content_id BLOB NOT NULL,
        manifest BLOB NOT NULL,
        PRIMARY KEY (depositor, content_id)
    ) STRICT, WITHOUT ROWID;

    -- How much is held from somebody and for somebody; a blob counts once however many items name
    -- it. `last` is the highest position that was given to an owner: none is given again.
    CREATE TABLE held_totals (
        identity BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        role TEXT NOT NULL CHECK (role IN ('depositor', 'owner')),
        items INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        last INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (identity, role)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER held_item_came BEFORE INSERT ON held_items BEGIN
        INSERT OR IGNORE INTO held_totals (identity, role)
            VALUES (NEW.depositor, 'depositor'), (NEW.owner, 'owner');
        UPDATE held_totals SET items = items + 1, bytes = bytes + length(NEW.envelope)
            WHERE (identity, role) IN (VALUES (NEW.depositor, 'depositor'), (NEW.owner, 'owner'));
    END;
    CREATE TRIGGER held_item_went AFTER DELETE ON held_items BEGIN
        UPDATE held_totals SET items = items - 1, bytes = bytes - length(OLD.envelope)
            WHERE (identity, role) IN (VALUES (OLD.depositor, 'depositor'), (OLD.owner, 'owner'));
    END;
    CREATE TRIGGER held_blob_came_from BEFORE INSERT ON held_blobs
        WHEN NOT EXISTS (SELECT 1 FROM held_blobs
            WHERE depositor = NEW.depositor AND content_id = NEW.content_id)
    BEGIN
        UPDATE held_totals SET bytes = bytes + NEW.length
            WHERE identity = NEW.depositor AND role = 'depositor';
    END;
    CREATE TRIGGER held_blob_came_for BEFORE INSERT ON held_blobs
        WHEN NOT EXISTS (SELECT 1 FROM held_blobs WHERE depositor = NEW.depositor
            AND content_id = NEW.content_id AND owner = NEW.owner)
    BEGIN
        UPDATE held_totals SET bytes = bytes + NEW.length
            WHERE identity = NEW.owner AND role = 'owner';
    END;
    CREATE TRIGGER held_blob_went_from AFTER DELETE ON held_blobs
        WHEN NOT EXISTS (SELECT 1 FROM held_blobs
            WHERE depositor = OLD.depositor AND content_id = OLD.content_id)
    BEGIN
        UPDATE held_totals SET bytes = bytes - OLD.length
            WHERE identity = OLD.depositor AND role = 'depositor';
        DELETE FROM held_manifests
            WHERE depositor = OLD.depositor AND content_id = OLD.content_id;
    END;
    CREATE TRIGGER held_blob_went_for AFTER DELETE ON held_blobs
        WHEN NOT EXISTS (SELECT 1 FROM held_blobs WHERE depositor = OLD.depositor
            AND content_id = OLD.content_id AND owner = OLD.owner)
    BEGIN
        UPDATE held_totals SET bytes = bytes - OLD.length
            WHERE identity = OLD.owner AND role = 'owner';
    END;

    -- Receipts on their way back to who left something.
    CREATE TABLE held_receipts (
        envelope_hash BLOB NOT NULL,
        depositor BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
        receipt BLOB NOT NULL,
        received INTEGER NOT NULL,
        PRIMARY KEY (depositor, envelope_hash)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX held_receipts_by_time ON held_receipts (depositor, received);
    """,
    # 7: version 0.3.0, the check for signs of editing
    """
    -- What was seen of a photo. One that `waits` is to be looked at, for the first time or because
    -- nothing could look when it came. Photos of before this version do not wait.
    CREATE TABLE checks (
        photo_id BLOB PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
        waits INTEGER NOT NULL,
        verdict TEXT,      -- joined with what is signed; NULL: not checked yet
        seen BLOB,         -- msgpack, with what it may be corrected by later
        seconds REAL,
        checked INTEGER    -- seconds since 1970
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX checks_waiting ON checks (photo_id) WHERE waits;
    """,
    # 8: version 0.3.0, tickets
    """
    CREATE TABLE tickets (
        ticket_id BLOB PRIMARY KEY,
        ticket BLOB NOT NULL,
        secret BLOB NOT NULL,
        name TEXT,                 -- what to call who uses it
        issued INTEGER NOT NULL,   -- seconds since 1970, like all times
        expires INTEGER NOT NULL,
        uses INTEGER NOT NULL,
        revoked INTEGER
    ) STRICT, WITHOUT ROWID;

    -- Who used a ticket: each identity once. What it did stays done when the contact is no more.
    CREATE TABLE ticket_uses (
        ticket_id BLOB NOT NULL REFERENCES tickets ON DELETE CASCADE,
        identity BLOB NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (ticket_id, identity)
    ) STRICT, WITHOUT ROWID;
    """,
    # 9: version 0.3.0, albums that several people keep
    """
    -- `inviter` is the identity that let us in; ourselves in an album of our own.
    CREATE TABLE shared_albums (
        album_id BLOB PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('invited', 'joined', 'left', 'removed')),
        inviter BLOB NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Logs and feeds, in the order in which they came: each after those that it needs.
    CREATE TABLE album_entries (
        number INTEGER PRIMARY KEY,
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        digest BLOB NOT NULL,
        entry BLOB NOT NULL,
        UNIQUE (album_id, digest)
    ) STRICT;

    CREATE TABLE album_keys (
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        key_id BLOB NOT NULL,
        key BLOB NOT NULL,
        PRIMARY KEY (album_id, key_id)
    ) STRICT, WITHOUT ROWID;

    -- Keys of albums sealed to devices, whole sets of them: each by the entry that names the set.
    CREATE TABLE album_wraps (
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        entry BLOB NOT NULL,
        key_id BLOB NOT NULL,
        device BLOB NOT NULL,
        wrap BLOB NOT NULL,
        PRIMARY KEY (album_id, entry, key_id, device)
    ) STRICT, WITHOUT ROWID;

    -- Photos of albums that somebody here does not want.
    CREATE TABLE album_hidden (
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        photo_id BLOB NOT NULL,
        PRIMARY KEY (album_id, photo_id)
    ) STRICT, WITHOUT ROWID;

    -- Of a photo that is in an album: any member may bring it. Its `envelope_hash` is that of the
    -- entry that adds it, `identity` and `device` are who wrote that. No contact offered it.
    ALTER TABLE offers ADD COLUMN album BLOB REFERENCES shared_albums;
    CREATE INDEX offers_by_album ON offers (album, state) WHERE album IS NOT NULL;
    """,
    # 10: version 0.3.0, further devices of our own
    """
    -- This device and its siblings, as far as they are known. A revoked one stays, to be shown.
    CREATE TABLE own_devices (
        device BLOB PRIMARY KEY,
        chain BLOB NOT NULL,
        name TEXT NOT NULL,
        named INTEGER NOT NULL,   -- when it was called so: the later name counts
        seen INTEGER              -- when it was here last; NULL: never
    ) STRICT, WITHOUT ROWID;

    -- What they share; the newest counts, the others are heard from who does not have it yet.
    CREATE TABLE own_secrets (
        generation INTEGER NOT NULL,
        secret BLOB NOT NULL,
        PRIMARY KEY (generation, secret)
    ) STRICT, WITHOUT ROWID;

    -- Also of own devices, by their keys.
    CREATE TABLE addresses_10 (
        identity BLOB NOT NULL,
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (identity, host, port)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO addresses_10 SELECT identity, host, port, seen FROM addresses;
    DROP TABLE addresses;
    ALTER TABLE addresses_10 RENAME TO addresses;
    CREATE TRIGGER addresses_of_contact AFTER DELETE ON contacts BEGIN
        DELETE FROM addresses WHERE identity = OLD.identity;
    END;

    -- A list that the root key signed, and one of a device that may not certify. `decides` is 0
    -- where `newest` is such a one. All that signed before this version might certify.
    ALTER TABLE revocations ADD COLUMN root BLOB;
    ALTER TABLE revocations ADD COLUMN minor BLOB;
    ALTER TABLE revocations ADD COLUMN decides INTEGER NOT NULL DEFAULT 1;

    -- Devices, anybody's, that a device certified and not the root key: they go with it.
    CREATE TABLE certified_by (
        device BLOB PRIMARY KEY,
        issuer BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    # 11: version 0.3.0, previews in albums that several people keep, and room on the disk
    """
    -- Small pictures of photos in albums, sealed under a key of the album as they travel; each by
    -- the entry that adds the photo. They have a rowid: no row of an index is as long as that.
    CREATE TABLE album_previews (
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        digest BLOB NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (album_id, digest)
    ) STRICT;

    -- Photos of ours that are to be added to an album once its key is here.
    CREATE TABLE album_waiting (
        album_id BLOB NOT NULL REFERENCES shared_albums ON DELETE CASCADE,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        PRIMARY KEY (album_id, photo_id)
    ) STRICT, WITHOUT ROWID;

    -- Files of photos that were let go to make room, and the identity of who showed to have each.
    CREATE TABLE away (
        content_id BLOB PRIMARY KEY REFERENCES blobs ON DELETE CASCADE,
        photo_id BLOB NOT NULL,
        holder BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        since INTEGER NOT NULL      -- seconds since 1970
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX away_by_photo ON away (photo_id);
    """,
    # 12: version 0.3.0, invisible marks
    """
    -- A copy that is marked names who gets it: there is one for each `recipient`, an identity;
    -- of all others it is empty.
    CREATE TABLE copies_12 (
        source_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,
        policy TEXT NOT NULL,
        max_px INTEGER NOT NULL,  -- longest side; 0: as long as it is
        recipient BLOB NOT NULL,
        photo_id BLOB NOT NULL REFERENCES photos ON DELETE CASCADE,  -- may be the source
        left_out TEXT NOT NULL,   -- JSON list of words
        PRIMARY KEY (source_id, policy, max_px, recipient)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO copies_12 SELECT source_id, policy, max_px, x'', photo_id, left_out FROM copies;
    DROP TABLE copies;
    ALTER TABLE copies_12 RENAME TO copies;
    CREATE INDEX copies_by_photo ON copies (photo_id);

    -- Marks that were set, and for whom. They stay when the photo or the contact goes: a copy may
    -- turn up years later.
    CREATE TABLE watermarks (
        mark_id BLOB PRIMARY KEY,
        photo_id BLOB NOT NULL,   -- of the marked copy
        recipient BLOB NOT NULL,  -- an identity
        issued INTEGER NOT NULL   -- seconds since 1970
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX watermarks_by_photo ON watermarks (photo_id);
    """,
    # 13: version 0.3.0, what the devices of one person tell each other
    """
    -- Of each device and each thing the latest record, as it was signed.
    CREATE TABLE sibling_records (
        kind TEXT NOT NULL,
        subject BLOB NOT NULL,
        device BLOB NOT NULL,
        moment INTEGER NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (kind, subject, device)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sibling_records_by_moment ON sibling_records (device, moment);

    -- Up to which moment nothing of a device is missing.
    CREATE TABLE sibling_vector (
        device BLOB PRIMARY KEY,
        moment INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What may be otherwise here than the records say: it is looked at, and told.
    CREATE TABLE sibling_changes (
        kind TEXT NOT NULL,
        subject BLOB NOT NULL,
        PRIMARY KEY (kind, subject)
    ) STRICT, WITHOUT ROWID;

    -- What was said by a device that turned out to be stolen. What counts instead is known once a
    -- sibling has told all that it has.
    CREATE TABLE sibling_doubts (
        kind TEXT NOT NULL,
        subject BLOB NOT NULL,
        PRIMARY KEY (kind, subject)
    ) STRICT, WITHOUT ROWID;

    -- What each other device said last that it has.
    CREATE TABLE sibling_heard (
        device BLOB PRIMARY KEY,
        vector BLOB NOT NULL,
        lacks INTEGER NOT NULL,
        heard INTEGER NOT NULL   -- seconds since 1970
    ) STRICT, WITHOUT ROWID;

    -- Of a photo that is known from another device of ours. While it is accepted its blobs are to
    -- come; one that waits stays there, and a person may want it here.
    ALTER TABLE offers ADD COLUMN sibling INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX offers_by_sibling ON offers (state) WHERE sibling;

    -- Photos whose originals are with another device alone: what is shown of them here.
    CREATE TABLE sibling_previews (
        photo_id BLOB PRIMARY KEY,
        metadata BLOB NOT NULL,
        content_id BLOB REFERENCES blobs,  -- NULL: of this one there is no preview
        width INTEGER NOT NULL,
        height INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What was removed on another device lies here for a while: a thief's word must not be the end
    -- of a photo. Its blobs stay in `blobs`.
    CREATE TABLE sibling_trash (
        photo_id BLOB PRIMARY KEY,
        kept BLOB NOT NULL,        -- as it is told of; see `KeptPhoto`
        metadata BLOB NOT NULL,
        fingerprint BLOB NOT NULL,
        removed INTEGER NOT NULL   -- seconds since 1970
    ) STRICT, WITHOUT ROWID;

    -- Photos that are to be here whatever else is not, and photos that another device relies on us
    -- to keep.
    CREATE TABLE pinned_photos (
        photo_id BLOB PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sibling_promises (
        photo_id BLOB NOT NULL,
        device BLOB NOT NULL,
        PRIMARY KEY (photo_id, device)
    ) STRICT, WITHOUT ROWID;

    -- All that is told of is noted where it is written, within the same transaction. (What is to be
    -- done at a conflict must be said so: that of the outer statement would count instead of OR.)
    CREATE TRIGGER sibling_contact_came AFTER INSERT ON contacts BEGIN
        INSERT INTO sibling_changes SELECT kind, NEW.identity FROM (
            SELECT 'contact' AS kind UNION VALUES ('contact-name'), ('contact-verified'),
                ('contact-muted'), ('contact-blocked'), ('contact-accept'), ('contact-metadata'))
            WHERE true ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_contact_changed AFTER UPDATE ON contacts BEGIN
        INSERT INTO sibling_changes SELECT kind, NEW.identity FROM (
            SELECT 'contact' AS kind WHERE NEW.pair_secret <> OLD.pair_secret
            UNION SELECT 'contact-name' WHERE NEW.name <> OLD.name COLLATE BINARY
            UNION SELECT 'contact-verified' WHERE NEW.verified <> OLD.verified
            UNION SELECT 'contact-muted' WHERE NEW.muted <> OLD.muted
            UNION SELECT 'contact-blocked' WHERE NEW.blocked <> OLD.blocked
            UNION SELECT 'contact-accept' WHERE NEW.accept <> OLD.accept
            UNION SELECT 'contact-metadata' WHERE NEW.metadata <> OLD.metadata)
            WHERE true ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_device_came AFTER INSERT ON devices BEGIN
        INSERT INTO sibling_changes VALUES
            ('contact-device', CAST(NEW.identity || NEW.device AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_address_came AFTER INSERT ON addresses BEGIN
        INSERT INTO sibling_changes VALUES ('contact-address',
            CAST(NEW.identity || NEW.host || ' ' || NEW.port AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_photo_came AFTER INSERT ON photos BEGIN
        INSERT INTO sibling_changes VALUES ('photo', NEW.photo_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_photo_went AFTER DELETE ON photos BEGIN
        INSERT INTO sibling_changes VALUES ('photo', OLD.photo_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_photo_gone AFTER DELETE ON photos BEGIN
        DELETE FROM sibling_promises WHERE photo_id = OLD.photo_id;
    END;
    CREATE TRIGGER sibling_offer_changed AFTER UPDATE OF state ON offers
        WHEN NEW.album IS NULL AND NEW.state <> OLD.state
    BEGIN
        INSERT INTO sibling_changes VALUES ('photo', NEW.photo_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_offer_came AFTER INSERT ON offers
        WHEN NEW.album IS NULL AND NEW.state = 'accepted'
    BEGIN
        INSERT INTO sibling_changes VALUES ('photo', NEW.photo_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_tag_came AFTER INSERT ON tags BEGIN
        INSERT INTO sibling_changes VALUES ('tag',
            CAST(NEW.photo_id || NEW.tag AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_tag_went AFTER DELETE ON tags BEGIN
        INSERT INTO sibling_changes VALUES ('tag',
            CAST(OLD.photo_id || OLD.tag AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_sensitivity_said AFTER INSERT ON sensitivities BEGIN
        INSERT INTO sibling_changes VALUES ('sensitivity', NEW.photo_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_album_came AFTER INSERT ON album_photos BEGIN
        INSERT INTO sibling_changes SELECT 'album', CAST(NEW.photo_id || name AS BLOB)
            FROM albums WHERE album_id = NEW.album_id ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_album_went AFTER DELETE ON album_photos BEGIN
        INSERT INTO sibling_changes SELECT 'album', CAST(OLD.photo_id || name AS BLOB)
            FROM albums WHERE album_id = OLD.album_id ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_setting_came AFTER INSERT ON settings
        WHEN NEW.name IN ('policy', 'policy-text', 'mailbox')
    BEGIN
        INSERT INTO sibling_changes VALUES
            (CASE NEW.name WHEN 'mailbox' THEN 'mailbox' ELSE 'rules' END, x'')
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_attestation_came AFTER INSERT ON attestations BEGIN
        INSERT INTO sibling_changes VALUES ('attestation', NEW.digest)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_attribute_shown AFTER INSERT ON shown_attributes BEGIN
        INSERT INTO sibling_changes VALUES ('shown', CAST(NEW.identity || NEW.issuer
            || length(CAST(NEW.name AS BLOB)) || ' ' || NEW.name || NEW.value AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_attribute_hidden AFTER DELETE ON shown_attributes BEGIN
        INSERT INTO sibling_changes VALUES ('shown', CAST(OLD.identity || OLD.issuer
            || length(CAST(OLD.name AS BLOB)) || ' ' || OLD.name || OLD.value AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_mailbox_came AFTER INSERT ON mailboxes BEGIN
        INSERT INTO sibling_changes VALUES ('mailbox', NEW.identity)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_mailbox_went AFTER DELETE ON mailboxes BEGIN
        INSERT INTO sibling_changes VALUES ('mailbox', OLD.identity)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_holder_came AFTER INSERT ON holdings BEGIN
        INSERT INTO sibling_changes VALUES ('holder', NEW.identity)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_holder_changed AFTER UPDATE ON holdings BEGIN
        INSERT INTO sibling_changes VALUES ('holder', NEW.identity)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_grant_came AFTER INSERT ON grants BEGIN
        INSERT INTO sibling_changes VALUES
            ('grant', CAST(NEW.photo_id || NEW.grant_hash AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_open_grant_came AFTER INSERT ON open_grants BEGIN
        INSERT INTO sibling_changes VALUES
            ('grant', CAST(NEW.photo_id || NEW.grant_hash AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_shared_album_came AFTER INSERT ON shared_albums BEGIN
        INSERT INTO sibling_changes VALUES ('shared-album', NEW.album_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_shared_album_changed AFTER UPDATE ON shared_albums BEGIN
        INSERT INTO sibling_changes VALUES ('shared-album', NEW.album_id)
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_album_key_came AFTER INSERT ON album_keys BEGIN
        INSERT INTO sibling_changes VALUES
            ('album-key', CAST(NEW.album_id || NEW.key_id AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_album_photo_hidden AFTER INSERT ON album_hidden BEGIN
        INSERT INTO sibling_changes VALUES
            ('album-hidden', CAST(NEW.album_id || NEW.photo_id AS BLOB))
            ON CONFLICT DO NOTHING;
    END;
    CREATE TRIGGER sibling_album_photo_shown AFTER DELETE ON album_hidden BEGIN
        INSERT INTO sibling_changes VALUES
            ('album-hidden', CAST(OLD.album_id || OLD.photo_id AS BLOB))
            ON CONFLICT DO NOTHING;
    END;

    -- And all that is here from before.
    INSERT INTO sibling_changes
        SELECT kind, identity FROM contacts, (SELECT 'contact' AS kind
            UNION VALUES ('contact-name'), ('contact-verified'), ('contact-muted'),
                ('contact-blocked'), ('contact-accept'), ('contact-metadata'))
        UNION SELECT 'contact-device', CAST(identity || device AS BLOB) FROM devices
        UNION SELECT 'contact-address', CAST(identity || host || ' ' || port AS BLOB) FROM addresses
        UNION SELECT 'photo', photo_id FROM photos
        UNION SELECT 'photo', photo_id FROM offers WHERE album IS NULL AND state = 'accepted'
        UNION SELECT 'tag', CAST(photo_id || tag AS BLOB) FROM tags
        UNION SELECT 'sensitivity', photo_id FROM sensitivities
        UNION SELECT 'album', CAST(photo_id || name AS BLOB)
            FROM album_photos JOIN albums USING (album_id)
        UNION SELECT CASE name WHEN 'mailbox' THEN 'mailbox' ELSE 'rules' END, x'' FROM settings
            WHERE name IN ('policy', 'policy-text', 'mailbox')
        UNION SELECT 'attestation', digest FROM attestations
        UNION SELECT 'shown', CAST(identity || issuer || length(CAST(name AS BLOB)) || ' ' || name
            || value AS BLOB) FROM shown_attributes
        UNION SELECT 'mailbox', identity FROM mailboxes
        UNION SELECT 'holder', identity FROM holdings
        UNION SELECT 'grant', CAST(photo_id || grant_hash AS BLOB) FROM grants
        UNION SELECT 'grant', CAST(photo_id || grant_hash AS BLOB) FROM open_grants
        UNION SELECT 'shared-album', album_id FROM shared_albums
        UNION SELECT 'album-key', CAST(album_id || key_id AS BLOB) FROM album_keys
        UNION SELECT 'album-hidden', CAST(album_id || photo_id AS BLOB) FROM album_hidden;
    """,
    # 14: version 0.3.0, changed keys
    """
    -- Heads of devices, ours and those of contacts, as they were signed.
    CREATE TABLE heads (
        identity BLOB NOT NULL,
        signer BLOB NOT NULL,
        seq INTEGER NOT NULL,
        head BLOB NOT NULL,
        certificates BLOB NOT NULL,  -- that lead from the identity to the signer
        PRIMARY KEY (identity, signer, seq)
    ) STRICT, WITHOUT ROWID;

    -- Of a contact, or ourselves, two keys were seen where there should be one. Nothing goes to it
    -- until a person has compared the safety number again.
    CREATE TABLE doubts (
        identity BLOB NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('secret', 'name', 'fork')),
        since INTEGER NOT NULL,      -- seconds since 1970
        seen BLOB NOT NULL,          -- the other identity; of a fork the device
        fork_first BLOB,             -- two heads that no chain has both of
        fork_second BLOB,
        certificates BLOB,
        cleared INTEGER,             -- when a person did: the same sight raises no doubt again
        PRIMARY KEY (identity, seen)
    ) STRICT, WITHOUT ROWID;

    -- Who has a share of our words. A share lies here only until its guardian has it.
    CREATE TABLE guardians (
        identity BLOB PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
        number INTEGER NOT NULL,
        count INTEGER NOT NULL,
        need INTEGER NOT NULL,
        share TEXT,                  -- null once it is there
        since INTEGER NOT NULL       -- seconds since 1970
    ) STRICT, WITHOUT ROWID;

    -- Shares of contacts' words, the newest of each.
    CREATE TABLE guarded (
        identity BLOB PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
        number INTEGER NOT NULL,
        count INTEGER NOT NULL,
        need INTEGER NOT NULL,
        share TEXT NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    # 15: version 0.3.0, links that browsers open
    """
    -- Neither the token nor the key of a link is kept: this does not make it again.
    CREATE TABLE weblinks (
        link_id BLOB PRIMARY KEY,
        auth BLOB NOT NULL,        -- checks who has the key
        listing BLOB NOT NULL,     -- sealed under the key
        host TEXT NOT NULL,        -- where its page is served
        secure INTEGER NOT NULL,   -- over HTTPS
        original INTEGER NOT NULL,
        issued INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        count INTEGER NOT NULL,
        revoked INTEGER
    ) STRICT, WITHOUT ROWID;

    -- By their number in the list. What the node knows of them may go before the link does.
    CREATE TABLE weblink_photos (
        link_id BLOB NOT NULL REFERENCES weblinks ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo_id BLOB NOT NULL,
        PRIMARY KEY (link_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX weblinks_by_photo ON weblink_photos (photo_id);

    -- Browsers that opened it: each counts once, however often it comes back.
    CREATE TABLE weblink_visits (
        link_id BLOB NOT NULL REFERENCES weblinks ON DELETE CASCADE,
        visit BLOB NOT NULL,
        opened INTEGER NOT NULL,
        PRIMARY KEY (link_id, visit)
    ) STRICT, WITHOUT ROWID;
    """,
)

VERSION: Final = len(MIGRATIONS)

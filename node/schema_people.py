"""Steps of the library's schema: who is away, checks, tickets, shared albums; see `schema`."""

from __future__ import annotations

from typing import Final

PEOPLE: Final[tuple[str, ...]] = (
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
)

"""Steps of the library's schema: devices, previews, marks, changed keys, links; see `schema`."""

from __future__ import annotations

from typing import Final

DEVICES: Final[tuple[str, ...]] = (
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
        identity BLOB NOT NULL,      -- of both: others may certify the same key as theirs
        device BLOB NOT NULL,
        issuer BLOB NOT NULL,
        PRIMARY KEY (identity, device)
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
    # 16: version 0.3.0, links by which browsers send
    """
    CREATE TABLE drops (
        drop_id BLOB PRIMARY KEY,
        auth BLOB NOT NULL,        -- checks who has the key, which is not kept
        name TEXT NOT NULL,
        accept TEXT NOT NULL CHECK (accept IN ('ask', 'always')),
        host TEXT NOT NULL,        -- where its page is served
        secure INTEGER NOT NULL,   -- over HTTPS
        issued INTEGER NOT NULL,
        seen INTEGER,              -- when a browser was here last
        revoked INTEGER
    ) STRICT, WITHOUT ROWID;

    -- What browsers offered by it. A photo that was stored and removed does not come again.
    CREATE TABLE drop_items (
        item_id BLOB PRIMARY KEY,
        drop_id BLOB NOT NULL REFERENCES drops ON DELETE CASCADE,
        sha256 BLOB NOT NULL,
        length INTEGER NOT NULL,
        name TEXT NOT NULL,
        modified INTEGER NOT NULL, -- milliseconds since 1970
        key BLOB NOT NULL,         -- seals what is here of it
        state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'stored', 'declined')),
        received INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        photo_id BLOB,
        UNIQUE (drop_id, sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX drop_items_by_photo ON drop_items (photo_id);
    """,
)

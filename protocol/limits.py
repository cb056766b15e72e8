"""Every size, count and time that a peer can influence, in one place.

Each has a test at the limit and one past it. Formats that fix a bound by their definition keep
the number beside the format; it is named here again so that this page is the whole list.
"""

from __future__ import annotations

from typing import Final

from ..crypto import blob, encoding, identity, keystore, pairing

# The channel and the hello.
OPENING_BYTES: Final = 32 * 1024
"""All that may arrive before the peer is authenticated."""
OPENING_SECONDS: Final = 5.0
"""From the first byte of a connection to an authenticated peer."""
DIAL_TAGS: Final = 32
"""Contacts that one hello may ask for."""
TAG_STEP: Final = 8
"""Their number is filled up to a multiple of this."""
VERSIONS: Final = 16
"""Protocol versions that a hello may list."""
TRANSPORT_BYTES: Final = 64
"""Of the id by which a pipe knows one of its ends, such as a libp2p peer id."""

# Messages.
MESSAGE_BYTES: Final = 1024 * 1024
SEALED_CHAIN_BYTES: Final = 6 * 1024
ENVELOPE_BYTES: Final = 64 * 1024
RANGES: Final = 1024
"""Ranges of pieces in one fetch."""
MANIFEST_PART_BYTES: Final = 512 * 1024

# A session's open requests.
CREDIT: Final = 64
"""Pieces that a fetch may have under way."""
FETCHES: Final = 64
"""Fetches that one peer may have open at a time."""

PAPERS_AT_ONCE: Final = 64
"""Papers that may come on a link one after the other: each costs some 34 ms to verify."""
PAPERS_PER_SECOND: Final = 1.0
"""How many more may come after that."""

# Photos.
NAME_BYTES: Final = 255
MEDIA_TYPE_BYTES: Final = 127
METADATA_BYTES: Final = 64 * 1024
PHOTO_BYTES: Final = blob.MAX_CONTENT_BYTES
PIECES: Final = blob.MAX_PIECES

# Capabilities.
CAPABILITY_BYTES: Final = 8 * 1024
CAPABILITY_DEPTH: Final = 4
CAVEATS: Final = 16
CAVEAT_PHOTOS: Final = 64
"""Photos that one `photos` caveat may list."""
CAVEAT_ATTRIBUTES: Final = 4
"""Attributes that one `attr` caveat may demand."""
ATTRIBUTE_ISSUERS: Final = 8
"""Identities whose word may count for one of them."""
RENDITION_PX: Final = 65_535

# Attestations.
ATTRIBUTE_NAME_BYTES: Final = 32
ATTRIBUTE_VALUE_BYTES: Final = 64
ATTESTATION_BYTES: Final = 256
"""The body of one."""
ATTESTATION_SECONDS: Final = 90 * 86_400
"""How long one may be valid."""
ATTESTATIONS: Final = 8
"""How many may be shown with a request."""

# Revocations, and the time by which all this is judged.
REVOCATIONS: Final = 4_096
"""Hashes in a list."""
REVOCATIONS_BYTES: Final = 140_000
"""The body of a list."""
REVOCATIONS_SECONDS: Final = 7 * 86_400
"""A list this old no longer says that something wasn't revoked."""
REVOCATIONS_RENEWED_SECONDS: Final = 86_400
"""A list that says nothing new is not signed again before."""
CLOCK_SECONDS: Final = 5 * 60
"""How far clocks may differ before one of them is wrong."""

ENVELOPE_CERTIFICATES: Final = 8
# What one contact may have waiting here.
OFFERS_PER_CONTACT: Final = 10_000

# What is held for who is away, and receipts.
RECEIPT_BYTES: Final = 512
HOLDERS: Final = 8
"""Contacts that one identity may let hold for it."""
HELD_BLOBS: Final = 8
"""Blobs that one envelope may be left with."""
HELD_SECONDS: Final = 90 * 86_400
"""How long anything may be held."""
HELD_ITEMS: Final = 100_000
"""Envelopes that a node holds in all."""
HELD_PER_CONTACT: Final = 50_000
"""And of these for one contact, and from one."""
DEPOSITS: Final = 64
"""Deposits of one peer that may be under way at a time."""
HELD_PARTIAL: Final = 512
"""Envelopes of one contact that may wait for their blobs."""
HELD_RECEIPTS: Final = 10_000
"""Receipts that wait for one contact; the oldest go first."""
COLLECTED: Final = 256
"""Envelopes that are shown at a time."""
HOLDING_NEWS_AT_ONCE: Final = 64
"""`Mailbox` and `Holding` that may come on a link one after the other: each is written down, and
with each it is looked through what is to be left where."""
HOLDING_NEWS_PER_SECOND: Final = 1.0
"""How many more may come after that."""

# Albums.
ALBUM_ENTRY_BYTES: Final = 64 * 1024
"""The body of an entry in an album's log."""
ALBUM_FEED_ENTRY_BYTES: Final = 16 * 1024
"""The body of an entry in a feed."""
ALBUM_LOG_ENTRIES: Final = 16_384
"""Entries of a log: what is before what costs a bit for each pair of them."""
ALBUM_OWNER_ENTRIES: Final = 1_024
"""The last of these, which are the owner's alone: nobody can keep it from removing them."""
ALBUM_FEED_ENTRIES: Final = 131_072
"""Entries of one member's feeds: those of all devices that speak for one identity."""
ALBUM_MEMBER_BYTES: Final = 128 * 1024 * 1024
"""What these are together: as many entries that add photos are."""
ALBUM_HEADS: Final = 64
"""Parents of an entry, entries that one has seen, and heads that a removal names."""
ALBUM_OPS: Final = 16
"""Ops in one entry."""
ALBUM_DEVICES_AT_ONCE: Final = 8
"""Devices that one op lets in."""
ALBUM_WRAPS: Final = 4_096
"""Devices that one set of wraps is for."""
ALBUM_WRAPS_AT_ONCE: Final = 512
"""Wraps in one message."""
ALBUM_BATCH: Final = 1_024
"""Entries in one message."""
ALBUM_PAST: Final = 64
"""Earlier keys that one epoch adds."""
ALBUM_TEXT_BYTES: Final = 4_096
"""A comment or a caption."""
ALBUM_PREVIEW_BYTES: Final = 64 * 1024
"""A small picture of a photo, sealed."""
ALBUM_PREVIEWS_AT_ONCE: Final = 64
"""Previews in one message."""
ALBUM_HEADS_AT_ONCE: Final = 128
"""`AlbumHeads` of one peer that are answered one after the other: each is looked up in all there
is."""
ALBUM_HEADS_PER_SECOND: Final = 8.0
"""How many more are answered after that; the others wait, and who waits asks for all at once."""
ALBUM_NAME_BYTES: Final = 255
ALBUM_PLACE_BYTES: Final = 32
"""Where a photo stands."""
ALBUM_REPLACED: Final = 16
"""Entries that one replaces."""
ALBUM_EPOCH_SECONDS: Final = 30 * 86_400
"""After which the key of an album is changed."""

# Between the devices of one identity.
SIBLING_DEVICES: Final = 64
"""Devices of one identity that ever told anything."""
SIBLING_VALUE_BYTES: Final = 144 * 1024
"""What a record says: the longest are rules, with their text as it was written."""
SIBLING_RECORD_BYTES: Final = SIBLING_VALUE_BYTES + 1024
"""The body of a record."""
SIBLING_RECORDS: Final = 1_000_000
"""Records of one device."""
SIBLING_BATCH: Final = 512
"""Records in one message."""
SIBLING_ASKED: Final = 256
"""Photos in one question."""

# Pairing.
PAIRING_RUNS: Final = pairing.MAX_RUNS
PAIRING_SECONDS: Final = pairing.LIFETIME_SECONDS
INVITATION_BYTES: Final = pairing.MAX_INVITATION_BYTES
INVITATION_ADDRESSES: Final = pairing.MAX_ADDRESSES

# Tickets.
TICKET_BYTES: Final = 2048
"""A ticket as bytes, its checksum included: one QR code holds the text of that many."""
TICKET_TEXT_CHARACTERS: Final = 16 * 1024
"""Its text as it was pasted, white space included."""
TICKET_SECONDS: Final = 30 * 86_400
"""How long one may be valid."""
TICKET_USES: Final = 100
TICKET_ADDRESSES: Final = 8
TICKET_RELAYS: Final = 4
TICKET_ADDRESS_BYTES: Final = 255
TICKETS: Final = 64
"""Tickets of one node that may be open at a time."""

# Links to photos that browsers open.
LINKS: Final = 64
"""Links of one node that may be open at a time."""
LINK_SECONDS: Final = 30 * 86_400
"""How long one may be valid."""
LINK_COUNT: Final = 100
"""How often one may be opened at most."""
LINK_PHOTOS: Final = 500
LINK_LIST_BYTES: Final = 4 * 1024 * 1024
"""Of its list: the hashes of 30 GB of pieces."""
LINK_OFFER_BYTES: Final = 16 * 1024
LINK_CANDIDATES: Final = 8
LINK_PART_BYTES: Final = 52_480
"""Of a message in the data channel: a fifth of a piece, and less than what browsers take."""
LINK_PIECES_ASKED: Final = 64
"""Pieces that a page may have asked for and not got, in one request and in all."""

# Links by which browsers send photos.
DROPS: Final = 16
"""Drop links of one node at a time."""
DROP_ITEMS: Final = 2_000
"""Photos that may wait for a decision, or be on their way, by one of them."""
DROP_BYTES: Final = 8 * 1024**3
"""Of one photo or film: a page can offer no more."""
DROP_NAME_CHARACTERS: Final = 200
DROP_PART_BYTES: Final = 49_152
DROP_WINDOW_BYTES: Final = 1024 * 1024
"""What a page may have sent that the node has not said to be here."""
DROP_OFFERS: Final = 64
"""Photos that a page may have offered and heard nothing of."""

# Whereabouts that contacts leave for each other.
RENDEZVOUS_ADDRESSES: Final = 8
RENDEZVOUS_ADDRESS_BYTES: Final = 255
"""Of one of them; of more than there is room for, the last ones are left out."""
RENDEZVOUS_LEFT: Final = 64
"""Records in one request."""
RENDEZVOUS_ASKED: Final = 192
"""Tags that one request asks for."""
RENDEZVOUS_STEP: Final = 24
"""Their number is filled up to a multiple of this: eight contacts, three days each."""
RENDEZVOUS_FOUND: Final = 256
"""Records in one answer."""
RENDEZVOUS_PER_TAG: Final = 8
"""Peers whose records are kept under one tag: the devices of two identities."""
RENDEZVOUS_PER_CONTACT: Final = 256
"""Records that are kept of one contact."""
RENDEZVOUS_RECORDS: Final = 4_096
"""Records that are kept in all: 8 MiB."""
RENDEZVOUS_SECONDS: Final = 2 * 86_400
"""How long each is kept."""

# What a node says of itself to anybody.
PROFILE_BYTES: Final = 1024
PROFILE_CHALLENGE_BYTES: Final = 64
PROFILE_ROLES: Final = 16
PROFILE_ROLE_BYTES: Final = 32

# Devices of one person.
OWN_DEVICES: Final = 64
"""That are known at a time, revoked ones among them."""
OWN_DEVICES_BYTES: Final = OWN_DEVICES * (identity.MAX_CHAIN_BYTES + 512)
SHOWN_DEVICES: Final = 16
"""Devices of ours that a contact is told of."""
DEVICE_GIFT_BYTES: Final = 4 * 1024
OWN_GENERATION_STEP: Final = 1_000
"""By how much the number of the own-device secret may rise at once: nobody can use it up."""

# Key material.
CHAIN_BYTES: Final = identity.MAX_CHAIN_BYTES
KEY_FILE_BYTES: Final = keystore.MAX_FILE_BYTES
KEY_SLOTS: Final = keystore.MAX_SLOTS
ENCODING_DEPTH: Final = encoding.MAX_DEPTH
ENCODING_ITEMS: Final = encoding.MAX_ITEMS
"""Items in one array."""

# The owner's rules.
POLICY_BYTES: Final = 64 * 1024
POLICY_RULES: Final = 128
POLICY_ITEMS: Final = 64
"""Items in one list of a rule."""
POLICY_TEXT_BYTES: Final = 255

HEAD_BYTES: Final = 4096
"""One signed head."""
HEAD_DEVICES: Final = 64
"""Devices that a head names."""
HEAD_CERTIFICATES_BYTES: Final = 8192
HEAD_STEP: Final = 64
"""Lines of heads are filled up to a multiple of that."""
HEAD_LINES: Final = 4096
"""Lines that are told at a time."""
HEADS_KEPT: Final = 64
"""Heads that are kept of one device, the newest: those are compared with what others have."""
HEAD_SIGNERS: Final = 32
"""Devices of one identity whose heads are kept."""
HEADS_AT_ONCE: Final = 64
HEADS_PER_SECOND: Final = 1.0
"""Messages about heads that are taken from one link."""

GUARDIAN_BYTES: Final = 16 * 1024
"""One sealed share of somebody's words."""
GUARDIANS_AT_ONCE: Final = 8
GUARDIANS_PER_SECOND: Final = 0.1
"""Shares that are taken from one link: each is to replace the one before."""

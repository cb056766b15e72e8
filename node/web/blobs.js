// Sealed blobs, opened piece by piece (docs/spec/blob.md). Nothing of a piece leaves here before its
// hash, its tags and its place were found right.

import { ascii, equal, expand, fromText, join, opener, sha256 } from './primitives.js';

const CHUNK = 16384;
const SEALED_CHUNK = CHUNK + 16;
export const PIECE = 16 * SEALED_CHUNK;
const HEADER = 56;
const LABEL = 'c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0';

export class BrokenError extends Error {}

function padme(length) {
  if (length < 2) return length;
  const exponent = Math.floor(Math.log2(length));
  const step = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1));
  return Math.ceil(length / step) * step;
}

export class SealedBlob {
  // What the list of a link says of a photo.
  static async of(listed) {
    const manifest = fromText(listed.manifest);
    const key = fromText(listed.key, 32);
    const id = fromText(listed.id, 16);
    if (!manifest || !key || !id || manifest.length < 8 + HEADER) throw new BrokenError();
    const blob = new SealedBlob();
    const view = new DataView(manifest.buffer);
    blob.size = Number(view.getBigUint64(0));
    blob.length = listed.bytes;
    blob.hashes = manifest.subarray(8 + HEADER);
    blob.pieces = Math.ceil((blob.size - HEADER) / PIECE);
    if (blob.size < HEADER + 16 || blob.hashes.length !== 32 * blob.pieces) throw new BrokenError();
    const header = manifest.subarray(8, 8 + HEADER);
    const context = join(ascii('kinlight/pb1\0'), Uint8Array.of(listed.kind), id);
    const info = join(ascii(LABEL), header.subarray(0, 24), context);
    const derived = await expand('SHA-512', key, info, 76);
    if (!equal(derived.subarray(44), header.subarray(24))) throw new BrokenError();
    blob.open = await opener(derived.slice(0, 32));
    blob.base = derived.slice(32, 44);
    return blob;
  }

  pieceLength(index) {
    return Math.min(PIECE, this.size - HEADER - index * PIECE);
  }

  // Whether these are the bytes of that piece; needs no key.
  async isPiece(index, sealed) {
    if (sealed.length !== this.pieceLength(index)) return false;
    return equal(await sha256(sealed), this.hashes.subarray(32 * index, 32 * (index + 1)));
  }

  nonce(counter) {
    const nonce = this.base.slice();
    const view = new DataView(nonce.buffer);
    // Chunks are at most 2^20, so the counter is in the last four bytes alone.
    view.setUint32(8, (view.getUint32(8) ^ counter) >>> 0);
    return nonce;
  }

  // The plaintext of a piece that is right.
  async openPiece(index, sealed) {
    const last = index === this.pieces - 1;
    const whole = sealed.length === PIECE;
    if (!last && !whole) throw new BrokenError();
    // The last chunk of all is always shorter than a full one.
    if (last && sealed.length % SEALED_CHUNK < 16) throw new BrokenError();
    const chunks = [];
    for (let at = 0, number = index * 16; at < sealed.length; at += SEALED_CHUNK, number += 1) {
      try {
        chunks.push(await this.open(this.nonce(number), sealed.subarray(at, at + SEALED_CHUNK)));
      } catch {
        throw new BrokenError();
      }
    }
    return join(...chunks);
  }

  contents() {
    return new Contents(this.length);
  }
}

// Takes pieces of plaintext in their order and gives the content: without length and padding.
class Contents {
  constructor(length) {
    this.length = length;
    this.seen = 0;
  }

  take(plain) {
    const begin = this.seen;
    this.seen += plain.length;
    if (begin === 0) {
      if (plain.length < 8) throw new BrokenError();
      const said = new DataView(plain.buffer, plain.byteOffset).getBigUint64(0);
      if (said !== BigInt(this.length)) throw new BrokenError();
    }
    const from = Math.min(plain.length, Math.max(0, 8 - begin));
    const to = Math.max(from, Math.min(plain.length, 8 + this.length - begin));
    for (let at = to; at < plain.length; at += 1) {
      if (plain[at] !== 0) throw new BrokenError();
    }
    return plain.subarray(from, to);
  }

  finish() {
    if (this.seen !== padme(8 + this.length)) throw new BrokenError();
  }
}

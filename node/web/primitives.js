// Hashes, tags and AES-GCM: by the browser where it lets a page have them, by noble where not.
// On http://192.168.… there is no WebCrypto, since that page is no "secure context".

import { gcm } from './noble-ciphers/aes.js';
import { hmac as nobleHmac } from './noble-hashes/hmac.js';
import { sha256 as nobleSha256, sha512 as nobleSha512 } from './noble-hashes/sha2.js';

const subtle = globalThis.isSecureContext ? globalThis.crypto.subtle : undefined;
const NOBLE = { 'SHA-256': nobleSha256, 'SHA-512': nobleSha512 };

export const native = subtle !== undefined;

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const ascii = (text) => new TextEncoder().encode(text);

export async function sha256(data) {
  return subtle ? new Uint8Array(await subtle.digest('SHA-256', data)) : nobleSha256(data);
}

// SHA-256 of what comes in steps, such as a large file: WebCrypto wants all of it at once.
export const hasher = () => nobleSha256.create();

export async function hmac(hash, key, data) {
  if (!subtle) return nobleHmac(NOBLE[hash], key, data);
  const imported = await subtle.importKey('raw', key, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await subtle.sign('HMAC', imported, data));
}

// HKDF-Expand, RFC 5869, for at most two blocks of the hash.
export async function expand(hash, key, info, length) {
  const first = await hmac(hash, key, join(info, Uint8Array.of(1)));
  if (length <= first.length) return first.slice(0, length);
  const second = await hmac(hash, key, join(first, info, Uint8Array.of(2)));
  return join(first, second).slice(0, length);
}

// HKDF-SHA256 without a salt, 32 bytes. The purpose is text, or text and bytes.
export async function derive(key, purpose, bound = new Uint8Array(0)) {
  return expand('SHA-256', await hmac('SHA-256', new Uint8Array(32), key), join(ascii(purpose), bound), 32);
}

// A function that opens what was sealed under that key, and throws for anything else.
export async function opener(key) {
  if (!subtle) {
    return async (nonce, sealed, aad) => gcm(key, nonce, aad).decrypt(sealed);
  }
  const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
  return async (nonce, sealed, aad) => {
    const how = { name: 'AES-GCM', iv: nonce };
    if (aad) how.additionalData = aad;
    return new Uint8Array(await subtle.decrypt(how, imported, sealed));
  };
}

// A function that seals under that key; a nonce is for one message.
export async function sealer(key) {
  if (!subtle) return async (nonce, plain) => gcm(key, nonce).encrypt(plain);
  const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
  return async (nonce, plain) => new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv: nonce }, imported, plain));
}

export function equal(one, other) {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < one.length; at += 1) difference |= one[at] ^ other[at];
  return difference === 0;
}

export function toText(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// Bytes of base 64 for URLs; null for what is none, or of another length if one is asked for.
export function fromText(text, length) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  try {
    const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
    return (length === undefined || bytes.length === length) && toText(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}

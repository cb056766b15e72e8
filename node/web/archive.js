// One ZIP file of several photos, stored and not compressed: photos do not get smaller.
// Without ZIP64, so an archive has less than 4 GiB.

export const MOST = 0xfffffffe;

const TABLE = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export class Crc {
  value = 0xffffffff;

  take(bytes) {
    let value = this.value;
    for (let at = 0; at < bytes.length; at += 1) value = TABLE[(value ^ bytes[at]) & 255] ^ (value >>> 8);
    this.value = value;
  }

  get sum() {
    return (this.value ^ 0xffffffff) >>> 0;
  }
}

// Names that lie flat in a folder, each once, whatever the list says.
export function flatNames(names) {
  const taken = new Set();
  return names.map((name) => {
    // eslint-disable-next-line no-control-regex
    let plain = name.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\:*?"<>|]/g, '_');
    plain = plain.replace(/^[. ]+/, '_').replace(/[. ]+$/, '_').slice(0, 120) || 'photo';
    const dot = plain.lastIndexOf('.');
    const [stem, end] = dot > 0 ? [plain.slice(0, dot), plain.slice(dot)] : [plain, ''];
    let found = plain;
    for (let number = 2; taken.has(found.toLowerCase()); number += 1) found = `${stem} ${number}${end}`;
    taken.add(found.toLowerCase());
    return found;
  });
}

const LOCAL = 30;
const CENTRAL = 46;

function entry(file, central) {
  const name = new TextEncoder().encode(file.name);
  const bytes = new Uint8Array((central ? CENTRAL : LOCAL) + name.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const u16 = (value) => { view.setUint16(at, value, true); at += 2; };
  const u32 = (value) => { view.setUint32(at, value, true); at += 4; };
  u32(central ? 0x02014b50 : 0x04034b50);
  if (central) u16(20);
  u16(20);
  u16(0x0800); // the name is UTF-8
  u16(0); // stored
  u16(0);
  u16(0x21); // 1 January 1980: when a photo was taken stands in the photo, or does not go
  u32(file.crc);
  u32(file.length);
  u32(file.length);
  u16(name.length);
  u16(0);
  if (central) {
    u16(0);
    u16(0);
    u16(0);
    u32(0);
    u32(file.offset);
  }
  bytes.set(name, at);
  return bytes;
}

export const localHeader = (file) => entry(file, false);

export const archiveLength = (files) =>
  files.reduce((sum, file) => sum + file.length + LOCAL + CENTRAL + 2 * new TextEncoder().encode(file.name).length, 22);

export function directory(files, offset) {
  const entries = files.map((file) => entry(file, true));
  const length = entries.reduce((sum, one) => sum + one.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, length, true);
  end.setUint32(16, offset, true);
  return [...entries, new Uint8Array(end.buffer)];
}

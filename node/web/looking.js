// What a chosen file tells, so that a person sees what the browser left out of it or changed.
// Nothing here decides anything: the file goes as the browser gave it.

const LOOKED_AT = 256 * 1024;
const HEIC = /\.hei[cf]$/i;

function format(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 16));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'JPEG';
  if (text.startsWith('\x89PNG')) return 'PNG';
  if (text.startsWith('GIF8')) return 'GIF';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'WebP';
  if (text.slice(4, 8) !== 'ftyp') return null;
  const brand = text.slice(8, 12);
  if (/^(hei|hev|mif1|msf1)/.test(brand)) return 'HEIC';
  if (brand === 'avif') return 'AVIF';
  return brand === 'qt  ' ? 'MOV' : 'MP4';
}

// The EXIF block of a JPEG, if it has one: its TIFF part.
function exifOf(view) {
  let at = 2;
  while (at + 4 <= view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) return null;
    const length = view.getUint16(at + 2);
    const begin = at + 10;
    if (marker === 0xe1 && length > 16 && begin + 8 <= view.byteLength && view.getUint32(at + 4) === 0x45786966) {
      const room = Math.min(length - 8, view.byteLength - begin);
      return new DataView(view.buffer, view.byteOffset + begin, room);
    }
    at += 2 + length;
  }
  return null;
}

function tags(tiff, at, little) {
  const found = new Map();
  if (at + 2 > tiff.byteLength) return found;
  const count = Math.min(tiff.getUint16(at, little), 200);
  for (let each = 0; each < count; each += 1) {
    const entry = at + 2 + 12 * each;
    if (entry + 12 > tiff.byteLength) break;
    found.set(tiff.getUint16(entry, little), entry);
  }
  return found;
}

function exifFacts(tiff) {
  const little = tiff.getUint16(0) === 0x4949;
  const first = tags(tiff, tiff.getUint32(4, little), little);
  const inner = (tag) => (first.has(tag) ? tags(tiff, tiff.getUint32(first.get(tag) + 8, little), little) : new Map());
  const make = first.get(0x010f);
  let maker = '';
  if (make !== undefined) {
    const begin = tiff.getUint32(make + 8, little);
    for (let at = begin; at < Math.min(begin + 5, tiff.byteLength); at += 1) maker += String.fromCharCode(tiff.getUint8(at));
  }
  return { date: inner(0x8769).has(0x9003), place: inner(0x8825).has(2), apple: maker === 'Apple' };
}

// `format`; of a JPEG `exif`, `date` and `place`, whether it has them; `converted`: `yes` where the
// name says HEIC and the bytes say JPEG, `perhaps` where it is named as iPhones name what they convert.
export async function look(blob, name) {
  const bytes = new Uint8Array(await blob.slice(0, LOOKED_AT).arrayBuffer());
  const facts = { format: format(bytes), exif: null, date: null, place: null, converted: 'no' };
  if (facts.format !== 'JPEG') return facts;
  if (HEIC.test(name)) facts.converted = 'yes';
  try {
    const tiff = exifOf(new DataView(bytes.buffer));
    Object.assign(facts, { exif: tiff !== null, date: false, place: false });
    if (tiff !== null) {
      const { date, place, apple } = exifFacts(tiff);
      Object.assign(facts, { date, place });
      if (apple && /^IMG_\d+\.jpeg$/.test(name) && facts.converted === 'no') facts.converted = 'perhaps';
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a block that points out of itself
  }
  return facts;
}

// In words, for one photo.
export function told(facts) {
  const words = [facts.format ?? 'file'];
  if (facts.converted === 'yes') words.push('converted from HEIC by the browser');
  if (facts.converted === 'perhaps') words.push('probably converted from HEIC by the phone');
  if (facts.exif === false) words.push('no date, camera or place in it');
  else if (facts.date && facts.place) words.push('with its date and place');
  else if (facts.date) words.push('with its date, without the place');
  else if (facts.place) words.push('with its place, without a date');
  else if (facts.exif) words.push('no date or place in it');
  return words.join(', ');
}

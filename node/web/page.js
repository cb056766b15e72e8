// What a person sees: a button, a gallery that fills, a way to save, and words where it fails.

import { Crc, MOST, archiveLength, directory, flatNames, localHeader } from './archive.js';
import { BrokenError, SealedBlob } from './blobs.js';
import { fromText, toText } from './primitives.js';
import { Channel } from './receiver.js';
import { Store } from './store.js';
import { Link, Refusal } from './way.js';
import { at, make, size, transport, trouble } from './words.js';

const AHEAD = 16; // pieces asked for at a time: 4 MiB
const TRIES = 4;
const TOGETHER = 32; // pieces that become one Blob, which a browser may put on its disk
const IN_PAGE = 500 * 1000 * 1000;
// What a browser shows by itself. Anything else is bytes to be saved, whatever it says it is.
const SHOWN = /^(image\/(jpeg|png|gif|webp|avif|heic|heif|bmp)|video\/(mp4|webm|quicktime))$/;

const streams = globalThis.isSecureContext && 'showSaveFilePicker' in globalThis;

class Page {
  constructor(link, store) {
    this.link = link;
    this.store = store;
    this.channel = null;
    this.photos = [];
  }

  async begin() {
    const visit = await this.store.visit();
    this.visit = visit ?? crypto.getRandomValues(new Uint8Array(16));
    if (visit) {
      await this.receive();
      return;
    }
    const state = await this.link.state();
    if (state.error) throw new Refusal(state.error.code, state.error.message);
    // Not without a person: messengers look at links by themselves, and each opening counts.
    at('about').textContent = 'Somebody sent you photos.';
    at('open').hidden = false;
    at('open').onclick = () => {
      at('open').hidden = true;
      this.receive().catch(trouble);
    };
  }

  // The channel, made again where it broke off.
  async connected() {
    for (let tries = 1; !this.channel || this.channel.ended; tries += 1) {
      const ended = this.channel?.ended;
      if (ended?.final) throw ended;
      try {
        this.channel = await Channel.open(this.link, this.visit);
        this.channel.expected = (what) => this.expected(what);
      } catch (error) {
        if (tries >= TRIES || error.final !== false) throw error;
        await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
      }
    }
    return this.channel;
  }

  expected(what) {
    const [photo, index] = what.split(' ').map(Number);
    const blob = this.photos[photo]?.blob;
    return blob && index < blob.pieces ? blob.pieceLength(index) : 0;
  }

  async receive() {
    at('about').textContent = 'Looking for the computer that has the photos…';
    const channel = await this.connected();
    await this.store.keepVisit(this.visit, null);
    const list = await channel.list();
    await this.store.keepVisit(this.visit, list.expires);
    this.show(list);
    for (const photo of this.photos) {
      if (photo.length <= IN_PAGE) await this.fill(photo);
    }
    this.channel?.close();
    at('about').textContent = `${this.summary} Received and checked.`;
    document.body.dataset.done = 'yes';
    at('forget').hidden = false;
    at('forget').onclick = () => this.forget();
  }

  show(list) {
    const names = flatNames(list.photos.map((photo) => photo.name));
    this.photos = list.photos.map((listed, number) => ({ listed, number, name: names[number], length: listed.bytes }));
    this.total = this.photos.reduce((sum, photo) => sum + photo.length, 0);
    const many = this.photos.length === 1 ? '1 photo' : `${this.photos.length} photos`;
    this.summary = `${many} from ${list.from}, ${size(this.total)}.`;
    at('title').textContent = `Photos from ${list.from}`;
    at('about').textContent = this.summary;
    const until = new Date(list.expires * 1000).toLocaleString();
    const often = list.count === 1 ? 'once' : `${list.count} times`;
    const form = list.original
      ? 'These are the original files, with all that is in them, such as where they were taken.'
      : 'These are copies, without the place where they were taken.';
    at('class').append(` It can be opened ${often}, until ${until}; this browser may come back to it. ${form}`);
    for (const photo of this.photos) this.frame(photo);
    if (this.photos.length > 1) {
      at('archive').hidden = false;
      at('archive').onclick = () => this.archive().catch(trouble);
    }
  }

  frame(photo) {
    const item = make('li', '');
    const figure = make('figure', '');
    photo.place = make('div', '');
    photo.bar = make('progress', '', { max: String(photo.length || 1), value: '0', 'aria-label': `Receiving ${photo.name}` });
    photo.save = make('p', '');
    figure.append(photo.place, photo.bar, make('figcaption', `${photo.name} (${size(photo.length)})`), photo.save);
    item.append(figure);
    at('photos').append(item);
    if (photo.length > IN_PAGE) {
      photo.bar.hidden = true;
      if (streams) {
        const button = make('button', `Save ${photo.name}`, { type: 'button' });
        button.onclick = () => this.saveLarge(photo).catch(trouble);
        photo.save.append(button);
      } else {
        photo.save.textContent = 'Too large for this page: it needs an encrypted page (https) and a browser that saves as it receives.';
      }
    }
  }

  // The content of a photo, piece after piece, each checked and opened.
  async *contents(photo) {
    photo.blob ??= await SealedBlob.of(photo.listed);
    const blob = photo.blob;
    const contents = blob.contents();
    const asked = new Map();
    let next = 0;
    for (let index = 0; index < blob.pieces; index += 1) {
      while (next < Math.min(blob.pieces, index + AHEAD)) {
        asked.set(next, this.sealed(photo, next));
        asked.get(next).catch(() => {}); // it is looked at when its turn comes
        next += 1;
      }
      const sealed = await asked.get(index);
      asked.delete(index);
      yield contents.take(await blob.openPiece(index, sealed));
    }
    contents.finish();
  }

  async sealed(photo, index) {
    const blob = photo.blob;
    const kept = await this.store.piece(photo.number, index);
    if (kept && (await blob.isPiece(index, kept))) return kept;
    for (let tries = 1; ; tries += 1) {
      try {
        const sealed = await (await this.again()).piece(photo.number, index);
        if (!(await blob.isPiece(index, sealed))) throw new BrokenError();
        await this.store.keepPiece(photo.number, index, sealed);
        return sealed;
      } catch (error) {
        if (tries >= TRIES || error.final !== false) throw error;
      }
    }
  }

  // One who mends for all that wait.
  again() {
    this.mending ??= this.connected().finally(() => { this.mending = null; });
    return this.mending;
  }

  async fill(photo) {
    if (photo.content) return;
    const type = SHOWN.test(photo.listed.type) ? photo.listed.type : 'application/octet-stream';
    const crc = new Crc();
    let parts = [];
    const blobs = [];
    let got = 0;
    for await (const bytes of this.contents(photo)) {
      crc.take(bytes);
      parts.push(bytes);
      got += bytes.length;
      photo.bar.value = got;
      if (parts.length === TOGETHER) {
        blobs.push(new Blob(parts));
        parts = [];
      }
    }
    photo.content = new Blob([...blobs, ...parts], { type });
    photo.crc = crc.sum;
    this.shown(photo, type);
  }

  shown(photo, type) {
    const url = URL.createObjectURL(photo.content);
    photo.bar.hidden = true;
    if (type.startsWith('image/')) {
      photo.place.append(make('img', '', { src: url, alt: photo.name }));
    } else if (type.startsWith('video/')) {
      photo.place.append(make('video', '', { src: url, controls: '', 'aria-label': photo.name }));
    }
    photo.save.replaceChildren(make('a', `Save ${photo.name}`, { href: url, download: photo.name, class: 'save' }));
  }

  async saveLarge(photo) {
    const handle = await showSaveFilePicker({ suggestedName: photo.name });
    const file = await handle.createWritable();
    photo.bar.hidden = false;
    let got = 0;
    for await (const bytes of this.contents(photo)) {
      await file.write(bytes);
      got += bytes.length;
      photo.bar.value = got;
    }
    await file.close();
    photo.bar.hidden = true;
    photo.save.textContent = 'Saved.';
  }

  async archive() {
    const files = this.photos.map((photo) => ({ name: photo.name, length: photo.length, photo, crc: 0, offset: 0 }));
    if (archiveLength(files) > MOST) {
      throw new Refusal('archive', 'Together they are too large for one file (4 GB). Save them one by one.');
    }
    if (streams) {
      await this.archiveToDisk(files);
      return;
    }
    if (this.total > IN_PAGE) {
      throw new Refusal(
        'archive',
        'Together they are more than 500 MB, which this page can\'t put into one file: it would have to hold all of it in memory. '
          + 'Save them one by one, or ask for a link with an encrypted page (https).',
      );
    }
    const parts = [];
    let offset = 0;
    for (const file of files) {
      await this.fill(file.photo);
      Object.assign(file, { crc: file.photo.crc, offset });
      const header = localHeader(file);
      parts.push(header, file.photo.content);
      offset += header.length + file.length;
    }
    parts.push(...directory(files, offset));
    const link = make('a', '', { href: URL.createObjectURL(new Blob(parts, { type: 'application/zip' })), download: 'photos.zip' });
    link.click();
  }

  async archiveToDisk(files) {
    const handle = await showSaveFilePicker({ suggestedName: 'photos.zip' });
    const out = await handle.createWritable();
    let offset = 0;
    for (const file of files) {
      file.offset = offset;
      const crc = new Crc();
      await out.write(localHeader(file));
      for await (const bytes of this.contents(file.photo)) {
        crc.take(bytes);
        await out.write(bytes);
      }
      file.crc = crc.sum;
      const header = localHeader(file);
      await out.write({ type: 'write', position: offset, data: header }); // now the sum is known
      offset += header.length + file.length;
      await out.seek(offset);
    }
    for (const part of directory(files, offset)) await out.write(part);
    await out.close();
    at('about').textContent = `${this.summary} Saved in one file.`;
  }

  async forget() {
    await this.store.forget();
    location.reload();
  }
}

async function begin() {
  transport();
  const token = fromText(location.pathname.split('/')[2] ?? '', 16);
  const key = fromText(location.hash.slice(1), 32);
  if (!token || !key) {
    throw new Refusal('link-key', 'The end of this link, after the #, is wrong or missing. Copy all of it and try again.');
  }
  const link = await Link.of(token, key);
  const store = await Store.open(toText(link.id));
  await new Page(link, store).begin();
}

addEventListener('hashchange', () => location.reload());
begin().catch((error) => {
  at('about').textContent = '';
  trouble(error);
});

// What a person sees who sends photos: what to choose, how far each is, and what the browser changed.

import { look, told } from './looking.js';
import { fromText, hasher, toText } from './primitives.js';
import { Queue } from './queue.js';
import { BROKEN, DECLINED, HERE, Sender, WAITS, WANTED } from './sender.js';
import { Link, Refusal } from './way.js';
import { at, make, size, transport, trouble } from './words.js';

const OFFERED = 32; // photos that are offered and not answered
const TRIES = 6;
const HASH_STEP = 4 * 1024 * 1024;
const DRAWN = 160; // pixels

const WORDS = {
  new: 'waits its turn',
  sending: 'on its way',
  asked: 'waits until it is accepted there',
  there: 'there',
  before: 'was there already',
  declined: 'not wanted there',
  broken: 'did not arrive whole; try again',
  refused: 'not taken',
};
const OVER = ['there', 'before', 'declined', 'refused'];

class Drop {
  constructor(link, queue, visit) {
    this.link = link;
    this.queue = queue;
    this.visit = visit;
    this.photos = new Map();
    this.next = 1;
    this.wanted = [];
    this.drawing = Promise.resolve();
    this.seen = new IntersectionObserver((entries) => this.draw(entries), { rootMargin: '200px' });
  }

  async begin() {
    const state = await this.link.state();
    if (state.error) throw new Refusal(state.error.code, state.error.message);
    at('about').textContent = 'Choose what to send. Keep this page open until all is there.';
    at('choose').hidden = false;
    for (const id of ['photos-in', 'files-in']) at(id).onchange = (event) => this.choose(event.target).catch(trouble);
    at('again').onclick = () => this.go();
    addEventListener('online', () => this.go());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.go(); });
    for (const kept of await this.queue.all()) await this.add(kept);
    if (this.photos.size) this.go();
  }

  async choose(input) {
    const files = [...input.files];
    input.value = '';
    for (const blob of files) {
      const photo = { name: blob.name, modified: blob.lastModified, type: blob.type, blob, hash: null, number: this.next };
      await this.add(photo);
      if (!(await this.queue.keep(photo))) this.unkept = true;
    }
    this.stir();
    this.go();
  }

  async add(photo) {
    photo.length = photo.blob.size;
    photo.state = 'new';
    photo.got = 0;
    photo.facts = await look(photo.blob, photo.name);
    this.next = Math.max(this.next, photo.number + 1);
    this.photos.set(photo.number, photo);
    photo.row = make('li', '');
    photo.picture = make('canvas', '', { width: '1', height: '1', 'aria-hidden': 'true' });
    const words = make('div', '');
    photo.said = make('p', '', { class: 'state' });
    words.append(make('p', photo.name, { class: 'name' }), make('p', `${size(photo.length)} · ${told(photo.facts)}`, { class: 'note' }), photo.said);
    photo.row.append(photo.picture, words);
    at('photos').append(photo.row);
    this.seen.observe(photo.row);
    this.show(photo, 'new');
  }

  // Small pictures of what is in sight, one after the other: a phone can't hold all of them.
  draw(entries) {
    for (const { isIntersecting, target } of entries) {
      const photo = isIntersecting && [...this.photos.values()].find(({ row }) => row === target);
      if (!photo || !photo.type.startsWith('image/')) continue;
      this.seen.unobserve(target);
      this.drawing = this.drawing.then(async () => {
        // What was converted may still be called what it was.
        const blob = photo.facts.format === 'JPEG' ? new Blob([photo.blob], { type: 'image/jpeg' }) : photo.blob;
        const bitmap = await createImageBitmap(blob, { resizeWidth: DRAWN, resizeQuality: 'medium' });
        Object.assign(photo.picture, { width: bitmap.width, height: bitmap.height });
        photo.picture.getContext('2d').drawImage(bitmap, 0, 0);
        bitmap.close();
      }).catch(() => {}); // a picture that this browser does not show
    }
  }

  show(photo, state, why) {
    photo.state = state;
    photo.row.dataset.state = state;
    photo.said.textContent = why ? `${WORDS[state]}: ${why}` : WORDS[state];
    this.sum();
  }

  sum() {
    const all = [...this.photos.values()];
    if (!all.length) return;
    const count = (...states) => all.filter(({ state }) => states.includes(state)).length;
    const over = count(...OVER);
    const [there, before, asked, no] = [count('there'), count('before'), count('asked'), count('declined', 'refused')];
    const parts = [`${there + before} of ${all.length} there`];
    if (before) parts.push(`${before} of them already before`);
    if (asked) parts.push(`${asked} wait until they are accepted`);
    if (no) parts.push(`${no} not taken`);
    at('sending').hidden = false;
    at('count').textContent = parts.join(', ');
    const total = all.reduce((sum, { length }) => sum + length, 0);
    at('bar').max = total || 1;
    at('bar').value = all.reduce((sum, { state, length, got }) => sum + (OVER.includes(state) ? length : got), 0);
    document.body.dataset.over = String(over);
    document.body.dataset.done = over === all.length ? 'yes' : 'no';
    if (over === all.length) at('about').textContent = no ? 'Done. Some were not taken, see below.' : 'All is there. You can close this page.';
    else if (asked && asked + over === all.length) at('about').textContent = 'They wait until the other side accepts them. You may close this page and come back.';
    this.changes(all);
  }

  // What the browser left out or changed, in all.
  changes(all) {
    const jpegs = all.filter(({ facts }) => facts.format === 'JPEG');
    const bare = jpegs.filter(({ facts }) => !facts.place).length;
    const converted = all.filter(({ facts }) => facts.converted !== 'no').length;
    const words = [];
    if (bare) words.push(`${bare} of ${all.length} came to this page without the place where they were taken.`);
    if (converted) words.push(`${converted} look converted from HEIC to JPEG.`);
    if (words.length) words.push('Phones do that when photos are chosen for a page. “Choose files, unchanged” often gets them as they are.');
    if (this.unkept) words.push('This browser keeps nothing for this page: after a reload, choose them again. What is there is skipped.');
    at('changed').textContent = words.join(' ');
    at('changed').hidden = !words.length;
  }

  // One run at a time, until all is there or no way is found.
  go() {
    if (this.running || ![...this.photos.values()].some(({ state }) => !OVER.includes(state))) return;
    at('again').hidden = true;
    at('trouble').hidden = true;
    this.running = this.run().catch((error) => {
      trouble(error);
      at('again').hidden = false;
    }).finally(() => { this.running = null; });
  }

  async run() {
    const lock = await navigator.wakeLock?.request('screen').catch(() => null);
    try {
      for (let tries = 1; ; tries += 1) {
        const before = this.moved;
        try {
          await this.visitOnce();
          return;
        } catch (error) {
          if (this.moved !== before) tries = 1;
          if (tries >= TRIES || !(error instanceof Refusal) || error.final) throw error;
          await new Promise((done) => setTimeout(done, 250 * 2 ** tries));
        }
      }
    } finally {
      await lock?.release();
    }
  }

  // All that is left, over one connection.
  async visitOnce() {
    if (!this.channel || this.channel.ended) {
      at('about').textContent = 'Looking for the other computer…';
      this.channel = await Sender.open(this.link, this.visit);
      this.asked = new Set();
      this.wanted = [];
      this.channel.standing = (...said) => this.heard(...said);
      this.channel.over = () => this.stir();
      at('title').textContent = `Send photos to ${this.channel.name}`;
      for (const photo of this.photos.values()) if (!OVER.includes(photo.state)) this.show(photo, 'new');
    }
    at('about').textContent = 'Sending. Keep this page open until all is there.';
    this.sum();
    for (;;) {
      if (this.channel.ended) throw this.channel.ended;
      this.offers ??= this.offering().finally(() => { this.offers = null; });
      const photo = this.wanted.shift();
      if (photo) {
        this.show(photo, 'sending');
        const from = photo.from;
        await this.channel.sendPhoto(photo.number, photo.blob, from, () => photo.state === 'sending');
      } else if ([...this.photos.values()].every(({ state }) => OVER.includes(state))) {
        await this.offers;
        return;
      } else {
        await new Promise((done) => { this.stirred = done; });
      }
    }
  }

  async offering() {
    try {
      for (;;) {
        const photo = [...this.photos.values()].find(({ state, number }) => state === 'new' && !this.asked.has(number));
        if (!photo) {
          if ([...this.photos.values()].every(({ state }) => OVER.includes(state))) return;
          await new Promise((done) => { this.chosen = done; });
        } else {
          photo.hash ??= await this.hash(photo.blob);
          while (!this.channel.ended && this.unanswered >= OFFERED) await new Promise((done) => { this.answered = done; });
          this.asked.add(photo.number);
          await this.channel.offerPhoto(photo.number, photo);
        }
        if (this.channel.ended) throw this.channel.ended;
      }
    } catch (error) {
      // A file that was moved or deleted since it was chosen can't be read.
      this.channel.end(error instanceof Refusal ? error : new Refusal('unreadable', 'A file can\'t be read any more. Load this page and choose it again.'));
    }
  }

  get unanswered() {
    return [...this.asked].filter((number) => this.photos.get(number)?.state === 'new').length;
  }

  async hash(blob) {
    const hash = hasher();
    for (let from = 0; from < blob.size; from += HASH_STEP) hash.update(new Uint8Array(await blob.slice(from, from + HASH_STEP).arrayBuffer()));
    return hash.digest();
  }

  heard(number, standing, here, why) {
    const photo = this.photos.get(number);
    if (!photo) return;
    this.moved = (this.moved ?? 0) + 1;
    if (standing === WANTED) {
      photo.got = here;
      if (photo.state === 'sending') {
        this.sum();
      } else if (!this.wanted.includes(photo)) {
        photo.from = here;
        photo.sent = true;
        this.wanted.push(photo);
        this.show(photo, 'sending');
      }
    } else if (standing === WAITS) {
      this.show(photo, 'asked');
    } else if (standing === HERE) {
      this.finished(photo, photo.sent ? 'there' : 'before');
    } else if (standing === DECLINED) {
      this.finished(photo, 'declined');
    } else if (standing === BROKEN && !photo.broke) {
      photo.broke = true;
      this.asked.delete(number);
      this.show(photo, 'new');
    } else {
      this.finished(photo, 'refused', why || WORDS.broken);
    }
    this.stir();
  }

  finished(photo, state, why) {
    this.show(photo, state, why);
    // What was declined now may be wanted later: it has to be chosen again then.
    this.queue.drop(photo.number);
  }

  stir() {
    this.stirred?.();
    this.answered?.();
    this.chosen?.();
  }
}

// An app, where the page is one that a browser makes an app of. Its address has the key, which the
// other side is never told: so the page makes the manifest, and no server.
function offerApp(path) {
  if (!globalThis.isSecureContext) return;
  const icons = [192, 512].map((side) => ({ src: `${location.origin}/s/icon-${side}.png`, sizes: `${side}x${side}`, type: 'image/png' }));
  const manifest = {
    name: 'Send photos',
    short_name: 'Photos',
    id: `${location.origin}${path}`,
    start_url: location.href,
    scope: `${location.origin}${path}`,
    display: 'standalone',
    background_color: '#101418',
    theme_color: '#101418',
    icons,
  };
  const text = new Blob([JSON.stringify(manifest)], { type: 'application/manifest+json' });
  document.head.append(make('link', '', { rel: 'manifest', href: URL.createObjectURL(text) }));
  const worker = `${path}/worker`;
  const named = globalThis.trustedTypes?.createPolicy('worker', { createScriptURL: () => worker }).createScriptURL('') ?? worker;
  navigator.serviceWorker?.register(named, { scope: path }).catch(() => {}); // without it, the page works as well
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    at('install').hidden = false;
    at('install').onclick = () => event.prompt();
  });
}

async function begin() {
  transport();
  const token = fromText(location.pathname.split('/')[2] ?? '', 16);
  const key = fromText(location.hash.slice(1), 32);
  if (!token || !key) {
    throw new Refusal('link-key', 'The end of this link, after the #, is wrong or missing. Copy all of it and try again.');
  }
  const link = await Link.of(token, key, 'drop');
  offerApp(link.path);
  const queue = await Queue.open(toText(link.id));
  await new Drop(link, queue, await queue.visit()).begin();
}

addEventListener('hashchange', () => location.reload());
begin().catch((error) => {
  at('about').textContent = '';
  trouble(error);
});

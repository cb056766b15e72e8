// Photos to the node over the channel (docs/spec/drop.md). Each frame is sealed under keys of this
// channel, which only who has the link's key can make, and counted.

import { ascii, derive, join, opener, sealer, sha256 } from './primitives.js';
import { Refusal, Way, cutOff } from './way.js';

const OFFER = 0x11;
const PART = 0x12;
const CHALLENGE = 0x90;
const STANDING = 0x91;
const GREETING = 0x92;
const REFUSED = 0x83;
export const PART_BYTES = 49152;
const WINDOW = 1024 * 1024;
const READY_MS = 20000;

export const WANTED = 0;
export const WAITS = 1;
export const HERE = 2;
export const DECLINED = 3;
export const BROKEN = 4;

function nonce(counter) {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setUint32(8, counter);
  return bytes;
}

export class Sender extends Way {
  sealed = 0;
  opened = 0;
  sending = Promise.resolve();
  hearing = Promise.resolve();
  under = new Map(); // bytes of each photo that the node has not said to be there
  room = [];
  ready = new Promise((done, fail) => { this.begun = done; this.broke = fail; });

  async connect(visit) {
    this.ready.catch(() => {}); // it is looked at below, unless the way itself is not found
    await super.connect(visit);
    const timer = setTimeout(() => this.end(cutOff()), READY_MS);
    await this.ready;
    clearTimeout(timer);
  }

  // In turn: the frames are counted, and a browser may open them out of it.
  hear(message) {
    this.hearing = this.hearing.then(() => this.take(message)).catch((error) => {
      this.end(error instanceof Refusal ? error : new Refusal('changed', 'What came is not from the other side of this link.'));
    });
  }

  async take(message) {
    if (!this.open) {
      if (message[0] !== CHALLENGE || message.length !== 33) throw new Error();
      const bound = join(this.link.id, await sha256(ascii(this.offer)), message.subarray(1));
      this.seal = await sealer(await derive(this.link.auth, 'kinlight/drop-page1\0', bound));
      this.open = await opener(await derive(this.link.auth, 'kinlight/drop-node1\0', bound));
      return;
    }
    const frame = await this.open(nonce(this.opened), message);
    this.opened += 1;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    if (frame[0] === GREETING) {
      this.name = new TextDecoder().decode(frame.subarray(1));
      this.begun();
    } else if (frame[0] === STANDING && frame.length >= 14) {
      const number = view.getUint32(1);
      const here = Number(view.getBigUint64(6));
      this.settle(number, frame[5] === WANTED ? here : Infinity);
      this.standing?.(number, frame[5], here, new TextDecoder().decode(frame.subarray(14)));
    } else if (frame[0] === REFUSED) {
      const [code, words] = new TextDecoder().decode(frame.subarray(1)).split('\n');
      throw new Refusal(code, words ?? code);
    }
  }

  say(frame) {
    const sent = this.sending.then(async () => {
      if (this.ended) throw this.ended;
      const bytes = await this.seal(nonce(this.sealed), frame);
      this.sealed += 1;
      if (this.channel.readyState !== 'open') throw this.ended ?? cutOff();
      this.channel.send(bytes);
    });
    this.sending = sent.catch(() => {});
    return sent;
  }

  async offerPhoto(number, { length, modified, hash, name }) {
    const head = new DataView(new ArrayBuffer(21));
    head.setUint8(0, OFFER);
    head.setUint32(1, number);
    head.setBigUint64(5, BigInt(length));
    head.setBigUint64(13, BigInt(Math.max(0, Math.trunc(modified))));
    await this.say(join(new Uint8Array(head.buffer), hash, ascii([...name].slice(-200).join('') || 'photo')));
  }

  // The bytes from an offset on, as fast as the other side takes them; false if it wants no more.
  async sendPhoto(number, blob, from, goesOn) {
    const step = 16 * PART_BYTES;
    this.under.set(number, { sent: from, here: from });
    for (let at = from; at < blob.size; at += step) {
      const bytes = new Uint8Array(await blob.slice(at, at + step).arrayBuffer());
      for (let begin = 0; begin < bytes.length; begin += PART_BYTES) {
        const part = bytes.subarray(begin, begin + PART_BYTES);
        await this.hasRoom(part.length);
        if (!goesOn()) return false;
        const head = new DataView(new ArrayBuffer(13));
        head.setUint8(0, PART);
        head.setUint32(1, number);
        head.setBigUint64(5, BigInt(at + begin));
        const mine = this.under.get(number);
        if (mine) mine.sent = at + begin + part.length;
        await this.say(join(new Uint8Array(head.buffer), part));
      }
    }
    return true;
  }

  async hasRoom(length) {
    const waits = () => [...this.under.values()].reduce((sum, { sent, here }) => sum + sent - here, 0);
    while (!this.ended && waits() + length > WINDOW) await new Promise((done) => { this.room.push(done); });
    if (this.ended) throw this.ended;
  }

  settle(number, here) {
    const mine = this.under.get(number);
    if (!mine) return;
    if (here === Infinity) this.under.delete(number);
    else mine.here = Math.max(mine.here, here);
    this.wake();
  }

  wake() {
    for (const done of this.room.splice(0)) done();
  }

  finish(reason) {
    this.broke(reason);
    this.wake();
    this.over?.(reason);
  }
}

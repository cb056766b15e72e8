// Photos from the node: the list of a link, and pieces of what it leads to, over the channel
// (docs/spec/link.md).

import { derive, opener } from './primitives.js';
import { Refusal, Way, cutOff } from './way.js';

const LIST = 0x01;
const PIECES = 0x02;
const LIST_PART = 0x81;
const PIECE_PART = 0x82;
const REFUSED = 0x83;
const MOST_LIST = 8 * 1024 * 1024;
const SILENT_MS = 30000;

export class Channel extends Way {
  waiting = new Map();
  parts = null;

  async list() {
    const sealed = await this.wait('list', () => this.channel.send(Uint8Array.of(LIST)));
    try {
      const open = await opener(await derive(this.link.key, 'kinlight/link-list1'));
      const plain = await open(new Uint8Array(12), sealed, this.link.id);
      return JSON.parse(new TextDecoder().decode(plain));
    } catch {
      throw new Refusal('changed', 'The list of photos is not what it should be.');
    }
  }

  // The sealed bytes of a piece, as they came.
  piece(photo, index) {
    const message = new DataView(new ArrayBuffer(11));
    message.setUint8(0, PIECES);
    message.setUint16(1, photo);
    message.setUint32(3, index);
    message.setUint32(7, 1);
    return this.wait(`${photo} ${index}`, () => this.channel.send(message.buffer));
  }

  wait(what, send) {
    return new Promise((done, fail) => {
      if (this.ended || this.channel.readyState !== 'open') {
        fail(this.ended ?? cutOff());
        return;
      }
      this.waiting.set(what, { done, fail });
      this.watch();
      send();
    });
  }

  watch() {
    clearTimeout(this.timer);
    if (this.waiting.size) this.timer = setTimeout(() => this.end(cutOff()), SILENT_MS);
  }

  hear(message) {
    const view = new DataView(message.buffer);
    if (message[0] === LIST_PART && message.length >= 9) {
      this.part('list', view.getUint32(1), view.getUint32(5), message.subarray(9), true);
    } else if (message[0] === PIECE_PART && message.length >= 11) {
      const what = `${view.getUint16(1)} ${view.getUint32(3)}`;
      this.part(what, view.getUint32(7), this.expected?.(what) ?? 0, message.subarray(11), false);
    } else if (message[0] === REFUSED) {
      const [code, words] = new TextDecoder().decode(message.subarray(1)).split('\n');
      this.end(new Refusal(code, words ?? code));
    }
  }

  // Parts of one thing come in order, one thing after the other.
  part(what, offset, total, bytes, list) {
    const waits = this.waiting.get(what);
    if (!waits || total > MOST_LIST || (list && total < 16)) return;
    if (offset === 0) this.parts = { what, got: 0, into: new Uint8Array(total) };
    const parts = this.parts;
    if (!parts || parts.what !== what || parts.got !== offset || offset + bytes.length > total) {
      this.end(new Refusal('changed', 'What came is not what was asked for.'));
      return;
    }
    parts.into.set(bytes, offset);
    parts.got += bytes.length;
    if (parts.got === total) {
      this.parts = null;
      this.waiting.delete(what);
      waits.done(parts.into);
    }
    this.watch();
  }

  finish(reason) {
    clearTimeout(this.timer);
    for (const { fail } of this.waiting.values()) fail(reason);
    this.waiting.clear();
  }
}

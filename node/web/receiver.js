// The way to the node: an offer over the page's own HTTP, an answer, and then a data channel
// (docs/spec/link.md). Both messages carry a tag that only who has the link's key can make.

import { ascii, derive, equal, fromText, hmac, join, opener, sha256, toText } from './primitives.js';

const LIST = 0x01;
const PIECES = 0x02;
const LIST_PART = 0x81;
const PIECE_PART = 0x82;
const REFUSED = 0x83;
const MOST_LIST = 8 * 1024 * 1024;
const GATHER_MS = 2000;
const OPEN_MS = 20000;
const SILENT_MS = 30000;

// Something a person should read; `code` says what, `final` that trying again is of no use.
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
    this.final = !['link-busy', 'no-way', 'cut-off'].includes(code);
  }
}

const noWay = () =>
  new Refusal('no-way', 'No way was found to the computer that has the photos. Be in the same network, and try again.');
const cutOff = () => new Refusal('cut-off', 'The connection broke off. Load the page again to go on.');

export class Link {
  static async of(token, key) {
    const link = new Link();
    link.path = `/l/${toText(token)}`;
    link.key = key;
    link.id = await sha256(join(ascii('kinlight/link1\0'), token));
    link.auth = await derive(key, 'kinlight/link-auth1');
    return link;
  }

  tag(purpose, ...parts) {
    return hmac('SHA-256', this.auth, join(ascii(`${purpose}\0`), this.id, ...parts));
  }

  async state() {
    return ask(`${this.path}/state`);
  }

  async answer(visit, offer) {
    const sent = ascii(offer);
    const tag = toText(await this.tag('kinlight/link-offer1', visit, sent));
    const said = await ask(`${this.path}/offer`, { visit: toText(visit), offer, tag });
    const proof = fromText(said.tag, 32);
    const right = await this.tag('kinlight/link-answer1', visit, await sha256(sent), ascii(said.answer));
    if (!proof || !equal(proof, right)) {
      throw new Refusal('changed', 'Somebody between you and the sender changed what was sent. Do not use this network for it.');
    }
    return said.answer;
  }

  async openList(sealed) {
    const open = await opener(await derive(this.key, 'kinlight/link-list1'));
    const plain = await open(new Uint8Array(12), sealed, this.id);
    return JSON.parse(new TextDecoder().decode(plain));
  }
}

async function ask(path, body) {
  const how = { cache: 'no-store', credentials: 'omit' };
  if (body) Object.assign(how, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  let said;
  try {
    said = await (await fetch(path, how)).json();
  } catch {
    throw new Refusal('no-way', 'The computer that has the photos does not answer. Perhaps it sleeps, or you are in another network.');
  }
  if (said.error) throw new Refusal(said.error.code, said.error.message);
  return said;
}

const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Channel {
  static async open(link, visit) {
    if (!globalThis.RTCPeerConnection) {
      throw new Refusal('no-webrtc', 'This browser has no WebRTC, by which the photos come. Try another one.');
    }
    const channel = new Channel(link);
    try {
      await channel.connect(visit);
    } catch (error) {
      channel.close();
      throw error;
    }
    return channel;
  }

  constructor(link) {
    this.link = link;
    this.waiting = new Map();
    this.parts = null;
    this.ended = null;
    // No server is asked anything: the addresses on this machine have to do.
    this.peer = new RTCPeerConnection({ iceServers: [] });
    this.channel = this.peer.createDataChannel('kinlight');
    this.channel.binaryType = 'arraybuffer';
    this.channel.onmessage = (event) => this.hear(new Uint8Array(event.data));
    this.channel.onclose = () => this.end(cutOff());
    this.peer.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(this.peer.connectionState)) this.end(cutOff());
    };
  }

  async connect(visit) {
    const opened = new Promise((done) => { this.channel.onopen = done; });
    await this.peer.setLocalDescription(await this.peer.createOffer());
    const gathered = new Promise((done) => {
      this.peer.onicecandidate = (event) => { if (!event.candidate) done(); };
    });
    if (this.peer.iceGatheringState !== 'complete') await Promise.race([gathered, later(GATHER_MS)]);
    const answer = await this.link.answer(visit, this.peer.localDescription.sdp);
    await this.peer.setRemoteDescription({ type: 'answer', sdp: answer });
    await Promise.race([opened, later(OPEN_MS)]);
    if (this.channel.readyState !== 'open') throw noWay();
  }

  async list() {
    const sealed = await this.wait('list', () => this.channel.send(Uint8Array.of(LIST)));
    try {
      return await this.link.openList(sealed);
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

  end(reason) {
    if (this.ended) return;
    this.ended = reason;
    clearTimeout(this.timer);
    for (const { fail } of this.waiting.values()) fail(reason);
    this.waiting.clear();
    this.peer.close();
  }

  close() {
    this.end(cutOff());
  }
}

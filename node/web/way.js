// The way to the node: an offer over the page's own HTTP, an answer, and then a data channel
// (docs/spec/link.md). Both messages carry a tag that only who has the link's key can make.

import { ascii, derive, equal, fromText, hmac, join, sha256, toText } from './primitives.js';

const GATHER_MS = 2000;
const OPEN_MS = 20000;

// Something a person should read; `code` says what, `final` that trying again is of no use.
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
    this.final = !['link-busy', 'no-way', 'cut-off'].includes(code);
  }
}

const noWay = () =>
  new Refusal('no-way', 'No way was found to the other computer. Be in the same network, and try again.');
export const cutOff = () => new Refusal('cut-off', 'The connection broke off. Load the page again to go on.');

export class Link {
  // `sort` is `link`, to receive by, or `drop`, to send by.
  static async of(token, key, sort = 'link') {
    const link = new Link();
    link.path = `/${sort[0]}/${toText(token)}`;
    link.sort = sort;
    link.key = key;
    link.id = await sha256(join(ascii(`kinlight/${sort}1\0`), token));
    link.auth = await derive(key, `kinlight/${sort}-auth1`);
    return link;
  }

  tag(purpose, ...parts) {
    return hmac('SHA-256', this.auth, join(ascii(`kinlight/${this.sort}-${purpose}\0`), this.id, ...parts));
  }

  async state() {
    return ask(`${this.path}/state`);
  }

  async answer(visit, offer) {
    const sent = ascii(offer);
    const tag = toText(await this.tag('offer1', visit, sent));
    const said = await ask(`${this.path}/offer`, { visit: toText(visit), offer, tag });
    const proof = fromText(said.tag, 32);
    const right = await this.tag('answer1', visit, await sha256(sent), ascii(said.answer));
    if (!proof || !equal(proof, right)) {
      throw new Refusal('changed', 'Somebody between you and the other side changed what was sent. Do not use this network for it.');
    }
    return said.answer;
  }
}

async function ask(path, body) {
  const how = { cache: 'no-store', credentials: 'omit' };
  if (body) Object.assign(how, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  let said;
  try {
    said = await (await fetch(path, how)).json();
  } catch {
    throw new Refusal('no-way', 'The other computer does not answer. Perhaps it sleeps, or you are in another network.');
  }
  if (said.error) throw new Refusal(said.error.code, said.error.message);
  return said;
}

const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// A connection with one channel. What comes over it goes to `hear`; `end` is told why it is over.
export class Way {
  static async open(link, visit) {
    if (!globalThis.RTCPeerConnection) {
      throw new Refusal('no-webrtc', 'This browser has no WebRTC, by which photos travel. Try another one.');
    }
    const way = new this(link);
    try {
      await way.connect(visit);
    } catch (error) {
      way.close();
      throw error;
    }
    return way;
  }

  constructor(link) {
    this.link = link;
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
    this.offer = this.peer.localDescription.sdp;
    const answer = await this.link.answer(visit, this.offer);
    await this.peer.setRemoteDescription({ type: 'answer', sdp: answer });
    await Promise.race([opened, later(OPEN_MS)]);
    if (this.channel.readyState !== 'open') throw noWay();
  }

  end(reason) {
    if (this.ended) return;
    this.ended = reason;
    this.finish(reason);
    this.peer.close();
  }

  close() {
    this.end(cutOff());
  }
}

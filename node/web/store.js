// What a reload finds again: sealed pieces, and the visit that was counted. What lies here is as
// sealed as it came; the key is in the address of the page alone. Where the browser keeps nothing
// (private windows, no room), all works without, and a reload begins anew.

const OLD = 'expires';

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Store {
  static async open(link) {
    const store = new Store();
    store.link = link;
    try {
      const opening = indexedDB.open('kinlight-links', 1);
      opening.onupgradeneeded = () => {
        opening.result.createObjectStore('links', { keyPath: 'link' });
        opening.result.createObjectStore('pieces');
      };
      store.base = await done(opening);
      await store.sweep(Date.now() / 1000);
    } catch {
      store.base = null;
    }
    return store;
  }

  async sweep(now) {
    const links = await done(this.base.transaction('links').objectStore('links').getAll());
    for (const { link, [OLD]: expires } of links) {
      if (expires !== null && expires < now) await this.drop(link);
    }
  }

  async visit() {
    const kept = this.base && (await done(this.base.transaction('links').objectStore('links').get(this.link)));
    return kept?.visit ?? null;
  }

  async keepVisit(visit, expires) {
    await this.write('links', (links) => links.put({ link: this.link, visit, [OLD]: expires }));
  }

  async piece(photo, index) {
    if (!this.base) return null;
    return (await done(this.base.transaction('pieces').objectStore('pieces').get([this.link, photo, index]))) ?? null;
  }

  async keepPiece(photo, index, sealed) {
    await this.write('pieces', (pieces) => pieces.put(sealed, [this.link, photo, index]));
  }

  async forget() {
    if (this.base) await this.drop(this.link);
  }

  async drop(link) {
    const range = IDBKeyRange.bound([link], [link, []]);
    await this.write('pieces', (pieces) => pieces.delete(range));
    await this.write('links', (links) => links.delete(link));
  }

  // The first write that fails (no room) is the last that is tried.
  async write(name, what) {
    if (!this.base || this.full) return;
    try {
      const transaction = this.base.transaction(name, 'readwrite', { durability: 'relaxed' });
      what(transaction.objectStore(name));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    } catch {
      this.full = true;
    }
  }
}

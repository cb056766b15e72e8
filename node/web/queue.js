// The photos that were chosen and are not there yet, kept by the browser, so that a reload goes on
// with them. Where it keeps nothing (private windows, no room) they are in this page alone, and a
// person chooses them again: what is there already is skipped.

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Queue {
  static async open(link) {
    const queue = new Queue();
    queue.link = link;
    try {
      const opening = indexedDB.open('kinlight-drop', 1);
      opening.onupgradeneeded = () => {
        opening.result.createObjectStore('files');
        opening.result.createObjectStore('visits');
      };
      queue.base = await done(opening);
    } catch {
      queue.base = null;
    }
    return queue;
  }

  get range() {
    return IDBKeyRange.bound([this.link], [this.link, []]);
  }

  // Each with the number that it was kept by, in their order.
  async all() {
    if (!this.base) return [];
    try {
      const files = this.base.transaction('files').objectStore('files');
      const [keys, values] = await Promise.all([done(files.getAllKeys(this.range)), done(files.getAll(this.range))]);
      return values.map((value, index) => ({ ...value, number: keys[index][1] }));
    } catch {
      return [];
    }
  }

  async visit() {
    const fresh = crypto.getRandomValues(new Uint8Array(16));
    if (!this.base) return fresh;
    const kept = await done(this.base.transaction('visits').objectStore('visits').get(this.link));
    if (!kept) await this.write('visits', (visits) => visits.put(fresh, this.link));
    return kept ?? fresh;
  }

  // Whether it is kept: no room is no fault.
  keep(photo) {
    const { name, modified, type, blob, hash } = photo;
    return this.write('files', (files) => files.put({ name, modified, type, blob, hash }, [this.link, photo.number]));
  }

  drop(number) {
    return this.write('files', (files) => files.delete([this.link, number]));
  }

  async write(name, what) {
    if (!this.base) return false;
    try {
      const transaction = this.base.transaction(name, 'readwrite');
      what(transaction.objectStore(name));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      return true;
    } catch {
      return false;
    }
  }
}

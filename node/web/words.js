// What both pages say, and how.

import { BrokenError } from './blobs.js';
import { native } from './primitives.js';
import { Refusal } from './way.js';

export const at = (id) => document.getElementById(id);

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const steps = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  while (value >= 1000 && steps.length > 1) {
    value /= 1000;
    steps.shift();
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${steps[0]}`;
}

export function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function trouble(error) {
  if (error.name === 'AbortError') return; // a person chose no file
  const words =
    error instanceof Refusal
      ? error.message
      : error instanceof BrokenError
        ? 'What came is not what was sent. Nothing of it was kept. Load the page again.'
        : 'Something went wrong on this page. Load it again.';
  at('trouble').textContent = words;
  at('trouble').dataset.code = error.code ?? 'failed';
  at('trouble').hidden = false;
  if (!(error instanceof Refusal)) console.error(error);
}

// How the page itself came here.
export function transport() {
  at('transport').textContent = native
    ? 'The photos travel encrypted, and this page came over an encrypted connection or from this computer.'
    : 'The photos travel encrypted. This page itself came unencrypted: whoever controls the network could have changed it, and'
      + ' then read along. Use it in a network that you trust.';
}

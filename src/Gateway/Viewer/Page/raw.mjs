// Raw fields and the whole job, as text.

import { find, make, setText } from './dom.mjs';
import { decode, json, size } from './format.mjs';

// More text than this is cut, because a browser may take seconds to show it. The saved file has all of it.
const mostText = 200_000;

const cut = text => text.length <= mostText ? text
  : `${text.slice(0, mostText)}\n… ${size(text.length - mostText)} more; save the job as a file to see all of it.`;

/** A raw field, decoded where it is text. It is closed at first. */
export class RawField {
  #form = make('span', { className: 'form' });
  #text;
  #value;

  constructor(name) {
    this.#text = make('pre', { tabIndex: 0, 'aria-label': name });
    this.element = make('details', { className: 'raw', hidden: true },
      make('summary', {}, `${name} `, this.#form), this.#text);
  }

  show(value) {
    if (value === this.#value) return;
    this.#value = value;
    const decoded = decode(value);
    this.element.hidden = decoded === null;
    if (decoded === null) return;
    setText(this.#form, decoded.form);
    setText(this.#text, cut(decoded.text));
  }
}

/** The whole job, to copy or to save with the bytes as they came. */
export class RawJob {
  #text = '';
  #body = null;
  #name = '';

  constructor() {
    find('raw').addEventListener('toggle', () => this.#fill());
    find('copy').addEventListener('click', () => this.#copy());
    find('save').addEventListener('click', () => this.#save());
  }

  show(text, body, name) {
    [this.#text, this.#body, this.#name] = [text, body, name];
    setText(find('copied'), '');
    setText(find('raw-size'), size(new TextEncoder().encode(text).length));
    this.#fill();
  }

  // A closed element needs no text.
  #fill() {
    if (find('raw').open && this.#body) setText(find('raw-text'), cut(json(this.#body)));
  }

  async #copy() {
    const isDone = await navigator.clipboard?.writeText(this.#text).then(() => true, () => false);
    setText(find('copied'), isDone ? 'Copied.' : 'The browser does not allow a page to copy here.');
  }

  #save() {
    const url = URL.createObjectURL(new Blob([this.#text], { type: 'application/json' }));
    make('a', { href: url, download: `${this.#name}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

// Elements. All text is set as text and never parsed, because jobs are untrusted.

export const find = id => document.getElementById(id);

/** Makes an element. Names with a hyphen are attributes; all other names are properties. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter(child => child !== null && child !== ''));
  return element;
}

export function makeSvg(tag, attributes = {}) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function icon(kind) {
  const svg = makeSvg('svg', { class: 'icon', 'aria-hidden': 'true' });
  svg.append(makeSvg('use', { href: `#icon-${kind}` }));
  return svg;
}

/** Sets the text only if it differs, so that a selection of the reader stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Fills a description list with pairs of text; a pair without a value is left out. */
export function setPairs(list, pairs) {
  const shown = pairs.filter(([, value]) => value);
  const key = JSON.stringify(shown.map(([name]) => name));
  if (list.dataset.shown !== key) {
    list.dataset.shown = key;
    list.replaceChildren(...shown.map(([name]) => make('div', {}, make('dt', { textContent: name }), make('dd'))));
  }
  shown.forEach(([, value], n) => setText(list.children[n].lastChild, value));
}

/** Replaces the items of a list if they differ. */
export function setItems(list, items, makeItem) {
  const key = JSON.stringify(items);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.replaceChildren(...items.map(makeItem));
}

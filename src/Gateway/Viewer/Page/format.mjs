// Times, durations and raw values as text.

const time = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d+)?)\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?/i;

/** Reads a timestamp in any of its forms. A time without a zone is UTC. Returns milliseconds, or null. */
export function readTime(value) {
  const parts = typeof value === 'string' && time.exec(value.trim());
  if (!parts) return null;
  const [, hours, minutes = '00'] = /^([+-]\d\d):?(\d\d)?$/.exec(parts[3] ?? '') ?? [];
  const zone = hours ? `${hours}:${minutes}` : 'Z';
  const at = Date.parse(`${parts[1]}T${parts[2].replace(',', '.').replace(/(\.\d{3})\d+/, '$1')}${zone}`);
  // A program whose time is not set may write a time of year 1 or of 1970.
  return at > 0 ? at : null;
}

/** A duration in at most two units. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60];
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  return seconds % 60 > 0 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** The time, and the day unless it is today. */
export function dateAndClock(at) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? clock(at) : new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

export const percent = value => `${Math.floor(value)}%`;

export const count = (number, one, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;

export function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB`
    : `${(bytes / 1048576).toFixed(1)} MiB`;
}

/**
 * Decodes a raw field, which may be any JSON: bytes as numbers, base64, text, or JSON itself.
 * @returns {{form: string, text: string} | null} null if there is nothing to show
 */
export function decode(value) {
  if (value === null || value === undefined || value === '') return null;
  if (Array.isArray(value) && value.length === 0) return null;
  if (Array.isArray(value) && value.every(one => Number.isInteger(one) && one >= 0 && one <= 255)) {
    const text = readable(Uint8Array.from(value));
    return text === null ? { form: 'numbers', text: json(value) } : { form: 'decoded from bytes', text: pretty(text) };
  }
  if (typeof value !== 'string') return { form: 'JSON', text: json(value) };
  const text = fromBase64(value);
  return text === null ? { form: 'text', text: pretty(value) } : { form: 'decoded from base64', text: pretty(text) };
}

function fromBase64(value) {
  if (value.length < 8 || value.length % 4 !== 0 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return null;
  try {
    const bytes = atob(value.replaceAll('-', '+').replaceAll('_', '/'));
    return readable(Uint8Array.from(bytes, one => one.charCodeAt(0)));
  } catch {
    return null;
  }
}

// The text that the bytes hold in UTF-8; null if they hold none.
function readable(bytes) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return /[\0-\x08\x0E-\x1F\x7F]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

// Formats text that is an object or an array in JSON, and leaves other text unchanged.
function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return json(parse(text));
  } catch {
    return text;
  }
}

/** An integer with more digits than a number can hold, as it is written. */
export class LongInteger {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** Parses JSON. Keeps the digits of long integers, if the browser tells them. */
export function parse(text) {
  // The function makes parsing slow.
  return !/\d{16}/.test(text) ? JSON.parse(text) : JSON.parse(text, (name, value, { source } = {}) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && source ? new LongInteger(source) : value);
}

/** JSON with indents. An array of numbers and words stays on one line, because it may have thousands of them. */
export function json(value, indent = '') {
  if (value instanceof LongInteger) return value.text;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const isFlat = value.every(one => one === null || typeof one !== 'object' || one instanceof LongInteger);
    if (isFlat) return `[${value.map(one => json(one)).join(', ')}]`;
    return `[\n${value.map(one => deeper + json(one, deeper)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value);
  if (members.length === 0) return '{}';
  const lines = members.map(([name, one]) => `${deeper}${JSON.stringify(name)}: ${json(one, deeper)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

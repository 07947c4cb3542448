// The event stream format of the HTML standard (section 9.2.6).

/**
 * Returns a function that takes the next part of a stream.
 * @param {{event: (type: string, data: string, lastId: string) => void, retry?: (milliseconds: number) => void}} on
 */
export function eventParser(on) {
  let rest = '', isFirst = true, skipsLineFeed = false;
  let type = '', data = [], id = '';

  function take(line) {
    if (line === '') {
      if (data.length > 0) on.event(type || 'message', data.join('\n'), id);
      [type, data] = ['', []];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) on.retry?.(Number(value));
  }

  return part => {
    if (isFirst && part !== '') {
      part = part.replace(/^\uFEFF/, '');
      isFirst = false;
    }
    // A line feed after a carriage return belongs to the same line end, also in the next part.
    if (skipsLineFeed && part !== '') {
      part = part.replace(/^\n/, '');
      skipsLineFeed = false;
    }
    if (part.endsWith('\r')) skipsLineFeed = true;
    const lines = (rest + part).split(/\r\n|\n|\r/);
    rest = lines.pop();
    lines.forEach(take);
  };
}

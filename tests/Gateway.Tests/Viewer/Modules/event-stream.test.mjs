import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventParser } from '../../../../src/Gateway/Viewer/Page/event-stream.mjs';

function parse(...parts) {
  const events = [], retries = [];
  const feed = eventParser({ event: (...event) => events.push(event), retry: time => retries.push(time) });
  parts.forEach(feed);
  return { events, retries };
}

test('an event has a type, data of several lines, and an id that stays', () => {
  const { events } = parse('event: job\nid: e1\ndata: {"a":\ndata: 1}\n\nevent: problem\ndata: {}\n\n');
  assert.deepEqual(events, [['job', '{"a":\n1}', 'e1'], ['problem', '{}', 'e1']]);
});

test('a stream may be cut anywhere', () => {
  const text = '\uFEFFretry: 1500\r\n: comment\r\n\r\nevent: job\r\nid: e1\r\ndata: x\r\n\r\nevent: end\rdata: \r\r';
  for (let n = 0; n <= text.length; n++) {
    const { events, retries } = parse(text.slice(0, n), text.slice(n));
    assert.deepEqual(events, [['job', 'x', 'e1'], ['end', '', 'e1']], `cut at ${n}`);
    assert.deepEqual(retries, [1500]);
  }
  assert.equal(parse(...text).events.length, 2);
});

test('comments, unknown fields and events without data are ignored', () => {
  const { events, retries } = parse(':\n\nevent: job\n\nnonsense\nother: 1\nretry: soon\nid: a\0b\ndata\n\n');
  assert.deepEqual(events, [['message', '', '']]);
  assert.deepEqual(retries, []);
});

test('an event that is not complete at the end of the stream is not an event', () => {
  assert.deepEqual(parse('event: job\ndata: x\n').events, []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAddress } from '../../../../src/Gateway/Viewer/Page/address.mjs';
import { decode, duration, json, readTime } from '../../../../src/Gateway/Viewer/Page/format.mjs';
import { readOrigin } from '../../../../src/Gateway/Viewer/Page/origin.mjs';

test('a timestamp is read in each of its forms', () => {
  const at = Date.UTC(2025, 0, 2, 3, 4, 5);
  const forms = ['2025-01-02T03:04:05Z', '2025-01-02T03:04:05+00:00', '2025-01-02 03:04:05Z', '2025-01-02 03:04:05',
    '2025-01-02T05:04:05+02:00', '2025-01-02T05:04:05+0200', '2025-01-02 05:04:05+02',
    '2025-01-02 03:04:05 UTC', ' 2025-01-02T03:04:05.000Z'];
  for (const text of forms) {
    assert.equal(readTime(text), at, text);
  }
  assert.equal(readTime('2025-01-02T03:04:05.123456Z'), at + 123);
  for (const none of ['', 'soon', null, 5, {}, '0001-01-01T00:00:00Z', '2025-13-45T99:00:00Z']) {
    assert.equal(readTime(none), null);
  }
});

test('a duration has at most two units', () => {
  for (const [seconds, text] of [[0, '0 s'], [59.4, '59 s'], [60, '1 min'], [95, '1 min 35 s'], [3600, '1 h'],
    [3725, '1 h 2 min'], [90000, '1 d 1 h'], [-5, '0 s']]) assert.equal(duration(1000 * seconds), text);
});

test('a raw field is decoded where it is text', () => {
  const text = '{"a":[1,2]}', shown = '{\n  "a": [1, 2]\n}', bytes = Buffer.from(text);
  assert.deepEqual(decode([...bytes]), { form: 'decoded from bytes', text: shown });
  assert.deepEqual(decode(bytes.toString('base64')), { form: 'decoded from base64', text: shown });
  assert.deepEqual(decode({ a: [1, 2] }), { form: 'JSON', text: shown });
  assert.deepEqual(decode([...Buffer.from('a line')]), { form: 'decoded from bytes', text: 'a line' });
  assert.deepEqual(decode('no base64!'), { form: 'text', text: 'no base64!' });
  for (const none of [null, undefined, '', []]) assert.equal(decode(none), null);
});

test('a raw field that holds no text is shown as it is', () => {
  assert.deepEqual(decode([255, 254, 0]), { form: 'numbers', text: '[255, 254, 0]' });
  assert.deepEqual(decode([300, -1]), { form: 'JSON', text: '[300, -1]' });
  assert.deepEqual(decode('AAECAwQFBgc='), { form: 'text', text: 'AAECAwQFBgc=' });
});

test('formatted JSON has the same value', () => {
  const value = { a: null, b: [[], {}, [1, [2]]], 'c"d': 'e\n', f: [{ g: 1 }] };
  assert.deepEqual(JSON.parse(json(value)), value);
});

test('an address is two identifiers, a pair, or an address of the gateway', () => {
  const found = { workflow: 'wf', job: 'run-1.x' };
  for (const [first, second] of [['wf', 'run-1.x'], [' wf ', 'run-1.x '], ['wf/run-1.x', ''],
    ['https://g.example/gw/v0/workflows/wf/jobs/run-1.x?a=1', ''], ['/view/workflows/wf/jobs/run-1.x', 'other'],
    ['/View/Workflows/wf/Jobs/run%2D1.x/', ''], ['wf', 'run-1.x']]) {
    assert.deepEqual(readAddress(first, second), found);
  }
  for (const [first, second] of [['', ''], ['wf', ''], ['wf', '..'], ['a b', 'c'], ['a/b/c', ''], ['wf', 'a%2Fb'],
    ['<b>', 'x'], ['wf', 'x'.repeat(129)],
    ['/view/workflows/%zz/jobs/x', ''], ['/view', ''], ['/view/', '']]) assert.equal(readAddress(first, second), null);
});

test('the headers say how old an answer is and from where it came', () => {
  const of = (cacheStatus, age) => readOrigin(new Headers({ 'Cache-Status': cacheStatus, ...(age && { Age: age }) }));
  assert.deepEqual([of('Gateway; hit; ttl=30', '12').isStale, of('Gateway; hit; ttl=30', '12').age], [false, 12]);
  const stale = of('proxy; fwd=miss, Gateway; hit; ttl=-12; detail=upstream-503', '34');
  assert.deepEqual([stale.isStale, stale.reason, stale.age], [true, 'upstream-503', 34]);
  assert.equal(of('Gateway; fwd=stale; fwd-status=200; stored').isStale, false);
  assert.match(of('Gateway; fwd=uri-miss; fwd-status=200; stored').text, /upstream/);
  assert.equal(readOrigin(new Headers()).age, 0);
});

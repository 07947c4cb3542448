import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { watchJob } from '../../../../src/Gateway/Viewer/Page/watch.mjs';

// What a browser has and node has not.
Object.assign(globalThis, { addEventListener() {}, removeEventListener() {}, document: { hidden: false } });
Object.defineProperty(globalThis, 'navigator', { value: { onLine: true }, configurable: true });

const job = (name, hasEnded = false) => JSON.stringify({ name, hasEnded });
const event = (type, data, id = '') => `event: ${type}\nid: ${id}\ndata: ${data}\n\n`;
const problem = (status, more = {}, headers = {}) => new Response(
  JSON.stringify({ type: '/problems/any', title: 'Refused', detail: 'For a reason.', ...more }), { status, headers });
const answer = (text, headers = {}) =>
  new Response(text, { headers: { 'Cache-Control': 'private, no-cache', ...headers } });

// A watched job. Answers holds functions that answer requests for the job; the last one answers all further ones.
function watching(answers, { stream = null, beats = true } = {}) {
  const seen = { states: [], links: [], requests: [], streams: 0, push: null };
  const body = signal => {
    let beat;
    return new ReadableStream({
      start(controller) {
        seen.streams++;
        seen.push = text => controller.enqueue(new TextEncoder().encode(text));
        // The gateway sends a comment each 15 seconds.
        beat = setInterval(() => beats && seen.push(':\n\n'), 15_000);
        signal.addEventListener('abort', () => {
          clearInterval(beat);
          controller.error(signal.reason);
        });
      },
      cancel: () => clearInterval(beat),
    });
  };
  globalThis.fetch = async (url, { headers, signal }) => {
    signal?.throwIfAborted();
    if (url.endsWith('/events')) return stream ? stream() : new Response(body(signal));
    seen.requests.push(headers);
    return (answers.length > 1 ? answers.shift() : answers[0])(headers);
  };
  seen.watch = watchJob('/v0/workflows/w/jobs/j', 'key', {
    state: ({ text }) => {
      if (text !== null) seen.states.push(text);
      return JSON.parse(seen.states.at(-1)).hasEnded;
    },
    link: link => seen.links.push(link),
  });
  return seen;
}

// Lets promises and streams go on, without time.
async function settled() {
  for (let n = 0; n < 20; n++) await new Promise(setImmediate);
}

async function after(milliseconds) {
  for (let time = 0; time < milliseconds; time += 500) {
    mock.timers.tick(500);
    await settled();
  }
}

const start = () => mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });

let seen;
afterEach(() => {
  seen.watch.stop();
  mock.timers.reset();
});

test('the results of a job that has just ended are read once more', async () => {
  start();
  seen = watching([() => answer(job('a')), () => answer(job('results', true), { 'Cache-Control': 'max-age=300' })]);
  await settled();
  seen.push(event('job', job('ended', true), 'e1') + event('end', '{}', 'e1'));
  await settled();
  assert.equal(seen.links.at(-1).kind, 'ended');
  await after(25_000);
  assert.equal(seen.requests.length, 1);
  await after(10_000);
  assert.deepEqual(seen.states, [job('a'), job('ended', true), job('results', true)]);
  await after(60_000);
  assert.equal(seen.requests.length, 2);
});

test('a job whose results are final is read once', async () => {
  start();
  seen = watching([() => answer(job('a', true), { 'Cache-Control': 'private, max-age=312' })]);
  await settled();
  seen.push(event('job', job('a', true), 'e1') + event('end', '{}', 'e1'));
  await after(60_000);
  assert.deepEqual([seen.states.length, seen.requests.length, seen.links.at(-1).kind], [1, 1, 'ended']);
});

test('an answer that is older than an event does not replace it', async () => {
  start();
  let release;
  const late = new Promise(done => release = done);
  seen = watching([() => answer(job('a')), async () => {
    await late;
    return answer(job('older'));
  }, () => answer(job('newer'))]);
  await settled();
  seen.push(event('job', job('a'), 'e1'));
  await settled();
  seen.watch.again();
  await settled();
  seen.push(event('job', job('b'), 'e2'));
  await settled();
  release();
  await settled();
  assert.deepEqual(seen.states, [job('a'), job('b')]);
  // The stream is silent, and the answer of a later check is certainly newer.
  await after(35_000);
  assert.deepEqual(seen.states, [job('a'), job('b'), job('newer')]);
});

test('a fresh answer from before the upstream failed does not mean that it answers again', async () => {
  start();
  const hit = { 'Cache-Status': 'Gateway; hit; ttl=1', Age: '1' };
  seen = watching([() => answer(job('a')), () => answer(job('a'), hit)]);
  await settled();
  seen.push(event('problem', JSON.stringify({ title: 'The upstream fails', status: 502, retryable: true })));
  await settled();
  assert.equal(seen.requests.length, 2);
  assert.equal(seen.links.at(-1).kind, 'upstream');
  await after(13_000);
  assert.equal(seen.links.at(-1).kind, 'live');
});

test('a stream is opened again after the computer has slept', async () => {
  start();
  seen = watching([() => answer(job('a'))], { beats: false });
  await after(20_000);
  assert.equal(seen.streams, 1);
  // Only the time of day goes on while the computer sleeps.
  mock.timers.setTime(Date.now() + 3600_000);
  await after(8000);
  assert.deepEqual([seen.streams, seen.links.at(-1).kind], [2, 'live']);
});

test('a job that cannot be shown is not a lost connection', async () => {
  start();
  seen = watching([() => answer('{')]);
  await settled();
  assert.equal(seen.links.at(-1).kind, 'refused');
  assert.equal(seen.links.at(-1).refusal.title, 'The job cannot be shown');
  await after(60_000);
  assert.equal(seen.requests.length, 1);
});

test('a long poll that brings the end is the last one', async () => {
  start();
  seen = watching([() => answer(job('a')), () => answer(job('a', true), { 'Preference-Applied': 'wait=30' })],
    { stream: () => problem(422, { type: '/problems/job-too-large' }) });
  await settled();
  assert.equal(seen.links.at(-1).kind, 'ended');
  assert.equal(seen.requests.length, 2);
});

test('a check that is refused waits as long as the gateway says', async () => {
  start();
  seen = watching([() => answer(job('a')), () => problem(429, {}, { 'Retry-After': '60' })]);
  await after(35_000);
  assert.deepEqual([seen.requests.length, seen.links.at(-1).kind], [2, 'upstream']);
  await after(55_000);
  assert.equal(seen.requests.length, 2);
  await after(10_000);
  assert.equal(seen.requests.length, 3);
});

test('a stream that is refused each time is tried less and less often', async () => {
  start();
  seen = watching([() => answer(job('a'))], { stream: () => problem(500) });
  await after(120_000);
  assert.ok(seen.requests.length < 12, `${seen.requests.length} requests`);
});

// Follows one job: reads it once, for its headers, and then listens to its event stream. A page with a session uses an
// EventSource. A page with a key needs a header, which an EventSource cannot send, and reads the stream itself.

import { eventParser } from './event-stream.mjs';
import { readOrigin } from './origin.mjs';

// Times in milliseconds.
const checksAfter = 30_000, checksInTroubleAfter = 10_000, deadAfter = 45_000, longestPause = 30_000;
const pollsFor = 60_000, pollsAfter = 5000;

// Why a stream may be refused although requests are answered.
const withoutStream = /\/problems\/(job-too-large|too-many-watchers)$/;

/** An answer without a job: a problem (RFC 9457). */
class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || `The gateway answered ${status}.`);
    this.title = problem.title || 'The gateway did not answer with the job';
    this.status = status;
    this.isOfStream = withoutStream.test(problem.type ?? '');
    this.canRetry = problem.retryable ?? (status === 429 || status >= 500);
    this.retryAfter = retryAfter;
  }

  static async of(answer) {
    const problem = await answer.json().catch(() => null) ?? {};
    return new Refusal(answer.status, problem, 1000 * Number(answer.headers.get('Retry-After') ?? 0));
  }
}

/**
 * @param {string} address the job's address
 * @param {string} key a gateway key; empty for the session
 * @param {{state: Function, link: Function}} on state: the job's bytes as text, or null if unchanged, and their origin;
 *   returns whether the job has ended. link: what the connection does: connecting, live, upstream (which does not
 *   answer), waiting, offline, ended, refused
 */
export function watchJob(address, key, on) {
  const stopping = new AbortController();
  let etag = '', lastId = '', last = '', hasEnded = false, link = '', heard = 0, retry = 2000;
  let stream = null, isListening = false, isRunning = false, wake = () => {};

  const tell = (kind, more = {}) => on.link({ kind: link = kind, ...more });
  const tellTrouble = refusal => tell('upstream', { refusal });

  const headers = more => ({ ...(key ? { 'X-Api-Key': key } : { 'X-CSRF': '1' }), ...more });
  const request = (url, more, signal) => fetch(url,
    { headers: headers(more), signal, cache: 'no-store', credentials: key ? 'omit' : 'same-origin' });

  // Reads the job. With a wait, the gateway answers when the job has changed (RFC 7240).
  async function ask(wait = false) {
    const conditions = { ...(etag && { 'If-None-Match': etag }), ...(wait && { Prefer: 'wait=30' }) };
    const answer = await request(address, conditions, stopping.signal);
    if (answer.status !== 304 && !answer.ok) throw await Refusal.of(answer);
    const body = answer.ok ? await answer.text() : null;
    etag = answer.headers.get('ETag') ?? '';
    heard = performance.now();
    const origin = readOrigin(answer.headers), text = body === last ? null : body;
    last = body ?? last;
    hasEnded = on.state({ text, etag, origin, date: Date.parse(answer.headers.get('Date') ?? '') });
    if (link === 'upstream' && !origin.isStale) tell('live');
    return answer;
  }

  /** @returns whether the stream has come to its end */
  function take(type, data, id) {
    heard = performance.now();
    if (type === 'job') {
      lastId = id;
      // The first event repeats what the request has answered.
      if (data !== last) hasEnded = on.state({ text: data, etag: `"${id}"`, origin: null, date: NaN });
      last = data;
      tell('live');
    } else if (type === 'problem') {
      const problem = JSON.parse(data), refusal = new Refusal(problem.status ?? 0, problem, 0);
      if (problem.retryable === false) throw refusal;
      tellTrouble(refusal);
      check();
    } else if (type === 'recovered') {
      tell('live');
      check();
    }
    return type === 'end';
  }

  // Returns whether the job has ended. Throws if the connection is lost or refused.
  async function listen() {
    stream = new AbortController();
    isListening = true;
    const signal = AbortSignal.any([stopping.signal, stream.signal]);
    try {
      return await (key ? read(signal) : subscribe(signal));
    } catch (error) {
      if (!error.isOfStream) throw error;
      return await poll(signal);
    } finally {
      isListening = false;
    }
  }

  // Waits for changes by requests, for a while.
  async function poll(signal) {
    tell('live');
    for (const start = performance.now(); performance.now() - start < pollsFor;) {
      signal.throwIfAborted();
      const answer = await ask(true);
      if (answer.headers.has('Preference-Applied')) continue;
      if (hasEnded) return true;
      await pause(1000 * Number(answer.headers.get('Retry-After')) || pollsAfter);
    }
    return false;
  }

  async function read(signal) {
    const answer = await request(`${address}/events`, { Accept: 'text/event-stream',
      ...(lastId && { 'Last-Event-ID': lastId }) }, signal);
    if (answer.status === 204) return true;
    if (!answer.ok) throw await Refusal.of(answer);
    heard = performance.now();
    tell('live');
    let isOver = false;
    const parse = eventParser({ event: (...event) => isOver = take(...event) || isOver, retry: time => retry = time });
    const decoder = new TextDecoder(), reader = answer.body.getReader();
    for (let part; !isOver && !(part = await reader.read()).done;) {
      arrived = performance.now();
      parse(decoder.decode(part.value, { stream: true }));
    }
    reader.cancel().catch(() => {});
    return isOver;
  }

  // When the last byte of the stream arrived. The gateway sends a comment each 15 seconds.
  let arrived = 0;

  function subscribe(signal) {
    return new Promise((resolve, reject) => {
      const source = new EventSource(`${address}/events`);
      let wasOpen = false;
      const close = (end, value) => {
        source.close();
        end(value);
      };
      signal.addEventListener('abort', () => close(reject, signal.reason));
      source.addEventListener('open', () => {
        wasOpen = true;
        tell('live');
      });
      source.addEventListener('error', () => {
        if (source.readyState !== EventSource.CLOSED) tell('waiting');
        else if (wasOpen) close(resolve, false);
        // An EventSource does not say why it was refused. The next request does, or the stream alone is refused.
        else close(reject, { isOfStream: true });
      });
      for (const type of ['job', 'problem', 'recovered', 'end']) {
        source.addEventListener(type, event => {
          try {
            if (take(type, event.data, event.lastEventId)) close(resolve, true);
          } catch (error) {
            close(reject, error);
          }
        });
      }
    });
  }

  async function run() {
    isRunning = true;
    await follow();
    isRunning = false;
  }

  async function follow() {
    for (let failures = 0; ;) {
      let refusal = null;
      try {
        if (!navigator.onLine) throw new TypeError('offline');
        if (link !== 'waiting') tell('connecting');
        await ask();
        failures = 0;
        if (await listen()) return tell('ended');
        // The stream has closed, for example because a node stops.
      } catch (error) {
        if (stopping.signal.aborted) return;
        refusal = error instanceof Refusal ? error : null;
        if (refusal && !refusal.canRetry) return tell('refused', { refusal });
        failures++;
      }
      const time = Math.max(refusal?.retryAfter ?? 0, Math.min(retry * 2 ** failures / 2, longestPause));
      if (!navigator.onLine) tell('offline');
      else if (refusal) tell('upstream', { refusal, retryAt: performance.now() + time });
      else if (failures > 0) tell('waiting', { retryAt: performance.now() + time });
      await pause(navigator.onLine ? time : 24 * 3600_000);
      if (stopping.signal.aborted) return;
    }
  }

  // Ends early when the reader or the browser says so.
  const pause = time => new Promise(done => {
    const timer = setTimeout(done, time);
    wake = () => {
      clearTimeout(timer);
      done();
    };
  });

  // The stream says nothing while the job is unchanged. A request tells how old the state is, and costs the upstream
  // nothing, because the gateway asks for a watched job anyway.
  async function check() {
    try {
      await ask();
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (!(error instanceof Refusal)) stream?.abort(error);
      else if (error.canRetry) tellTrouble(error);
      else stream?.abort(error);
    }
  }

  const timer = setInterval(() => {
    if (link !== 'live' && link !== 'upstream') return;
    const now = performance.now();
    if (key && arrived > 0 && now - arrived > deadAfter) {
      arrived = 0;
      stream?.abort(new TypeError('silent'));
    } else if (!document.hidden && now - heard > (link === 'live' ? checksAfter : checksInTroubleAfter)) {
      heard = now;
      check();
    }
  }, 2500);

  const comeBack = () => wake();
  const goAway = () => stream?.abort(new TypeError('offline'));
  addEventListener('online', comeBack);
  addEventListener('offline', goAway);
  run();

  return {
    /** Asks now, or tries to connect now. */
    again: () => !isRunning ? run() : isListening ? check() : wake(),
    stop() {
      stopping.abort();
      clearInterval(timer);
      removeEventListener('online', comeBack);
      removeEventListener('offline', goAway);
      wake();
    },
  };
}

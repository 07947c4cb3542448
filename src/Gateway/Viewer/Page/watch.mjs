// Follows one job: reads it once, for its headers, and then listens to its event stream. A page with a session uses an
// EventSource. A page with a key needs a header, which an EventSource cannot send, and reads the stream itself.

import { moment, since } from './elapsed.mjs';
import { eventParser } from './event-stream.mjs';
import { readOrigin } from './origin.mjs';

// Times in milliseconds.
const checksAfter = 30_000, checksInTroubleAfter = 10_000, deadAfter = 45_000, longestPause = 30_000;
const pollsFor = 60_000, pollsAfter = 5000, answersWithin = 90_000;

// A connection that lasts this long is not counted as a failure. The results of a job may follow its end.
const lasting = 10_000, resultsAfter = 31_000;

// Why a stream may be refused although requests are answered.
const withoutStream = /\/problems\/(job-too-large|too-many-watchers)$/;

/** An answer without a job: a problem (RFC 9457). */
class Refusal extends Error {
  constructor(status, problem, retryAfter = 0) {
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
  let link = '', hasEnded = false, isSettled = false, retry = 1500 + 1000 * Math.random();
  let stream = null, isListening = false, isRunning = false, wake = () => {};

  // The last answer, the text of the state that is shown, and the id of the last event.
  let answered = { etag: '', text: '' }, shown = '', lastId = '';

  // When the gateway last said something new, when the stream last did, and when the upstream last failed. The page
  // asks again some time after it heard something. A refusal may demand a longer time.
  let heard = moment(), streamed = null, troubled = moment(), restsFor = 0;

  const tell = (kind, more = {}) => on.link({ kind: link = kind, ...more });
  const tellTrouble = refusal => {
    troubled = moment();
    tell('upstream', { refusal });
  };

  const headers = more => ({ ...(key ? { 'X-Api-Key': key } : { 'X-CSRF': '1' }), ...more });
  const request = (url, more, signal) => fetch(url,
    { headers: headers(more), signal, cache: 'no-store', credentials: key ? 'omit' : 'same-origin' });

  function deliver(state) {
    try {
      hasEnded = on.state(state);
    } catch (error) {
      throw new Refusal(0, { title: 'The job cannot be shown', detail: `${error.message}.`, retryable: false });
    }
  }

  // Reads the job. With a wait, the gateway answers when the job has changed (RFC 7240).
  async function ask(wait = false) {
    const known = answered, asked = moment();
    const conditions = { ...(known.etag && { 'If-None-Match': known.etag }), ...(wait && { Prefer: 'wait=30' }) };
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(answersWithin)]);
    const answer = await request(address, conditions, signal);
    if (answer.status !== 304 && !answer.ok) throw await Refusal.of(answer);
    const text = answer.ok ? await answer.text() : known.text;
    const etag = answer.headers.get('ETag') ?? '', origin = readOrigin(answer.headers);
    answered = { etag, text };
    [heard, restsFor] = [moment(), 0];
    isSettled = /\bmax-age=[1-9]/.test(answer.headers.get('Cache-Control') ?? '');
    // The stream has brought another state, and this one may be older: the stream brings it if it is newer.
    const oldest = 1000 * (origin.age + 1);
    if (isListening && streamed && text !== shown && since(asked) + oldest > since(streamed)) return answer;
    const isSame = text === shown, date = Date.parse(answer.headers.get('Date') ?? '');
    shown = text;
    deliver({ text: isSame ? null : text, etag, origin, date });
    // An answer from before the upstream failed does not mean that it answers again.
    if (link === 'upstream' && isListening && !origin.isStale && oldest < since(troubled)) tell('live');
    return answer;
  }

  /** @returns whether the stream has come to its end */
  function take(type, data, id) {
    [heard, restsFor] = [moment(), 0];
    if (type === 'job') {
      lastId = id;
      // The first event repeats what the request has answered.
      const isNew = data !== shown;
      [shown, streamed] = [data, moment()];
      if (isNew) deliver({ text: data, etag: `"${id}"`, origin: null, date: NaN });
      tell('live');
    } else if (type === 'problem') {
      const problem = JSON.parse(data), refusal = new Refusal(problem.status ?? 0, problem);
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
    const signal = AbortSignal.any([stopping.signal, stream.signal]);
    signal.throwIfAborted();
    isListening = true;
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
    for (const start = moment(); since(start) < pollsFor;) {
      signal.throwIfAborted();
      const answer = await ask(true);
      if (hasEnded) return true;
      if (answer.headers.has('Preference-Applied')) continue;
      await pause(1000 * Number(answer.headers.get('Retry-After')) || pollsAfter);
    }
    return false;
  }

  async function read(signal) {
    const answer = await request(`${address}/events`, { Accept: 'text/event-stream',
      ...(lastId && { 'Last-Event-ID': lastId }) }, signal);
    if (answer.status === 204) return true;
    if (!answer.ok) throw await Refusal.of(answer);
    heard = arrived = moment();
    tell('live');
    let isOver = false;
    const parse = eventParser({ event: (...event) => isOver = take(...event) || isOver, retry: time => retry = time });
    const decoder = new TextDecoder(), reader = answer.body.getReader();
    try {
      for (let part; !isOver && !(part = await reader.read()).done;) {
        arrived = moment();
        parse(decoder.decode(part.value, { stream: true }));
      }
    } finally {
      reader.cancel().catch(() => {});
    }
    return isOver;
  }

  // When the last byte of the stream arrived. The gateway sends a comment each 15 seconds.
  let arrived = moment();

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
      const began = moment();
      let refusal = null;
      try {
        if (!['upstream', 'waiting', 'offline'].includes(link)) tell('connecting');
        await ask();
        if (await listen()) {
          tell('ended');
          if (!await readResults()) return;
        }
        // The stream has closed, for example because a node stops.
        failures = since(began) > lasting ? 0 : failures + 1;
      } catch (error) {
        if (stopping.signal.aborted) return;
        refusal = error instanceof Refusal ? error : null;
        if (refusal && !refusal.canRetry) return tell('refused', { refusal });
        failures = since(began) > lasting ? 1 : failures + 1;
      }
      const time = Math.max(refusal?.retryAfter ?? 0, Math.min(retry * 2 ** failures / 2, longestPause));
      if (!navigator.onLine) tell('offline');
      else if (refusal) tell('upstream', { refusal, retryAt: performance.now() + time });
      else if (failures > 0) tell('waiting', { retryAt: performance.now() + time });
      // The browser may be wrong about being offline, so the page tries from time to time.
      await pause(navigator.onLine ? time : longestPause);
      if (stopping.signal.aborted) return;
    }
  }

  // Reads an ended job once more if its results may follow. Returns whether the job runs again.
  async function readResults() {
    if (isSettled) return false;
    await pause(resultsAfter);
    if (!stopping.signal.aborted) await ask().catch(() => {});
    return !stopping.signal.aborted && !hasEnded;
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
      if (!(error instanceof Refusal && error.canRetry)) return stream?.abort(error);
      restsFor = error.retryAfter;
      tellTrouble(error);
    }
  }

  const timer = setInterval(() => {
    if (!isListening || link !== 'live' && link !== 'upstream') return;
    const checks = Math.max(restsFor, link === 'live' ? checksAfter : checksInTroubleAfter);
    if (key && since(arrived) > deadAfter) {
      arrived = moment();
      stream.abort(new TypeError('silent'));
    } else if (!document.hidden && since(heard) > checks) {
      heard = moment();
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

// How new the state is, from where it came, and what the connection does.

import { find, setPairs, setText } from './dom.mjs';
import { since } from './elapsed.mjs';
import { clock, duration } from './format.mjs';

const words = {
  live: 'Live', ended: 'Ended', connecting: 'Connecting', upstream: 'Stale', waiting: 'Not connected',
  offline: 'Offline', refused: 'Stopped',
};

// The age of a state in milliseconds: what the gateway said, and the time since then.
const ageOf = state => (state.origin?.age ?? 0) * 1000 + since(state.at);

export function showFreshness(state, link) {
  const isStale = state.origin?.isStale ?? false, age = duration(ageOf(state));
  setText(find('link'), isStale ? words.upstream : words[link.kind]);
  find('link').dataset.link = isStale ? 'upstream' : link.kind;
  const news = state.origin ? `The state is ${age} old` : `The last change came ${age} ago`;
  setText(find('freshness'), link.kind === 'ended' ? `The job has ended. This state is ${age} old.`
    : link.kind === 'live' && !isStale ? `${news}; changes appear here by themselves.`
      : `${news}.`);
  setPairs(find('origin'), [
    ['Source', state.origin ? state.origin.text : 'the gateway\'s event stream, which sends each change'],
    ['Age', state.origin ? `${age} (${state.origin.age} s when it was received)` : age],
    ['Cache-Status', state.origin?.cacheStatus],
    ['ETag', state.etag],
    ['Received', clock(Date.now() - since(state.at))],
  ]);
}

/** Shows what keeps the state from being new, above the state. */
export function showBanner(state, link) {
  const { kind, title, text } = banner(state, link), before = find('banner').dataset.kind;
  find('banner').hidden = kind === '';
  find('banner').dataset.kind = kind;
  find('retry').hidden = kind === 'plain';
  if (title && find('banner-title').textContent !== title) setText(find('news'), `${title} ${text}`);
  if (!title && before === 'stale') setText(find('news'), 'The page shows the newest state again.');
  setText(find('banner-title'), title);
  setText(find('banner-text'), text);
}

function banner(state, link) {
  const age = state ? `This state is ${duration(ageOf(state))} old.` : '';
  const of = (kind, title, ...texts) => ({ kind, title, text: texts.filter(Boolean).join(' ') });
  const { refusal } = link, next = nextTry(link);
  if (link.kind === 'offline') {
    return of('stale', 'The browser is offline.', age, 'The page continues when the connection is back.');
  }
  if (link.kind === 'waiting') {
    const title = state ? 'The connection to the gateway is lost.' : 'The gateway does not answer.';
    return of('stale', title, age, next || 'The page tries to connect again.');
  }
  if (link.kind === 'refused') return of('bad', ...sentences(refusal), advice(refusal), age);
  if (link.kind === 'upstream' && !state) return of('stale', ...sentences(refusal), next);
  if (link.kind === 'upstream' || state?.origin?.isStale) {
    const reason = refusal?.message ?? (state.origin.reason && `The reason is ${state.origin.reason}.`);
    return of('stale', refusal?.status === 429 ? 'The gateway asks to wait.' : 'The upstream does not answer.',
      age, reason, next);
  }
  return link.kind === 'connecting' && !state ? of('plain', 'Reading the job …') : of('', '');
}

function nextTry({ retryAt }) {
  if (!retryAt) return '';
  const left = retryAt - performance.now();
  return left > 0 ? `The next try is in ${duration(left)}.` : 'The page tries to connect now.';
}

// The title and the message of a refusal, or the message alone if it repeats the title.
function sentences({ title, message }) {
  return message.startsWith(title) ? [message] : [`${title}.`, message];
}

// What a reader can do about a refusal.
function advice({ status }) {
  return status === 404 ? 'Check both ids. A job that was created a moment ago appears within seconds.' : '';
}

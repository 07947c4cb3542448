// How new the state is, from where it came, and what the connection does.

import { find, setPairs, setText } from './dom.mjs';
import { clock, duration } from './format.mjs';

const words = {
  live: 'Live', ended: 'Ended', connecting: 'Connecting', upstream: 'Stale', waiting: 'Not connected',
  offline: 'Offline', refused: 'Stopped',
};

// The age of a state in milliseconds: what the gateway said, and the time since then.
const ageOf = state => (state.origin?.age ?? 0) * 1000 + performance.now() - state.at;

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
    ['Received', clock(Date.now() - (performance.now() - state.at))],
  ]);
}

/** Shows what keeps the state from being new, above the state. */
export function showBanner(state, link) {
  const { kind, title, text } = banner(state, link);
  find('banner').hidden = kind === '';
  find('banner').dataset.kind = kind;
  find('retry').hidden = kind === 'plain';
  if (title && find('banner-title').textContent !== title) setText(find('news'), `${title} ${text}`);
  setText(find('banner-title'), title);
  setText(find('banner-text'), text);
}

function banner(state, link) {
  const age = state ? `This state is ${duration(ageOf(state))} old.` : '';
  const next = link.retryAt ? `The next try is in ${duration(Math.max(0, link.retryAt - performance.now()))}.` : '';
  const of = (kind, title, ...texts) => ({ kind, title, text: texts.filter(Boolean).join(' ') });
  const { refusal } = link;
  if (link.kind === 'offline') {
    return of('stale', 'The browser is offline.', age, 'The page continues when the connection is back.');
  }
  if (link.kind === 'waiting') {
    return of('stale', 'The connection to the gateway is lost.', age, next || 'The page tries to connect again.');
  }
  if (link.kind === 'refused') return of('bad', `${refusal.title}.`, refusal.message, age);
  if (link.kind === 'upstream' && !state) return of('stale', `${refusal.title}.`, refusal.message, next);
  if (link.kind === 'upstream' || state?.origin?.isStale) {
    const reason = refusal?.message ?? `The reason is ${state.origin.reason}.`;
    return of('stale', refusal?.status === 429 ? 'The gateway asks to wait.' : 'The upstream does not answer.',
      age, reason, next);
  }
  return link.kind === 'connecting' && !state ? of('plain', 'Reading the job …') : of('', '');
}

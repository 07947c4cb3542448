// The pages of the viewer: a form, and one job. The page keeps a gateway key until it is closed, and stores it nowhere.

import { readAddress } from './address.mjs';
import { find, icon, make, setItems, setPairs, setText } from './dom.mjs';
import { clock, count, dateAndClock, decode, duration, json, percent, size } from './format.mjs';
import { Graph, mostTasks } from './graph.mjs';
import { brief, headline, kinds, readJob } from './job.mjs';
import { Timeline } from './timeline.mjs';
import { watchJob } from './watch.mjs';

// The path of the gateway on its host.
const root = new URL('..', import.meta.url).pathname;

// More text than this is cut, because a browser may take seconds to show it. The saved file has all of it.
const mostText = 200_000, mostMessages = 100;

// What the gateway accepts, the name of the logged-in reader, and the key of this page.
let gateway, reader = null, key = '';

// The job of the page: its address, who watches it, and the last state that arrived.
let address = null, watch = null, state = null, link = { kind: 'connecting' }, chosen = -1, isChosenByReader = false;

// The gateway's clock minus the browser's, in milliseconds.
let clockDifference = 0;

const graph = new Graph(find('graph'), index => chosen === index ? closeTask() : choose(index, true));
const timeline = new Timeline(find('timeline'));

const ask = (path, init) =>
  fetch(root + path, { cache: 'no-cache', ...init, headers: { 'X-CSRF': '1', ...init?.headers } });

async function begin() {
  // The path of the page changes, and relative links would change with it.
  for (const link of document.querySelectorAll('link[rel=icon], a:not([href^="#"])')) link.setAttribute('href', link.href);
  gateway = await (await ask('view/reader')).json();
  if (gateway.session) {
    const answer = await ask('bff/user');
    if (answer.ok) reader = await answer.json();
  }
  open();
  find('session').replaceChildren(...session());
}

// Shows what the address of the page says.
function open() {
  const own = location.pathname.slice(root.length);
  address = own.startsWith('view/workflows/') ? readAddress(unescapePath(own), '') : null;
  watch?.stop();
  [watch, state, chosen, isChosenByReader] = [null, null, -1, false];
  find('job').hidden = true;
  if (address && (reader || key)) follow();
  else askForJob(address ? 'The gateway shows this job to its callers only.' : '');
}

function unescapePath(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function askForJob(reason) {
  find('ask').hidden = false;
  find('ask-reason').classList.remove('refused');
  find('another').hidden = true;
  find('session').replaceChildren(...session());
  if (!state) document.title = 'Gateway: jobs';
  setText(find('ask-reason'), reason);
  find('workflow').value = address?.workflow ?? '';
  find('job-id').value = address?.job ?? '';
  find('key-field').hidden = reader !== null;
  find('login').replaceChildren(...(gateway.sessions && !reader ? ['or ', loginLink()] : []));
  if (!state) (address && !reader ? find('key') : find('workflow')).focus();
}

find('form').addEventListener('submit', event => {
  event.preventDefault();
  const entered = readAddress(find('workflow').value, find('job-id').value);
  const entry = find('key').value.trim();
  const problem = !entered
    ? 'Enter a workflow id and a job id. Each has 1 to 128 characters out of A-Z a-z 0-9 . _ ~ -'
    : !reader && !key && !entry ? 'Enter a gateway key.' : '';
  setText(find('address-error'), problem);
  for (const id of ['workflow', 'job-id']) find(id).setAttribute('aria-invalid', !entered);
  if (problem) return (entered ? find('key') : find('workflow')).focus();
  if (entry) key = entry;
  find('key').value = '';
  const path = `${root}view/workflows/${entered.workflow}/jobs/${entered.job}`;
  if (path !== location.pathname) history.pushState(null, '', path);
  open();
  find('main').focus();
});

addEventListener('popstate', open);
for (const id of ['home', 'another']) {
  find(id).addEventListener('click', event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    // Stay in this document, which holds the key.
    event.preventDefault();
    history.pushState(null, '', `${root}view`);
    open();
  });
}

function follow() {
  find('ask').hidden = true;
  find('another').hidden = false;
  setText(find('workflow-name'), address.workflow);
  setText(find('job-title'), address.job);
  watch = watchJob(`${root}v0/workflows/${address.workflow}/jobs/${address.job}`, reader && !key ? '' : key,
    { state: arrive, link: change });
}

// A new state of the job, or the news that it has not changed. Returns whether the job has ended.
function arrive({ text, etag, origin, via, date }) {
  const at = performance.now();
  if (!Number.isNaN(date)) clockDifference = date - Date.now();
  const before = state;
  if (text === null) state = { ...state, etag, origin, via, at };
  else {
    try {
      state = { job: readJob(text, gateway), text, etag, origin, via, at };
    } catch {
      change({ kind: 'refused', refusal: { title: 'The job cannot be read', message: 'It is not valid JSON.' } });
      return false;
    }
  }
  find('job').hidden = false;
  if (text !== null) {
    announce(before?.job, state.job);
    showJob();
  }
  tick();
  return state.job.hasEnded;
}

function change(news) {
  link = news;
  const { status = 0 } = news.refusal ?? {};
  if (news.kind === 'refused' && (status === 401 || status === 403 && !state)) {
    // The form asks for another key or a new login. What the page knows of the job stays below.
    key = '';
    if (status === 401) reader = null;
    find('job').hidden = !state;
    askForJob(`${news.refusal.title}. ${news.refusal.message}`);
    find('ask-reason').classList.add('refused');
  } else find('job').hidden = false;
  document.body.dataset.link = news.kind;
  tick();
}

// The gateway's present time, and at least the newest time that the job names.
const present = () => Math.max(Date.now() + clockDifference, state?.job.latest ?? 0);

const ageOf = at => (state.origin?.age ?? 0) * 1000 + performance.now() - at;

function showJob() {
  const { job } = state, now = present();
  document.title = `${kinds[job.kind]}${job.kind === 'running' && job.progress !== null
    ? ` ${percent(job.progress)}` : ''} · ${address.job}`;
  find('summary').dataset.kind = job.kind;
  find('state-icon').setAttribute('href', `#icon-${job.kind}`);
  setText(find('state-word'), job.kind === 'unknown' ? job.status || 'No status' : kinds[job.kind]);
  setText(find('state-verbatim'), job.kind === 'unknown' || job.status.toLowerCase() === kinds[job.kind].toLowerCase()
    ? '' : job.status);
  const progress = job.progress === null ? null : Math.min(100, Math.max(0, job.progress));
  setText(find('percent'), progress === null ? '' : percent(progress));
  find('progress').hidden = progress === null;
  find('progress').setAttribute('aria-valuenow', Math.floor(progress ?? 0));
  find('progress').firstChild.style.width = `${progress ?? 0}%`;
  setText(find('headline'), headline(job));
  showErrors(job);
  graph.show(job.tasks, now);
  setItems(find('legend'), Object.keys(kinds).map(kind => [kind, job.tasks.filter(task => task.kind === kind).length])
    .filter(([, number]) => number > 0),
  ([kind, number]) => make('li', { 'data-kind': kind }, icon(kind), `${number} ${kind === 'waiting' && job.hasEnded ? 'not run' : kinds[kind].toLowerCase()}`));
  setText(find('graph-notes'), notes(job));
  timeline.show(job, now);
  showMessages(job);
  specification.show(job.body.spec);
  showRaw();
  // Open the task that a reader looks for first, until the reader chooses.
  const failed = job.tasks.findIndex(task => task.kind === 'failed');
  if (!isChosenByReader && chosen !== failed) choose(failed, false);
  else if (chosen >= 0) showTask();
}

// What is unusual in the dependencies.
function notes(job) {
  const { unknown, circular, left } = graph.plan, name = index => job.tasks[index].name;
  return [
    job.tasks.length === 0 ? 'This job names no tasks.' : '',
    job.tasks.length > mostTasks ? `The first ${mostTasks} of ${job.tasks.length} tasks are shown.` : '',
    ...unknown.slice(0, 3).map(one => `${name(one.task)} depends on “${one.name}”, which is no task of this job.`),
    circular.length > 0 ? `Some tasks wait for each other in a circle: ${name(circular[0].from)} and ${name(circular[0].to)}.` : '',
    left > 0 ? `${count(left, 'dependency', 'dependencies')} are not drawn.` : '',
  ].filter(Boolean).join(' ');
}

function showErrors(job) {
  const errors = [
    ...job.tasks.filter(task => task.kind === 'failed' || task.error.length > 0)
      .map(task => ({ task: task.index, title: task.name, text: task.error.length > 0 ? task.error : [task.message || 'No reason is given.'] })),
    ...job.errors.map(error => ({ task: -1, text: error.text,
      title: [error.component, [error.from, error.to].filter(Boolean).join(' → ')].filter(Boolean).join(': ') })),
  ].slice(0, mostMessages);
  find('failure').hidden = errors.length === 0;
  setItems(find('errors'), errors, ({ task, title, text }) => {
    const [first, ...more] = text;
    const name = task < 0 ? make('span', { className: 'of', textContent: title })
      : make('button', { type: 'button', className: 'of', textContent: title });
    if (task >= 0) name.addEventListener('click', () => choose(task, true));
    return make('li', {}, icon('failed'), make('div', {}, name, make('p', { className: 'reason', textContent: first }),
      ...more.map(one => make('p', { className: 'detail', textContent: one }))));
  });
}

function showMessages(job) {
  const byNote = new Map();
  for (const task of job.tasks) {
    for (const note of task.notes) byNote.set(note, [...byNote.get(note) ?? [], task.name]);
  }
  const all = [
    ...job.tasks.filter(task => task.message && task.message.toLowerCase() !== task.status.toLowerCase())
      .map(task => ({ kind: task.kind, of: task.name, text: task.message })),
    ...[...byNote].map(([note, of]) => ({ kind: '', of: of.length > 2 ? count(of.length, 'task') : of.join(', '), text: note })),
  ];
  find('messages-card').hidden = all.length === 0;
  const more = all.length > mostMessages ? [{ kind: '', of: '', text: `${all.length - mostMessages} more are in the JSON.` }] : [];
  setItems(find('messages'), [...all.slice(0, mostMessages), ...more], ({ kind, of, text }) =>
    make('li', { 'data-kind': kind }, kind ? icon(kind) : make('span', { className: 'icon' }),
      make('div', {}, make('span', { className: 'of', textContent: of }), make('p', { textContent: text }))));
}

// A raw field, decoded where it is text. Closed at first.
class RawField {
  #form = make('span', { className: 'form' });
  #text = make('pre', { tabIndex: 0 });
  element;

  constructor(name) {
    this.#text.setAttribute('aria-label', name);
    this.element = make('details', { className: 'raw' }, make('summary', {}, `${name} `, this.#form), this.#text);
  }

  show(value) {
    const decoded = decode(value);
    this.element.hidden = decoded === null;
    if (decoded === null) return;
    setText(this.#form, decoded.form);
    setText(this.#text, cut(decoded.text));
  }
}

const cut = text => text.length <= mostText ? text
  : `${text.slice(0, mostText)}\n… ${size(text.length - mostText)} more; save the job as a file to see all of it.`;

const specification = new RawField('Specification');
find('spec').append(specification.element);

// The fields of the chosen task.
const fields = [['info_logs', 'Logs'], ['inputs', 'Inputs'], ['result', 'Result']]
  .map(([name, title]) => ({ name, field: new RawField(title) }));
const taskPairs = make('dl', { className: 'pairs' });
find('task-body').append(taskPairs, ...fields.map(({ field }) => field.element));

function choose(index, byReader) {
  [chosen, isChosenByReader] = [index, isChosenByReader || byReader];
  graph.mark(index);
  find('task').hidden = index < 0;
  if (index < 0) return;
  for (const { field } of fields) field.element.open = false;
  showTask();
  if (byReader) {
    find('task').focus({ preventScroll: true });
    find('task').scrollIntoView({ block: 'nearest', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  }
}

function closeTask() {
  const last = chosen;
  choose(-1, true);
  graph.focus(last);
}

find('task-close').addEventListener('click', closeTask);
find('task').addEventListener('keydown', event => event.key === 'Escape' && closeTask());

function showTask() {
  const { job } = state, task = job.tasks[chosen], now = present();
  if (!task) return choose(-1, false);
  find('task').dataset.kind = task.kind;
  setText(find('task-title'), task.name);
  const needers = job.tasks.filter(other => other.dependsOn.includes(task.name)).slice(0, 20);
  setPairs(taskPairs, [
    ['Status', task.kind === 'unknown' ? task.status : task.status.toLowerCase() === kinds[task.kind].toLowerCase()
      ? kinds[task.kind] : `${kinds[task.kind]} (${task.status})`],
    ['Error', task.error.join('\n')],
    ['Message', task.message.toLowerCase() === task.status.toLowerCase() ? '' : task.message],
    ['Progress', task.progress === null ? '' : percent(task.progress)],
    ['Started', task.start && dateAndClock(task.start)],
    ['Ended', task.end && dateAndClock(task.end)],
    [task.end ? 'Took' : 'Runs for', task.start && (task.end ?? now) >= task.start && duration((task.end ?? now) - task.start)],
    ['Expected', task.estimate && duration(1000 * task.estimate)],
    ['Depends on', task.dependsOn.join(', ')],
    ['Needed by', needers.map(other => other.name).join(', ')],
    ['Block', task.block],
    ['Notes', task.notes.slice(0, 5).join('\n')],
  ]);
  for (const { name, field } of fields) field.show(task.body[name]);
}

function showRaw() {
  setText(find('raw-size'), size(new TextEncoder().encode(state.text).length));
  if (find('raw').open) setText(find('raw').querySelector('pre'), cut(json(state.job.body)));
}

find('raw').addEventListener('toggle', () => state && showRaw());
find('copy').addEventListener('click', async () => {
  const done = await navigator.clipboard?.writeText(state.text).then(() => true, () => false);
  setText(find('copied'), done ? 'Copied.' : 'The browser does not allow a page to copy here.');
});
find('save').addEventListener('click', () => {
  // The bytes as they came.
  const url = URL.createObjectURL(new Blob([state.text], { type: 'application/json' }));
  make('a', { href: url, download: `${address.workflow}-${address.job}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
});

for (const id of ['retry', 'check']) find(id).addEventListener('click', () => watch?.again());

// What changes with time: ages, durations, and what the connection does.
function tick() {
  if (!watch || find('job').hidden) return;
  showBanner();
  find('job').classList.toggle('empty', !state);
  if (!state) return;
  const { job } = state, now = present();
  const begin = job.started ?? job.created;
  setPairs(find('facts'), [
    [job.kind === 'waiting' ? 'Created' : 'Started', begin && dateAndClock(begin)],
    [job.hasEnded ? 'Took' : job.kind === 'waiting' ? 'Waits for' : 'Runs for', begin && duration((job.finished ?? now) - begin)],
    ['Expected', job.estimate ? duration(1000 * job.estimate) : ''],
    ['Ended', job.finished && dateAndClock(job.finished)],
    ['Cost', job.cost],
    ['Created by', job.createdBy],
  ]);
  const words = { live: 'Live', ended: 'Ended', connecting: 'Connecting', upstream: 'Stale', waiting: 'Not connected',
    offline: 'Offline', refused: 'Stopped' };
  const isStale = state.origin?.isStale;
  setText(find('link'), isStale ? 'Stale' : words[link.kind]);
  find('link').dataset.link = isStale ? 'upstream' : link.kind;
  const age = duration(ageOf(state.at));
  setText(find('freshness'), link.kind === 'ended' ? `This state is final. It was received ${age} ago.`
    : `${state.via === 'request' ? 'State' : 'Last change'} ${age} old${link.kind === 'live' && !isStale
      ? '; changes appear here by themselves.' : '.'}`);
  setPairs(find('origin'), [
    ['Source', state.origin ? state.origin.text : 'the gateway\'s event stream, which sends each change'],
    ['Age', `${age}${state.origin ? ` (${state.origin.age} s when it was received)` : ''}`],
    ['Cache-Status', state.origin?.cacheStatus],
    ['ETag', state.etag],
    ['Received', clock(Date.now() - (performance.now() - state.at))],
  ]);
  if (!job.hasEnded) {
    graph.tick(now);
    timeline.tick(now);
    if (chosen >= 0) showTask();
  }
}

function showBanner() {
  const age = state ? `This state is ${duration(ageOf(state.at))} old. ` : '';
  const next = link.retryAt ? `The next try is in ${duration(Math.max(0, link.retryAt - performance.now()))}.` : '';
  const stale = state?.origin?.isStale && !['offline', 'waiting', 'refused'].includes(link.kind);
  const [kind, title, text] = stale || link.kind === 'upstream' ? ['stale', state ? 'The upstream does not answer.' : link.refusal.title + '.',
    `${age}${state ? link.refusal?.message ?? (state.origin.reason && `The reason is ${state.origin.reason}.`) : link.refusal.message} ${next}`]
    : link.kind === 'offline' ? ['stale', 'The browser is offline.', `${age}The page continues when the connection is back.`]
    : link.kind === 'waiting' ? ['stale', 'The connection to the gateway is lost.', `${age}${next || 'The page tries to connect again.'}`]
    : link.kind === 'refused' ? ['bad', `${link.refusal.title}.`, `${link.refusal.message} ${age}`]
    : link.kind === 'connecting' && !state ? ['plain', 'Reading the job …', '']
    : ['', '', ''];
  find('banner').hidden = kind === '';
  find('banner').dataset.kind = kind;
  find('retry').hidden = kind === 'plain';
  if (find('banner-title').textContent !== title && title) setText(find('news'), `${title} ${text}`);
  setText(find('banner-title'), title);
  setText(find('banner-text'), text.trim());
}

// Tells a screen reader what has changed, but not each percent.
function announce(before, after) {
  if (!before || before.kind !== after.kind) {
    setText(find('news'), `The job is ${kinds[after.kind].toLowerCase()}. ${headline(after)}`);
    return;
  }
  const changed = after.tasks.filter((task, n) => before.tasks[n]?.name === task.name && before.tasks[n].kind !== task.kind);
  if (changed.length === 0) return;
  setText(find('news'), changed.slice(0, 4).map(task => `${task.name}: ${kinds[task.kind].toLowerCase()}.`).join(' '));
}

// The name of the reader and a button to log out, or a link to log in.
function session() {
  if (!gateway.sessions) return [];
  if (!reader) return [loginLink()];
  const { name, email, sub } = reader.claims;
  const button = make('button', { type: 'button', textContent: 'Log out' });
  button.addEventListener('click', logOut);
  return [`${name ?? email ?? sub ?? 'Logged in'} `, button];
}

function loginLink() {
  return make('a', { href: `${root}bff/login?returnUrl=${encodeURIComponent(location.pathname)}`, textContent: 'Log in' });
}

async function logOut() {
  const answer = await ask(`bff/logout?returnUrl=${encodeURIComponent(location.pathname)}`, { method: 'POST' });
  if (answer.ok) location = (await answer.json()).logoutUrl;
  else location.reload();
}

setInterval(tick, 1000);
begin().catch(error => {
  find('ask').hidden = false;
  setText(find('ask-reason'), `The page could not start: ${error.message}`);
});

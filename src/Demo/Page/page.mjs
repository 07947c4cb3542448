// How a page of another origin uses the gateway with a session: plain fetch, with the cookie and the header X-CSRF.

const find = id => document.getElementById(id);

// The cookie is sent to the gateway only from its own site, so the page names the gateway as the page itself is named.
const gateway = `http://${location.hostname}:${document.documentElement.dataset.gatewayPort}`;

const call = (path, init) =>
  fetch(gateway + path, { ...init, credentials: 'include', headers: { 'X-CSRF': '1', ...init?.headers } });

const here = encodeURIComponent(location.origin + '/');
const job = () => `/v0/workflows/${encodeURIComponent(find('workflow').value)}/jobs/${encodeURIComponent(find('job').value)}`;

let following;

function say(text) {
  find('output').textContent += `${text}\n`;
}

function begin() {
  following?.abort();
  following = new AbortController();
  find('output').textContent = '';
  return following.signal;
}

// An answer that is no success is a problem (RFC 9457).
async function explain(answer) {
  const problem = await answer.json();
  say(`${answer.status} ${problem.title}\n${problem.detail ?? ''}`);
}

async function showUser() {
  const answer = await call('/bff/user');
  const isLoggedIn = answer.ok;
  const user = isLoggedIn ? await answer.json() : undefined;
  find('user').textContent = isLoggedIn
    ? `${user.claims.name} is logged in, for the teams: ${user.teams.join(', ')}.` : 'Nobody is logged in.';
  find('log-in').hidden = isLoggedIn;
  find('log-out').hidden = !isLoggedIn;
}

async function read() {
  const answer = await call(job(), { signal: begin() });
  if (!answer.ok) return explain(answer);
  say(`${answer.status}\nCache-Status: ${answer.headers.get('Cache-Status')}\nETag: ${answer.headers.get('ETag')}\n`);
  say(JSON.stringify(await answer.json(), null, 2));
}

// An EventSource cannot send X-CSRF, without which the gateway accepts the cookie only from its own pages.
async function follow() {
  const answer = await call(`${job()}/events?view=summary`, { signal: begin() });
  if (!answer.ok) return explain(answer);
  let rest = '';
  for await (const part of textOf(answer)) {
    const events = (rest + part).split('\n\n');
    rest = events.pop();
    for (const event of events.filter(one => /^event:/m.test(one))) say(`${event}\n`);
  }
}

async function* textOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
}

async function logOut() {
  const answer = await call(`/bff/logout?returnUrl=${here}`, { method: 'POST' });
  if (!answer.ok) return explain(answer);
  location.assign((await answer.json()).logoutUrl);
}

function run(action) {
  action().catch(error => {
    if (error.name !== 'AbortError') say(`The gateway cannot be reached: ${error.message}`);
  });
}

// A job that runs for ten seconds from when it is first asked for, and that nobody has asked for yet.
find('job').value = `run-10-${Date.now().toString(36)}`;
find('origin').textContent = location.origin;
find('gateway').textContent = gateway;
find('log-in').addEventListener('click', () => location.assign(`${gateway}/bff/login?returnUrl=${here}`));
find('log-out').addEventListener('click', () => run(logOut));
find('read').addEventListener('click', () => run(read));
find('follow').addEventListener('click', () => run(follow));
run(showUser);

// The pages of the viewer: a form, and one job. The page keeps a gateway key until it is closed, and stores it nowhere.

import { readAddress } from './address.mjs';
import { find, make, setText } from './dom.mjs';
import { JobPage } from './job-page.mjs';
import { watchJob } from './watch.mjs';

// The path of the gateway on its host.
const root = new URL('..', import.meta.url).pathname;

// What the gateway accepts, the claims of the reader (null without a session), and the key of this page.
let gateway, reader = null, key = '';

// The job of the page, and who watches it.
let address = null, watch = null;

const page = new JobPage();

const ask = (path, init) =>
  fetch(root + path, { cache: 'no-cache', ...init, headers: { 'X-CSRF': '1', ...init?.headers } });

async function begin() {
  // The path of the page changes, and relative links would change with it.
  for (const link of document.querySelectorAll('link[rel=icon], a:not([href^="#"])')) {
    link.setAttribute('href', link.href);
  }
  const known = await ask('view/reader');
  if (!known.ok) throw new Error(`the gateway answered ${known.status}`);
  gateway = await known.json();
  if (gateway.session) {
    const answer = await ask('bff/user');
    if (answer.ok) reader = await answer.json();
  }
  open();
}

// Shows what the address of the page says.
function open() {
  watch?.stop();
  watch = null;
  page.close();
  address = readAddress(location.pathname, '');
  find('session').replaceChildren(...session());
  if (address && (reader || key)) follow();
  else askForJob(address ? 'The gateway shows this job to its callers only.' : '');
}

function go(path) {
  // Stay in this document, which holds the key.
  if (path !== location.pathname) history.pushState(null, '', path);
  open();
}

function follow() {
  find('ask').hidden = true;
  find('another').hidden = false;
  page.open(address, gateway);
  watch = watchJob(`${root}v0/workflows/${address.workflow}/jobs/${address.job}`, key,
    { state: state => page.arrive(state), link: change });
}

function change(link) {
  const status = link.kind === 'refused' ? link.refusal.status : 0;
  page.change(link);
  if (status !== 401 && (status !== 403 || page.state)) return;
  // The form asks for another key or a new login. What the page knows of the job stays below.
  key = '';
  if (status === 401) reader = null;
  if (!page.state) page.close();
  find('session').replaceChildren(...session());
  askForJob(`${link.refusal.message} ${advice(status)}`.trim(), true);
}

// What a reader can do who may not read the job.
function advice(status) {
  if (status === 401) return '';
  return reader ? 'Ask the operators of the gateway for access.' : 'Enter the key of another team.';
}

function askForJob(reason, isRefused = false) {
  const isAlone = page.state === null;
  if (isAlone) document.title = 'Gateway: jobs';
  find('ask').hidden = false;
  find('another').hidden = true;
  setText(find('ask-reason'), reason);
  find('ask-reason').classList.toggle('refused', isRefused);
  find('workflow').value = address?.workflow ?? '';
  find('job-id').value = address?.job ?? '';
  find('key-field').hidden = reader !== null;
  find('login').replaceChildren(...(gateway.sessions && !reader ? ['or ', loginLink()] : []));
  // A reader who looks at a job is not interrupted.
  if (isAlone) (address && !reader ? find('key') : find('workflow')).focus();
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
  find('key').setAttribute('aria-invalid', entered !== null && problem !== '');
  if (problem) {
    find(entered ? 'key' : 'workflow').focus();
    return;
  }
  if (entry) key = entry;
  find('key').value = '';
  go(`${root}view/workflows/${entered.workflow}/jobs/${entered.job}`);
  find('main').focus();
});

for (const id of ['home', 'another']) {
  find(id).addEventListener('click', event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(`${root}view`);
  });
}

for (const id of ['retry', 'check']) find(id).addEventListener('click', () => watch?.again());

addEventListener('popstate', open);

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
  const href = `${root}bff/login?returnUrl=${encodeURIComponent(location.pathname)}`;
  return make('a', { href, textContent: 'Log in' });
}

async function logOut() {
  const answer = await ask(`bff/logout?returnUrl=${encodeURIComponent(location.pathname)}`, { method: 'POST' });
  if (answer.ok) location = (await answer.json()).logoutUrl;
  else location.reload();
}

begin().catch(error => {
  find('ask').hidden = false;
  find('form').hidden = true;
  find('ask-reason').classList.add('refused');
  setText(find('ask-reason'), `The page could not start: ${error.message}. Reload the page to try again.`);
});

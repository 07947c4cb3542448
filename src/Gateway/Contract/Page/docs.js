// The page of the contract: Swagger UI, which sends requests as the reader of the page. The page keeps a key until it is
// closed, and stores it nowhere.
'use strict';

// The path of the gateway on its host.
const root = new URL('..', location.href).pathname;
const find = id => document.getElementById(id);

// Swagger UI has colours for a dark page, and leaves it to the page when to use them.
const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

// What the gateway accepts, and the claims of the reader: null without a session.
let gateway, reader = null;

const ask = (path, init) =>
  fetch(root + path, { cache: 'no-cache', ...init, headers: { 'X-CSRF': '1', ...init?.headers } });

async function begin() {
  gateway = await (await ask('docs/reader')).json();
  if (gateway.session) {
    const answer = await ask('bff/user');
    if (answer.ok) reader = await answer.json();
  }
  if (gateway.sessions) find('session').replaceChildren(...session());
  find('forms').hidden = !gateway.public;
  if (gateway.public || reader) await show();
  else askForKey();
}

// If the contract is not public, only callers may read it.
function askForKey() {
  find('how').textContent = 'This gateway shows its contract to its callers only. '
    + (gateway.sessions ? 'Log in, or enter a gateway key or a token.'
      : gateway.tokens ? 'Enter a gateway key or a token.' : 'Enter a gateway key.');
  find('closed').hidden = false;
  find('closed').addEventListener('submit', event => {
    event.preventDefault();
    show(find('key').value.trim()).catch(report);
  });
}

// Reads the contract with the key, if there is one. "Try it out" uses the key until the reader authorises another.
async function show(key) {
  const withKey = key ? { credentials: 'omit', headers: { Authorization: `Bearer ${key}` } } : {};
  const answer = await ask('openapi/v0.json', withKey);
  const contract = await answer.json();
  if (!answer.ok) throw new Error(contract.detail ?? contract.title);
  // Swagger UI brings its own main element.
  find('first').hidden = true;
  find('trouble').textContent = '';
  const changes = { childList: true, characterData: true, subtree: true, attributeFilter: ['disabled'] };
  new MutationObserver(() => {
    nameElements();
    keepFocus();
  }).observe(find('contract'), changes);
  const ui = SwaggerUIBundle({
    domNode: find('contract'),
    spec: ofThisGateway(contract),
    // A job's logs are arrays of thousands of numbers. Highlighting would make an element of each.
    syntaxHighlight: false,
    tryItOutEnabled: true,
    persistAuthorization: false,
    displayRequestDuration: true,
    requestInterceptor: withOneCredential,
    plugins: [oneAtATime, sessionIsALogin],
    onComplete: () => key && ui.preauthorizeApiKey('bearer', key),
  });
}

// The document describes what a gateway can accept. The page shows what this gateway accepts, at this address.
function ofThisGateway(contract) {
  const schemes = contract.components.securitySchemes;
  contract.servers = [{ url: root.replace(/(.)\/$/, '$1'), description: 'This gateway.' }];
  for (const path of Object.values(contract.paths)) {
    for (const { parameters = [] } of Object.values(path)) parameters.forEach(tellExample);
  }
  if (!gateway.tokens) schemes.bearer.description = 'A gateway key as a bearer token.';
  if (!gateway.sessions) {
    delete schemes.session;
    contract.security = contract.security.filter(one => !one.session);
  }
  return contract;
}

// Swagger UI would fill an example in, and "Execute" would send it: a made-up job, or a wait of 30 seconds. It would
// also make up each new item of a list.
function tellExample(parameter) {
  if (parameter.schema?.items?.type === 'string') parameter.schema.items.default = '';
  if (parameter.example === undefined) return;
  parameter.description = `${parameter.description ?? ''}\n\nExample: \`${[parameter.example].flat().join(', ')}\``;
  delete parameter.example;
}

// The gateway refuses a request with two credentials, so a request with a key carries no session.
function withOneCredential(request) {
  // The reader wants the gateway's answer and not one from the browser's cache.
  request.cache = 'no-store';
  if (!gateway.sessions) return request;
  if (request.headers.Authorization || request.headers['X-Api-Key']) request.credentials = 'omit';
  else request.headers['X-CSRF'] = '1';
  return request;
}

// For the same reason, authorising one key logs out the others.
const oneAtATime = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize, system) => schemes => {
          const others = system.authSelectors.authorized().keySeq().filter(name => !(name in schemes)).toArray();
          if (others.length > 0) system.authActions.logout(others);
          return authorize(schemes);
        },
      },
    },
  },
});

// A session cannot be typed in, so its part of the dialog links to the login.
const sessionIsALogin = ({ React }) => ({
  wrapComponents: {
    auths: Original => props => !props.definitions.has('session') ? React.createElement(Original, props)
      : React.createElement('div', { className: 'auth-container' },
        React.createElement('h4', null, 'session'),
        React.createElement('p', null, 'The browser sends it by itself, unless a key or a token is authorised above.'),
        React.createElement('p', { ref: place => place?.replaceChildren(...session()) })),
  },
});

// Names the elements that Swagger UI leaves without a name, and makes bodies reachable by keyboard.
function nameElements() {
  const each = (selector, change) => find('contract').querySelectorAll(selector).forEach(change);
  each('#servers', servers => servers.ariaLabel = 'Server');
  each('.examples-select-element', examples => examples.ariaLabel = 'Example');
  each('.close-modal', close => close.ariaLabel = 'Close');
  each('.auth-btn-wrapper button', button => button.ariaLabel = null);
  each('.auth-container', scheme => {
    const value = scheme.querySelector('input');
    if (value) value.ariaLabel = `Value: ${scheme.querySelector('h4 code').textContent}`;
  });
  each('.json-schema-form-item', item => {
    const name = item.closest('[data-param-name]')?.dataset.paramName;
    const number = [...item.parentElement.children].indexOf(item) + 1;
    for (const part of item.querySelectorAll('input, select, textarea, button')) {
      part.ariaLabel = part.matches('button') ? `Remove item ${number} of ${name}` : `${name}, item ${number}`;
    }
  });
  // As regions without a name, the tables of two operations would be mistaken for each other.
  each('table[role=region]', table => table.role = null);
  each('.microlight', body => body.tabIndex = 0);
  // The title of the page has the first level.
  each('h3, h4, h5, h6', heading => heading.ariaLevel = Math.min(heading.localName[1] - 1, 4));
  const region = name => part => [part.role, part.ariaLabel] = ['region', name];
  each('.information-container', region('About'));
  each('.scheme-container', region('Server and credentials'));
  each('.modal-ux', dialog => [dialog.role, dialog.ariaModal, dialog.ariaLabel] = ['dialog', 'true', 'Credentials']);
}

// Swagger UI replaces and disables elements while they have the focus. It opens its dialog with the focus in the last
// field, and lets the focus leave the dialog.
const focusable = 'a[href], button, input, select, textarea, [tabindex="0"]';
let dialog = null, focused = null, opener = null;

document.addEventListener('focusin', ({ target }) => {
  focused = { element: target, part: target.closest('.auth-container, .opblock') };
  if (!target.closest('.dialog-ux')) opener = target;
});

// Whoever clicks beside all elements takes the focus away.
document.addEventListener('pointerdown', ({ target }) => {
  if (!target.closest(focusable)) focused = null;
});

document.addEventListener('keydown', event => {
  if (event.key !== 'Tab' || !dialog) return;
  const stops = [...dialog.querySelectorAll(focusable)].filter(stop => !stop.disabled && stop.checkVisibility());
  const [first, last] = [stops[0], stops.at(-1)];
  const at = document.activeElement;
  if (dialog.contains(at) && at !== (event.shiftKey ? first : last)) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
});

function keepFocus() {
  const shown = find('contract').querySelector('.modal-ux');
  const [opens, closes] = [shown && !dialog, dialog && !shown];
  dialog = shown;
  if (opens) (dialog.querySelector('.auth-container input') ?? dialog.querySelector('button')).focus();
  else if (closes) opener?.focus();
  else if (document.activeElement === document.body && focused) {
    const part = focused.part?.isConnected ? focused.part : dialog;
    const next = focused.element.isConnected ? focused.element
      : part?.querySelector('.execute') ?? part?.querySelector('input, button');
    if (next && !next.disabled) next.focus({ preventScroll: true });
  }
}

// The name of the reader and a button to log out, or a link to log in.
function session() {
  if (!reader) {
    const link = document.createElement('a');
    link.href = `${root}bff/login?returnUrl=${encodeURIComponent(location.pathname)}`;
    link.textContent = 'Log in';
    return [link];
  }
  const { name, email, sub } = reader.claims;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Log out';
  button.addEventListener('click', () => logOut().catch(report));
  const teams = reader.teams.length > 0 ? `team ${reader.teams.join(', ')}` : 'of no team';
  return [`Logged in as ${name ?? email ?? sub ?? 'somebody'}, ${teams}. `, button];
}

async function logOut() {
  const answer = await ask(`bff/logout?returnUrl=${encodeURIComponent(location.pathname)}`, { method: 'POST' });
  if (answer.ok) location = (await answer.json()).logoutUrl;
  else location.reload();
}

function report(error) {
  find('trouble').textContent = `That did not work: ${error.message}`;
}

begin().catch(report);

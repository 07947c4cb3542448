// Runs oidc-provider with the configuration in the variable PROVIDER, a JSON object. The built-in pages for development
// ask for a name and accept any password. A file has the groups of users and the endpoints that
// fail, and may change.
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const {
  issuer, port, stateFile, client, keys, features, audience, refreshTokens, rotates, certificate, key,
} = JSON.parse(process.env.PROVIDER);

const state = () => JSON.parse(readFileSync(stateFile, 'utf8'));
const groupsOf = user => state().groups[user] ?? [];

const signing = [...keys];
if (client.id_token_signed_response_alg === 'EdDSA') {
  const made = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  signing.push({ ...made, alg: 'EdDSA', use: 'sig' });
}

// Access tokens for an API are JWTs, and all others are opaque.
const api = {
  enabled: true,
  defaultResource: () => 'https://api.example.com',
  useGrantedResource: () => true,
  getResourceServerInfo: () => ({ scope: 'jobs:read', audience, accessTokenFormat: 'jwt' }),
};

const provider = new Provider(issuer, {
  clients: [{
    grant_types: ['authorization_code', 'refresh_token', ...(audience ? ['client_credentials'] : [])],
    response_types: ['code'],
    ...client,
  }],
  jwks: { keys: signing },
  enabledJWA: {
    idTokenSigningAlgValues: signing.map(key => key.alg),
    userinfoSigningAlgValues: signing.map(key => key.alg),
  },
  features: {
    backchannelLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: false },
    revocation: { enabled: true },
    ...(audience ? { clientCredentials: { enabled: true }, resourceIndicators: api } : {}),
    ...features,
  },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'], email: ['email'] },
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  conformIdTokenClaims: false,
  issueRefreshToken: async (context, client, code) => client.grantTypeAllowed('refresh_token') && refreshTokens,
  rotateRefreshToken: rotates,
  // The default refuses addresses of this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  pkce: { required: () => true },
  cookies: { keys: ['cookie-key-0123456789'] },
  ttl: { Session: 3600, Grant: 3600, Interaction: 3600, AccessToken: 600, IdToken: 3600, RefreshToken: 3600 },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, preferred_username: id, email: `${id}@example.com`, groups: groupsOf(id) }),
  }),
});
provider.on('refresh_token.destroyed', token => console.log('refresh token of', token.accountId, 'revoked'));
const events = ['authorization', 'pushed_authorization_request', 'grant', 'backchannel', 'server'];
for (const event of events) {
  for (const name of [`${event}.error`, `${event}_error`]) {
    provider.on(name, (...all) => {
      const error = all.find(one => one instanceof Error);
      console.log(name, error?.message, error?.error_detail ?? error?.cause ?? '');
    });
  }
}
// Endpoints that fail, by path.
provider.use((context, next) => {
  const status = state().failing[context.path];
  if (status === undefined) return next();
  context.status = status;
  context.body = { error: 'failing' };
});
// Behind a TLS end of its own, the provider listens on plain http in some tests.
provider.proxy = issuer.startsWith('https:') && !certificate;

const server = certificate
  ? createHttps({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback())
  : createHttp(provider.callback());
server.listen(port, '127.0.0.1', () => console.log('listening'));

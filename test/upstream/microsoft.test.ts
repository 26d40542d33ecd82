// Microsoft's own addresses, answered in this process: one issuer with a gap for all tenants, and when its word about an address
// counts.

import test from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Realm, Realms, StoredUpstream } from '../../server/realms/realms.ts';
import { exchangeCode } from '../../server/upstream/code_exchange.ts';
import { createConnections } from '../../server/upstream/connection.ts';
import { toPerson } from '../../server/upstream/person.ts';
import { checkToken } from '../../server/upstream/token_check.ts';

const HOST = 'https://login.microsoftonline.com';
const REDIRECT_URI = 'https://auth.daily.example/api/auth/v1/microsoft/callback';
const [HOME, OTHER] = ['11111111-2222-3333-4444-555555555555', '99999999-8888-7777-6666-555555555555'];
const proofs = { state: 'state', nonce: 'nonce', verifier: 'v'.repeat(43) };
const { privateKey, publicKey } = await generateKeyPair('RS256');
const keys = [{ ...(await exportJWK(publicKey)), kid: 'ms', alg: 'RS256', use: 'sig' }];
const answers: Record<string, () => unknown> = {};
for (const tenant of ['common', 'organizations', HOME]) {
  answers[`/${tenant}/v2.0/.well-known/openid-configuration`] = () => ({
    issuer: `${HOST}/${tenant === HOME ? HOME : '{tenantid}'}/v2.0`,
    authorization_endpoint: `${HOST}/${tenant}/oauth2/v2.0/authorize`,
    token_endpoint: `${HOST}/${tenant}/oauth2/v2.0/token`,
    jwks_uri: `${HOST}/${tenant}/discovery/v2.0/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
  });
  answers[`/${tenant}/discovery/v2.0/keys`] = () => ({ keys });
}

const idToken = (claims: Record<string, unknown>) =>
  new SignJWT({ sub: 'grace', nonce: proofs.nonce, email: 'grace@daily.example', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'ms' })
    .setAudience('causeway')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey);

/** Both ways in, by code and by token, for a tenant of the realm file; null where the answer is not believed. */
async function signInBoth(tenant: string | undefined, claims: Record<string, unknown>) {
  const token = await idToken(claims);
  const fetch = async (asked: string | URL | Request) => {
    const { origin, pathname } = new URL(String(asked));
    const isToken = pathname.endsWith('/oauth2/v2.0/token');
    const known = isToken ? () => ({ access_token: 'a', token_type: 'Bearer', id_token: token }) : answers[pathname];
    return origin === HOST && known ? Response.json(known()) : new Response('{}', { status: 404 });
  };
  const connections = createConnections({ realms: {} as Realms, fetch });
  const upstream: StoredUpstream = {
    id: 'microsoft',
    provider: 'microsoft',
    name: 'Microsoft',
    settings: { client_id: 'causeway', ...(tenant && { tenant }) },
    secrets: {},
  };
  const found = await connections.attempt({ realm: { id: 'r' } as unknown as Realm, upstream }, async (connection) => {
    const parameters = { code: 'code', state: proofs.state };
    const exchanged = await exchangeCode(connection, REDIRECT_URI, { parameters, proofs });
    const checked = await checkToken(connection, { token, nonce: proofs.nonce });
    return [exchanged, checked].map((one) => {
      if (!one.ok) return null;
      const issuer = String(one.claims['iss']);
      return toPerson(one.claims, { issuer, provider: connection.provider, trustedDomains: ['daily.example'] });
    });
  });
  if (!found.ok) throw new Error('Microsoft was not reached');
  return found.value;
}
const claimsOf = (tid: string, iss = tid) => ({ tid, iss: `${HOST}/${iss}/v2.0` });

for (const tenant of [undefined, 'common', 'organizations'])
  test(`OIDC Core §3.1.3.7: tenant ${tenant ?? 'left out'}: the issuer is the one of the person’s tenant, and its word about an address never counts`, async (t) => {
    for (const tid of [HOME, OTHER])
      for (const person of await signInBoth(tenant, { ...claimsOf(tid), email_verified: true }))
        t.like(person, { issuer: `${HOST}/${tid}/v2.0`, subject: 'grace', isEmailProven: false });
  });

for (const [what, claims] of [
  ['names another tenant than its tid', claimsOf(HOME, OTHER)],
  ['is of another host', { tid: HOME, iss: `https://evil.test/${HOME}/v2.0` }],
  ['has the gap itself', { tid: HOME, iss: `${HOST}/{tenantid}/v2.0` }],
  ['has no tid', { iss: `${HOST}/${HOME}/v2.0` }],
] as const)
  test(`OIDC Core §3.1.3.7: an issuer that ${what} is refused, by code and by token`, async (t) => {
    t.deepEqual(await signInBoth('common', claims), [null, null]);
  });

test('security 161: with one tenant named its word counts for the domains that the operator trusts, and for no other', async (t) => {
  for (const person of await signInBoth(HOME, claimsOf(HOME))) t.like(person, { isEmailProven: true });
  for (const person of await signInBoth(HOME, { ...claimsOf(HOME), email: 'grace@bank.example' }))
    t.like(person, { isEmailProven: false });
  t.deepEqual(await signInBoth(HOME, claimsOf(OTHER)), [null, null], 'another tenant is none of the operator’s');
});

// Forged JWTs where outsiders may send one: as hint at authorize and end_session, as client assertion, as DPoP proof. Made by
// node:crypto alone. Nothing in a header is followed, so the sink that some of them name sees nobody.

import {
  type CipherGCM,
  createCipheriv,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Answer } from '../support/browser.ts';
import { AFTER_LOGOUT, checkTokenError, completeFlow, fetchJwks, startConformance } from '../support/conformance.ts';
import type { Jwk, Verified } from '../support/jws_verifier.ts';
import {
  createRelyingParty,
  encode,
  ISSUER,
  putClients,
  random,
  signedInReader,
  signJws,
  walk,
} from '../support/relying_party.ts';

const hits: string[] = [];
const sink = createServer((request, response) => {
  hits.push(request.url ?? '');
  response.end(JSON.stringify({ keys: [{ ...RSA.publicKey.export({ format: 'jwk' }), kid: 'sink', alg: 'RS256' }] }));
});
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
const SINK = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/jwks`;

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const OWN = generateKeyPairSync('rsa', { modulusLength: 2048 });
const on = await startConformance();
await putClients(on.server, [
  {
    id: 'keyed',
    grant_types: ['client_credentials'],
    scopes: ['reports'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: {
      keys: [
        { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'r1' },
        { ...EC.publicKey.export({ format: 'jwk' }), kid: 'e1' },
      ],
    },
  },
]);
const keyed = createRelyingParty(on.server, 'keyed', { method: 'none' });
test.after.always(async () => {
  await on.server.close();
  await new Promise((resolve) => sink.close(resolve));
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwk = (key: KeyObject) => key.export({ format: 'jwk' });

/** What a forger knows: claims that would be right, the header of a right token, and the public keys. */
type Ground = { claims: Record<string, unknown>; header: Record<string, unknown>; rsa: Jwk; ec: Jwk };

function hs256(ground: Ground, key: string | Buffer): string {
  const data = `${part({ ...ground.header, alg: 'HS256' })}.${part(ground.claims)}`;
  return `${data}.${createHmac('sha256', key).update(data).digest('base64url')}`;
}

/** A forged JWT: the given header over the right claims, signed by the forger's own key. */
const own = (ground: Ground, header: Record<string, unknown>) =>
  signJws({ ...ground.header, alg: 'RS256', ...header }, ground.claims, OWN.privateKey);
const pemOf = (key: Jwk) => createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();

/** A JWE that is right for the public key, and whose plaintext is millions of times itself unless nobody inflates it. */
function bomb({ rsa, header }: Ground): string {
  const key = randomBytes(16);
  const encryptedKey = publicEncrypt(
    { key: createPublicKey({ key: rsa, format: 'jwk' }), oaepHash: 'sha256' },
    key,
  ).toString('base64url');
  const protectedPart = part({ ...header, alg: 'RSA-OAEP-256', enc: 'A128GCM', zip: 'DEF', cty: 'JWT', kid: rsa.kid });
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-128-gcm', key, iv) as CipherGCM;
  cipher.setAAD(Buffer.from(protectedPart));
  const text = Buffer.concat([cipher.update(deflateRawSync(Buffer.alloc(4_000_000))), cipher.final()]);
  return [
    protectedPart,
    encryptedKey,
    iv.toString('base64url'),
    text.toString('base64url'),
    cipher.getAuthTag().toString('base64url'),
  ].join('.');
}

const FORGERIES: [number: 120 | 121, title: string, forge: (ground: Ground) => string][] = [
  [120, 'alg none, no signature', (on) => `${part({ ...on.header, alg: 'none' })}.${part(on.claims)}.`],
  [120, 'alg NONE, no signature', (on) => `${part({ ...on.header, alg: 'NONE' })}.${part(on.claims)}.`],
  [120, 'alg none, a signature', (on) => `${part({ ...on.header, alg: 'none' })}.${part(on.claims)}.AAAA`],
  [120, 'no alg', (on) => `${part({ ...on.header, alg: undefined })}.${part(on.claims)}.AAAA`],
  [120, 'HS256 keyed by the public PEM', (on) => hs256(on, pemOf(on.rsa))],
  [120, 'HS256 keyed by the public PEM without its last line end', (on) => hs256(on, pemOf(on.rsa).trimEnd())],
  [120, 'HS256 keyed by the public JWK', (on) => hs256(on, JSON.stringify(on.rsa))],
  [120, 'HS256 keyed by nothing', (on) => hs256(on, '')],
  [120, 'a foreign key under our kid', (on) => own(on, {})],
  [120, 'an embedded jwk', (on) => own(on, { jwk: jwk(OWN.publicKey) })],
  [120, 'an embedded jwk and no kid', (on) => own(on, { kid: undefined, jwk: jwk(OWN.publicKey) })],
  [120, 'a jku', (on) => own(on, { kid: 'sink', jku: SINK })],
  [120, 'an x5u', (on) => own(on, { kid: 'sink', x5u: SINK })],
  [120, 'an x5c', (on) => own(on, { x5c: [OWN.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] })],
  [120, 'a kid with a path', (on) => own(on, { kid: '../../etc/passwd' })],
  [120, 'a kid with a quote', (on) => own(on, { kid: "' or 1=1; --" })],
  [120, 'a kid that is an address', (on) => own(on, { kid: SINK })],
  [120, 'a kid that is no text', (on) => own(on, { kid: { toString: 'x' } })],
  [120, 'a kid of an inherited property', (on) => own(on, { kid: '__proto__' })],
  [120, 'a critical header that nobody knows', (on) => own(on, { crit: ['exp'], exp: 1 })],
  [120, 'b64:false', (on) => own(on, { crit: ['b64'], b64: false })],
  [120, 'zip', (on) => own(on, { zip: 'DEF' })],
  [
    120,
    'an ES256 signature of zeros',
    (on) =>
      `${part({ ...on.header, alg: 'ES256', kid: on.ec.kid })}.${part(on.claims)}.${Buffer.alloc(64).toString('base64url')}`,
  ],
  [
    120,
    'an ES256 signature in DER',
    (on) => `${part({ ...on.header, alg: 'ES256', kid: on.ec.kid })}.${part(on.claims)}.MAYCAQACAQA`,
  ],
  [
    121,
    'PBES2 with a huge count',
    (on) =>
      `${part({ ...on.header, alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_147_483_647, p2s: random() })}.${random()}.${'A'.repeat(16)}.AAAA.${'A'.repeat(22)}`,
  ],
  [
    121,
    'PBES2 with a huge count in the form of a JWS',
    (on) =>
      `${part({ ...on.header, alg: 'PBES2-HS256+A128KW', p2c: 2_147_483_647, p2s: random() })}.${part(on.claims)}.AAAA`,
  ],
  [121, 'a compressed JWE for our own public key', bomb],
  [
    121,
    'a JWE by dir',
    (on) => `${part({ ...on.header, alg: 'dir', enc: 'A128GCM' })}..${'A'.repeat(16)}.AAAA.${'A'.repeat(22)}`,
  ],
  [121, 'a nested JWT', (on) => own({ ...on, claims: { jwt: own(on, {}) } }, { cty: 'JWT' })],
];

const keysOf = async () => {
  const { keys } = await fetchJwks(on.first);
  const keyFor = (alg: string) => keys.find((key) => key.alg === alg) as Jwk;
  return { rsa: keyFor('RS256'), ec: keyFor('ES256') };
};
const hintGround = async (id: Verified): Promise<Ground> => ({
  claims: id.payload,
  header: id.header,
  ...(await keysOf()),
});

for (const [number, title, forge] of FORGERIES) {
  // Two loops would hide the numbers from the matrix: titles are read from the source.
  const run = number === 120 ? verification : encryption;
  run(title, forge);
}
function verification(title: string, forge: (ground: Ground) => string) {
  test(`security 120, RFC 8725 §3.1, §3.10: ${title} proves nothing, wherever it is sent`, (t) =>
    proveNothing(t, forge));
}
function encryption(title: string, forge: (ground: Ground) => string) {
  test(`security 121, RFC 8725 §3.6: ${title} is refused unread, wherever it is sent`, (t) => proveNothing(t, forge));
}

async function proveNothing(t: ExecutionContext, forge: (ground: Ground) => string): Promise<void> {
  const { browser } = await signedInReader(on.server);
  const { id, tokens } = await completeFlow(on.first, browser);
  const hint = forge(await hintGround(id));
  t.not(hint, tokens.id_token);
  const asked = await on.first.authorize(browser, { id_token_hint: hint });
  // A hint too long for an address is refused before it is looked at.
  if (asked.answer) t.is(asked.answer.get('error'), 'invalid_request');
  else t.true(asked.last.status >= 400 && asked.last.status < 500);

  const out = { id_token_hint: hint, post_logout_redirect_uri: AFTER_LOGOUT, state: 's' };
  const ended = await walk(browser, `${ISSUER}/oauth/end_session?${encode(out)}`);
  t.is(ended.to, null, 'no redirect');
  t.true(ended.pages.includes('end-session') || ended.last.status >= 400);
  t.is((await browser.me(ISSUER)).status, 200, 'and nobody is signed out');

  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'keyed', sub: 'keyed', aud: ISSUER, iat: now, exp: now + 60, jti: random() };
  const known = { rsa: { ...jwk(RSA.publicKey), kid: 'r1' }, ec: { ...jwk(EC.publicKey), kid: 'e1' } };
  const assertion = forge({ claims, header: { alg: 'RS256', kid: 'r1', typ: 'JWT' }, ...known } as unknown as Ground);
  checkTokenError(await assert(assertion), 'invalid_client');

  t.deepEqual(hits, []);
}

const assert = (assertion: string): Promise<Answer> =>
  keyed.post('/oauth/token', {
    grant_type: 'client_credentials',
    client_id: 'keyed',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });

test('security 120, RFC 8725 §3.11, §3.12: a JWT of one kind is none of another: the types are told apart, also under the right key', async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const claims = () => ({ iss: 'keyed', sub: 'keyed', aud: ISSUER, iat: now, exp: now + 60, jti: random() });
  const sign = (typ: string | undefined) => signJws({ alg: 'RS256', kid: 'r1', typ }, claims(), RSA.privateKey);
  for (const typ of [undefined, 'JWT', 'client-authentication+jwt']) t.is((await assert(sign(typ))).status, 200, typ);
  for (const typ of ['dpop+jwt', 'at+jwt', 'logout+jwt', 'secevent+jwt'])
    checkTokenError(await assert(sign(typ)), 'invalid_client');
  const { browser } = await signedInReader(on.server);
  const { tokens } = await completeFlow(on.first, browser);
  const inPlaceOf = async (token: string) => [
    (await on.first.userinfo(token)).status,
    (await on.first.post('/oauth/introspect', { token })).text,
  ];
  t.deepEqual(await inPlaceOf(tokens.id_token), [401, '{"active":false}']);
  checkTokenError(await on.first.refresh(tokens.access_token), 'invalid_grant');
});

for (const [title, proof] of [
  [
    'alg none',
    (claims: unknown) => `${part({ typ: 'dpop+jwt', alg: 'none', jwk: jwk(OWN.publicKey) })}.${part(claims)}.`,
  ],
  [
    'HS256 by a key in the header',
    (claims: unknown) => {
      const data = `${part({ typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } })}.${part(claims)}`;
      return `${data}.${createHmac('sha256', Buffer.alloc(3)).update(data).digest('base64url')}`;
    },
  ],
  [
    'another key than the one that signed',
    (claims: unknown) => signJws({ typ: 'dpop+jwt', alg: 'RS256', jwk: jwk(RSA.publicKey) }, claims, OWN.privateKey),
  ],
  [
    'a jku instead of a key',
    (claims: unknown) => signJws({ typ: 'dpop+jwt', alg: 'RS256', jku: SINK }, claims, OWN.privateKey),
  ],
  [
    'another type',
    (claims: unknown) => signJws({ typ: 'JWT', alg: 'RS256', jwk: jwk(OWN.publicKey) }, claims, OWN.privateKey),
  ],
  [
    'a private key',
    (claims: unknown) => signJws({ typ: 'dpop+jwt', alg: 'RS256', jwk: jwk(OWN.privateKey) }, claims, OWN.privateKey),
  ],
] as const) {
  test(`security 120, RFC 9449 §4.3: a DPoP proof with ${title} is invalid_dpop_proof`, async (t) => {
    const { answer } = await on.first.authorize((await signedInReader(on.server)).browser);
    const claims = { jti: random(), htm: 'POST', htu: `${ISSUER}/oauth/token`, iat: Math.floor(Date.now() / 1000) };
    checkTokenError(await on.first.redeem(answer?.get('code'), {}, { DPoP: proof(claims) }), 'invalid_dpop_proof');
    t.deepEqual(hits, []);
  });
}

// Every way in which an answer of an authenticator can be wrong: refused, always with the same words, and never as our fault.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { createKey, type Twist, useKey } from '../support/authenticator.ts';
import type { Answer, Browser } from '../support/browser.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { begin, PASSKEYS, passkeyReader, prove, signedInReader } from './passkey_setup.ts';
import { passFirst } from './setup.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const NEWS = originOf('news');
const WORDS = 'The passkey was not accepted. Try again, or sign in another way.';

function refused(t: import('ava').ExecutionContext, answer: Answer) {
  t.is(answer.status, 401, answer.text);
  t.is(answer.json().message, WORDS);
  t.false(answer.cookies.some((line) => /^(__Host-)?qt-auth=./.test(line)));
}

const TWISTS: [string, Twist][] = [
  ['the origin of another site', { origin: 'https://evil.example' }],
  ['the origin of a sister site, where it was not begun', { origin: originOf('sports') }],
  ['the origin with another scheme', { origin: NEWS.replace('http:', 'https:') }],
  ['the id of another relying party', { rpId: 'news.test.localhost' }],
  ['the type of a registration', { type: 'webauthn.create' }],
  ['a challenge of its own', { challenge: randomBytes(32).toString('base64url') }],
  ['an empty challenge', { challenge: '' }],
  ['a frame in another site', { crossOrigin: true }],
  ['nobody present', { isPresent: false }],
  ['nobody verified', { isVerified: false }],
  ['the user handle of nobody', { userHandle: randomBytes(32).toString('base64url') }],
  ['no user handle', { userHandle: null }],
  ['a key that may suddenly be copied', { isSynced: true }],
  ['authenticator data that is garbage', { garbage: randomBytes(37) }],
  ['authenticator data of one byte', { garbage: Buffer.from([1]) }],
  [
    'authenticator data with a CBOR bomb',
    { garbage: Buffer.concat([randomBytes(32), Buffer.from([0x85, 0, 0, 0, 1]), Buffer.alloc(2000, 0x9f)]) },
  ],
  ['another id inside', { more: { rawId: 'AAAA' } }],
  ['a credential id that nobody has', { more: { id: 'AAAA', rawId: 'AAAA' } }],
  ['an id of 100 KB', { more: { id: 'A'.repeat(60_000) } }],
  ['an id that is no base64url', { more: { id: '=!?', rawId: '=!?' } }],
  ['another type of credential', { more: { type: 'password' } }],
  ['no response', { more: { response: null } }],
  ['a response of numbers', { more: { response: { clientDataJSON: 1, authenticatorData: [], signature: {} } } }],
  [
    'client data that is no JSON',
    { more: { response: { clientDataJSON: 'AAAA', authenticatorData: 'AAAA', signature: 'AAAA' } } },
  ],
];
for (const [what, twist] of TWISTS) {
  test(`security 168: a sign-in with ${what} is refused like every other`, async (t) => {
    const { key, account } = await passkeyReader(server);
    const browser = server.browser();
    refused(t, await prove(browser, key, twist));
    t.is((await browser.me(NEWS)).status, 401);
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 1, 'only the one that made the passkey');
  });
}

test('security 168: a signature of another key is refused', async (t) => {
  const [one, other] = [await passkeyReader(server), await passkeyReader(server)];
  refused(t, await prove(server.browser(), one.key, { signedBy: other.key.privateKey }));
});

test('security 168: an answer is looked at once; whatever was wrong with it, its challenge is used up', async (t) => {
  const { key } = await passkeyReader(server);
  const browser = server.browser();
  const { ceremony, options } = await begin(browser, 'sign-in');
  const send = (response: unknown) => browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response });
  const right = useKey(key, options, NEWS);
  refused(t, await send({ nothing: 'of the kind' }));
  refused(t, await send(right));

  const again = server.browser();
  const begun = await begin(again, 'sign-in');
  const response = useKey(key, begun.options, NEWS);
  const replay = () => again.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony: begun.ceremony, response });
  t.is((await replay()).status, 200);
  refused(t, await replay());
});

test('security 168: a challenge counts in the browser that it was given to, and nobody else can use it up', async (t) => {
  const { key } = await passkeyReader(server);
  const browser = server.browser();
  const { ceremony, options } = await begin(browser, 'sign-in');
  const response = useKey(key, options, NEWS);
  const stranger = server.browser();
  await begin(stranger, 'sign-in');
  refused(t, await stranger.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response }));
  refused(t, await server.browser().post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response }));
  t.is((await browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response })).status, 200);
});

test('security 168: a challenge of one purpose is none of another', async (t) => {
  const { account, browser, key } = await passkeyReader(server);
  const register = await begin(browser, '');
  const response = useKey(key, { challenge: register.options.challenge, rpId: register.options.rp.id }, NEWS);
  refused(t, await browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony: register.ceremony, response }));
  refused(t, await browser.post(`${NEWS}${PASSKEYS}/re-authenticate`, { ceremony: register.ceremony, response }));
  const half = server.browser();
  await passFirst(half, account);
  const second = await begin(half, 'second-factor');
  const proof = useKey(key, second.options, NEWS);
  refused(t, await half.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony: second.ceremony, response: proof }));
  const signIn = await begin(half, 'sign-in');
  const other = useKey(key, signIn.options, NEWS);
  refused(t, await half.post(`${NEWS}${PASSKEYS}/second-factor`, { ceremony: signIn.ceremony, response: other }));
});

test("security 168: somebody else's passkey is no second factor and confirms nobody", async (t) => {
  const [one, other] = [await passkeyReader(server), await passkeyReader(server)];
  const half = server.browser();
  await passFirst(half, one.account);
  refused(t, await prove(half, other.key, { path: 'second-factor' }));
  refused(t, await prove(half, one.key, { path: 'second-factor', userHandle: other.key.userHandle }));
  t.is((await half.me(NEWS)).status, 401);
  refused(t, await prove(one.browser, other.key, { path: 're-authenticate' }));
  t.is((await prove(half, one.key, { path: 'second-factor' })).status, 200);
});

test('security 168: after five wrong passkeys the first factor has to be proven again', async (t) => {
  const { account, key } = await passkeyReader(server);
  const half = server.browser();
  await passFirst(half, account);
  for (let tries = 0; tries < 5; tries++)
    refused(t, await prove(half, key, { path: 'second-factor', isPresent: false }));
  await t.throwsAsync(begin(half, 'second-factor'), { message: /^401/ });
});

test('security 168: a challenge is over after five minutes', async (t) => {
  const { key } = await passkeyReader(server);
  const browser = server.browser();
  const { ceremony, options } = await begin(browser, 'sign-in');
  const { db } = server.services;
  const { rows } = await db.builder.raw(
    'select max(extract(epoch from expires_at - causeway_now())) as seconds from passkey_ceremonies',
  );
  t.true(Number(rows[0].seconds) <= 300);
  await db
    .builder('passkey_ceremonies')
    .where({ challenge: Buffer.from(options.challenge, 'base64url') })
    .update({ expires_at: db.builder.raw("causeway_now() - interval '1 second'") });
  refused(t, await browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response: useKey(key, options, NEWS) }));
});

test('security 168: a counter that does not grow is refused and noted: a copy of the key may be about', async (t) => {
  const { account, key } = await passkeyReader(server, { signCount: 5 });
  t.is((await prove(server.browser(), key)).status, 200);
  t.is(key.signCount, 6);
  for (const signCount of [6, 5, 0]) refused(t, await prove(server.browser(), key, { signCount }));
  const events = await server.services.audit.listOf(server.services.db, account.id);
  t.is(events.filter(({ type }) => type === 'passkey.suspected').length, 3);
  t.is((await prove(server.browser(), key)).status, 200, 'the one with the right counter goes on');
});

test('security 168: limits of size are refusals too', async (t) => {
  const { key } = await passkeyReader(server);
  const huge = await prove(server.browser(), key, { more: { filler: 'x'.repeat(200_000) } });
  t.is(huge.status, 413);
  for (const body of [
    {},
    { ceremony: 1 },
    { ceremony: 'x' },
    { ceremony: 'x'.repeat(101), response: {} },
    { ceremony: 'x', response: 'text' },
  ])
    t.is((await server.browser().post(`${NEWS}${PASSKEYS}/sign-in`, body)).status, 400, JSON.stringify(body));
  refused(t, await server.browser().post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony: 'x', response: {} }));
});

// ------------------------------------------------------------------------------------------------ registration

type Making = Parameters<typeof createKey>[2];
const add = async (browser: Browser, twist: Making = {}, site: 'news' | 'sports' = 'news') => {
  const { ceremony, options } = await begin(browser, '', site);
  const { key, response } = createKey(options, originOf(site), twist);
  const answer = await browser.post(`${originOf(site)}${PASSKEYS}`, { ceremony, response, name: 'x' });
  return { key, answer, ceremony, response };
};
const REGISTRATIONS: [string, Making][] = [
  ['the origin of another site', { origin: 'https://evil.example' }],
  ['the id of another relying party', { rpId: 'evil.example' }],
  ['the type of an assertion', { type: 'webauthn.get' }],
  ['a challenge of its own', { challenge: 'AAAA' }],
  ['nobody present', { isPresent: false }],
  ['an algorithm that was not offered', { algorithm: 'ES384' }],
  ['garbage for CBOR', { garbage: randomBytes(300) }],
  ['CBOR that is a number', { garbage: Buffer.from([0x01]) }],
  ['CBOR nested without end', { garbage: Buffer.alloc(9000, 0x81) }],
  ['an attestation that nobody asked for', { format: 'tpm' }],
  ['a frame in another site', { crossOrigin: true }],
  ['another id outside', { more: { id: 'AAAA', rawId: 'AAAA' } }],
  ['an id of more than 1,023 bytes', { id: randomBytes(1024) }],
];
for (const [what, twist] of REGISTRATIONS) {
  test(`security 168: a new passkey with ${what} is not added`, async (t) => {
    const { account, browser } = await signedInReader(server);
    const { answer } = await add(browser, twist);
    t.is(answer.status, 400, answer.text);
    t.is(answer.json().message, 'The passkey could not be added. Ask for new options and try again.');
    t.is(await countRows(server, 'passkeys', { account_id: account.id }), 0);
    t.is((await browser.me(NEWS)).json().user['is-tfa-enabled'], false);
  });
}

test('security 168: a credential id belongs to one account for good', async (t) => {
  const { key } = await passkeyReader(server);
  const other = await signedInReader(server);
  t.is((await add(other.browser, { id: key.id })).answer.status, 400);
  t.is((await prove(server.browser(), key)).status, 200, 'and its owner keeps it');
});

test('security 168: a registration belongs to the session that began it', async (t) => {
  const [one, other] = [await signedInReader(server), await signedInReader(server)];
  const { ceremony, options } = await begin(one.browser, '');
  const { response } = createKey(options, NEWS);
  const cookie = one.browser.jarOf('news.test.localhost').get('__Host-qt-passkey') as string;
  other.browser.jarOf('news.test.localhost').set('__Host-qt-passkey', cookie);
  t.is((await other.browser.post(`${NEWS}${PASSKEYS}`, { ceremony, response, name: 'x' })).status, 400);
  t.is(await countRows(server, 'passkeys', { account_id: other.account.id }), 0);
  t.is(await countRows(server, 'passkeys', { account_id: one.account.id }), 0);
});

test('security 166, 168: nobody has more than twenty passkeys', async (t) => {
  const { browser } = await signedInReader(server);
  for (let count = 0; count < 20; count++) t.is((await add(browser)).answer.status, 200);
  t.is((await add(browser)).answer.status, 400);
});

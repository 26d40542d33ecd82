// RP-initiated logout as a table: what sends the reader back, what only signs out, what asks first. Asking ends nothing.

import { generateKeyPairSync } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { AFTER_LOGOUT, completeFlow, startConformance } from '../../support/conformance.ts';
import {
  encode,
  ISSUER,
  type Parameters,
  putClients,
  signedInReader,
  signJws,
  walk,
} from '../../support/relying_party.ts';
import { beginSession, keepIn } from '../../support/signed_in.ts';

const on = await startConformance();
await putClients(on.server, [
  { id: 'other-uri', require_pkce: false, consent: 'implied', post_logout_redirect_uris: ['https://rp.example/bye'] },
]);
test.after.always(() => on.server.close());
const END = `${ISSUER}/oauth/end_session`;
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const FOREIGN = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A reader with a session of their own, an ID token of it, and the ID tokens of another session and another reader. */
async function ready() {
  const { account, browser } = await signedInReader(on.server);
  const done = await completeFlow(on.first, browser);
  const elsewhere = on.server.browser();
  keepIn(elsewhere, await beginSession(on.server, account, ['auth']));
  const stranger = await signedInReader(on.server);
  return {
    browser,
    done,
    own: done.tokens.id_token,
    ofOtherSession: (await completeFlow(on.first, elsewhere)).tokens.id_token,
    ofOtherReader: (await completeFlow(on.first, stranger.browser)).tokens.id_token,
    others: [elsewhere, stranger.browser],
  };
}
type Ready = Awaited<ReturnType<typeof ready>>;

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = ({ done }: Ready) => `${part({ alg: 'none', typ: 'JWT' })}.${part(done.id.payload)}.`;
const foreign = ({ done }: Ready) =>
  signJws({ alg: 'RS256', kid: done.id.header['kid'], typ: 'JWT' }, done.id.payload, FOREIGN.privateKey);

/** Sent back to the client, signed out here, or asked first and then led there. */
type Expected = { to: string } | 'signed-out' | { asks: string };
const HERE = { asks: `${ISSUER}/signed-out` };
/** A hint that is ours proves whose URI it is, so that may be followed once the reader has said yes. */
const BACK = { asks: AFTER_LOGOUT };
const cases: [number: 127 | 128, title: string, sent: (of: Ready) => Parameters, expected: Expected][] = [
  [
    127,
    'own hint, registered URI, state',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: AFTER_LOGOUT, state: 'a b&c=é' }),
    { to: `${AFTER_LOGOUT}?${encode({ state: 'a b&c=é' })}` },
  ],
  [
    127,
    'own hint, registered URI, no state',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: AFTER_LOGOUT }),
    { to: AFTER_LOGOUT },
  ],
  [
    127,
    'own hint, registered URI, its client_id',
    ({ own }) => ({ id_token_hint: own, client_id: 'first', post_logout_redirect_uri: AFTER_LOGOUT }),
    { to: AFTER_LOGOUT },
  ],
  [127, 'own hint alone', ({ own }) => ({ id_token_hint: own }), 'signed-out'],
  [
    127,
    'own hint, a URI of nobody',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: 'https://evil.example/out', state: 's' }),
    'signed-out',
  ],
  [
    127,
    'own hint, a URI with a query more',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: `${AFTER_LOGOUT}?a=1`, state: 's' }),
    'signed-out',
  ],
  [
    127,
    'own hint, a URI with a fragment',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: `${AFTER_LOGOUT}#a`, state: 's' }),
    'signed-out',
  ],
  [
    127,
    'own hint, a URI with a slash more',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: `${AFTER_LOGOUT}/`, state: 's' }),
    'signed-out',
  ],
  [
    127,
    'own hint, a URI that another client registered',
    ({ own }) => ({ id_token_hint: own, post_logout_redirect_uri: 'https://rp.example/bye' }),
    'signed-out',
  ],
  [
    127,
    'own hint, the client_id of another client',
    ({ own }) => ({ id_token_hint: own, client_id: 'other-uri', post_logout_redirect_uri: 'https://rp.example/bye' }),
    'signed-out',
  ],
  [
    127,
    'a hint by alg none',
    (of) => ({ id_token_hint: unsigned(of), post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    HERE,
  ],
  [
    127,
    'a hint signed by a foreign key',
    (of) => ({ id_token_hint: foreign(of), post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    HERE,
  ],
  [
    127,
    'a hint that is none',
    () => ({ id_token_hint: 'x', post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    HERE,
  ],
  [
    127,
    'an access token as hint',
    ({ done }) => ({ id_token_hint: done.tokens.access_token, post_logout_redirect_uri: AFTER_LOGOUT }),
    HERE,
  ],
  [127, 'no hint, a registered URI', () => ({ post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }), HERE],
  [
    127,
    'no hint, a registered URI and its client_id',
    () => ({ client_id: 'first', post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    HERE,
  ],
  [127, 'only a state', () => ({ state: 's' }), HERE],
  [128, 'nothing at all', () => ({}), HERE],
  [
    128,
    'the hint of another session of the same reader',
    ({ ofOtherSession }) => ({ id_token_hint: ofOtherSession, post_logout_redirect_uri: AFTER_LOGOUT }),
    BACK,
  ],
  [
    128,
    'the hint of another reader',
    ({ ofOtherReader }) => ({ id_token_hint: ofOtherReader, post_logout_redirect_uri: AFTER_LOGOUT }),
    BACK,
  ],
  [128, 'a logout_hint with the name of the reader', () => ({ logout_hint: 'reader@example.com' }), HERE],
];

async function sendOff(of: Ready, method: 'GET' | 'POST', parameters: Parameters) {
  if (method === 'GET') return walk(of.browser, `${END}?${encode(parameters)}`);
  // A form of another site: the session's cookies do not come with it.
  const posted = await of.browser.navigate(END, {
    method: 'POST',
    from: 'https://evil.example/',
    cookies: null,
    headers: FORM,
    body: encode(parameters),
  });
  return walk(of.browser, new URL(posted.location ?? '', END).href);
}

const isSignedIn = async (browser: Ready['browser']) => (await browser.me(ISSUER)).status === 200;

async function play(t: ExecutionContext, sent: (of: Ready) => Parameters, expected: Expected) {
  for (const method of ['GET', 'POST'] as const) {
    const of = await ready();
    const outcome = await sendOff(of, method, sent(of));
    if (typeof expected === 'object' && 'asks' in expected) {
      t.deepEqual([outcome.to, outcome.pages], [null, ['end-session']], method);
      t.true(await isSignedIn(of.browser), 'asking has ended nothing');
      const confirmed = await of.browser.submit(outcome.last, {});
      t.is(new URL(confirmed.location ?? '', END).href, expected.asks, 'after the yes');
    } else if (expected === 'signed-out')
      t.deepEqual([outcome.to, outcome.last.url], [null, `${ISSUER}/signed-out`], method);
    else t.is(outcome.to, expected.to, method);
    t.false(await isSignedIn(of.browser), method);
    for (const other of of.others) t.true(await isSignedIn(other), 'nobody else is signed out');
  }
}

for (const [number, title, sent, expected] of cases) {
  const outcome = expected === 'signed-out' ? expected : 'to' in expected ? 'back to the client' : 'asks';
  // Titles are read from the source, so each number has a line of its own.
  if (number === 127)
    test(`security 127, OpenID Connect RP-Initiated Logout §2, §3: ${title}: ${outcome}, by GET and POST`, (t) =>
      play(t, sent, expected));
  else
    test(`security 128, OpenID Connect RP-Initiated Logout §2, §6: ${title}: asks, by GET and POST`, (t) =>
      play(t, sent, expected));
}

test('security 128, OpenID Connect RP-Initiated Logout §6: the page that asks cannot be answered by another site, nor with the token of another browser', async (t) => {
  const of = await ready();
  const other = await ready();
  const asked = await walk(of.browser, END);
  const theirs = await walk(other.browser, END);
  const stolen = /name="csrf_token" value="([^"]+)"/.exec(theirs.last.text)?.[1] ?? '';
  t.truthy(stolen);
  for (const changes of [{ csrf_token: '' }, { csrf_token: 'x' }, { csrf_token: stolen }]) {
    await of.browser.submit(asked.last, changes);
    t.true(await isSignedIn(of.browser));
  }
  const foreign = await of.browser.navigate(`${END}/confirm`, {
    method: 'POST',
    from: 'https://evil.example/',
    headers: { ...FORM, Origin: 'https://evil.example' },
    body: encode({ csrf_token: stolen }),
  });
  t.is(foreign.status, 403);
  t.true(await isSignedIn(of.browser));
});

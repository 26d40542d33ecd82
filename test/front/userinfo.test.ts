// Userinfo in front of the general way: the same answer as there, and nothing answered there that needs a closer look.
// One test after the other: they count who went which way.

import test from 'ava';
import { type Answer, send } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import { createRelyingParty, ISSUER, putClients, signedInReader } from '../support/relying_party.ts';
import { originOf, startBehindForwarder, startTestServer } from '../support/server.ts';

const server = await startTestServer();
const plain = { require_pkce: false, consent: 'implied', scopes: ['openid', 'profile', 'email', 'read'] };
await putClients(server, [
  { id: 'rp', ...plain },
  { id: 'mapped', ...plain, userinfo_mapping: '{who: user.email}' },
]);
test.after.always(() => server.close());
const URL_OF_USERINFO = `${ISSUER}/oauth/userinfo`;

// The general way, and only that, asks in this manner where a request arrived.
let general = 0;
const { realms, clients, db } = server.services;
const { findSite } = realms;
realms.findSite = (host) => {
  general++;
  return findSite(host);
};

async function ask(headers: Record<string, string>, url = URL_OF_USERINFO): Promise<Answer & { isInFront: boolean }> {
  const before = general;
  const answer = await send(server.port, url, { headers });
  return { ...answer, isInFront: general === before };
}

/** Until it is answered in front: a node on a busy machine may be without its lease for a moment. */
async function inFront(headers: Record<string, string>): Promise<Answer> {
  let answer: Answer | undefined;
  await until(async () => {
    const got = await ask(headers);
    answer = got;
    return got.isInFront;
  });
  return answer as Answer;
}

async function tokenFor(id: string, scope: string): Promise<{ token: string; email: string }> {
  const { account, browser } = await signedInReader(server, [server.port]);
  const party = createRelyingParty(server, id, { ports: [server.port] });
  const code = (await party.authorize(browser, { scope })).answer?.get('code') ?? '';
  return { token: String((await party.redeem(code)).json().access_token), email: String(account.email) };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
/** An answer without what chance puts into it. */
function comparable({ status, headers, text }: Answer) {
  const { date: _date, 'x-request-id': id, ...rest } = headers;
  return { status, headers: rest, text, hasId: /^[\w-]{12}$/.test(String(id)) };
}

test.serial('OIDC Core §5.3.2: in front, userinfo is letter by letter the answer of the general way', async (t) => {
  const { token, email } = await tokenFor('rp', 'openid profile email');
  const quick = await inFront(bearer(token));
  // A header that the general way alone judges, and that changes nothing of the answer.
  const careful = await ask({ ...bearer(token), DPoP: 'unused' });
  t.false(careful.isInFront);
  t.is(quick.json().email, email);
  t.deepEqual(comparable(quick), comparable(careful));
});

test.serial('in front, userinfo answers nothing that needs a closer look', async (t) => {
  const { token } = await tokenFor('rp', 'openid');
  const [other, mapped] = [await tokenFor('rp', 'read'), await tokenFor('mapped', 'openid email')];
  await inFront(bearer(token));
  const cases: [what: string, headers: Record<string, string>, status: number, url?: string][] = [
    ['no token', {}, 401],
    ['another scheme', { Authorization: `DPoP ${token}` }, 401],
    ['a token that nobody has', bearer(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`), 401],
    ['a token without openid', bearer(other.token), 403],
    ['a page of another origin', { ...bearer(token), Origin: 'https://evil.example' }, 200],
    ['a part of a page', { ...bearer(token), 'Sec-Fetch-Dest': 'script' }, 200],
    ['a mapping', bearer(mapped.token), 200],
    ['another host', bearer(token), 404, `${originOf('news')}/oauth/userinfo`],
  ];
  for (const [what, headers, status, url] of cases) {
    // Twice: the second time it is in memory.
    for (const time of [1, 2]) {
      const answer = await ask(headers, url);
      t.deepEqual(
        { status: answer.status, isInFront: answer.isInFront },
        { status, isInFront: false },
        `${what} ${time}`,
      );
      t.is(answer.headers['access-control-allow-origin'], undefined, what);
    }
  }
});

test.serial(
  'reliability R-20: a token that is just being revoked is called revoked by nobody before every node knows',
  async (t) => {
    const { node: deaf, forwarder } = await startBehindForwarder(t, server);
    const { token } = await tokenFor('rp', 'openid');
    const askDeaf = () => send(deaf.port, URL_OF_USERINFO, { headers: bearer(token) });
    const realm = await server.realm();
    const isKnown = () => deaf.services.provider.peekActive(realm, token) !== null;
    await until(async () => (await askDeaf()).status === 200 && isKnown());
    const revoke = () => createRelyingParty(server, 'rp', { ports: [server.port] }).post('/oauth/revoke', { token });
    forwarder.deafen(true);
    const first = revoke();
    await until(async () => (await ask(bearer(token))).status === 401);
    t.is((await revoke()).status, 200);
    t.is((await askDeaf()).status, 401);
    t.is((await first).status, 200);
  },
);

test.serial(
  'in front, a token counts for nothing once it is revoked, its reader disabled or its client switched off',
  async (t) => {
    const endings: [what: string, end: (held: { token: string; email: string }) => Promise<unknown>, status: number][] =
      [
        ['revoked', ({ token }) => createRelyingParty(server, 'rp').post('/oauth/revoke', { token }), 401],
        [
          'disabled',
          ({ email }) =>
            db.transaction((q) => q.builder('accounts').where({ email }).update({ disabled_at: new Date() })),
          401,
        ],
        [
          'switched off',
          () =>
            db.transaction(async (q) => {
              await clients.setDisabled(q, (await server.realm()).id, 'rp', true);
              await realms.announce(q);
            }),
          401,
        ],
      ];
    for (const [what, end, status] of endings) {
      const held = await tokenFor('rp', 'openid');
      await inFront(bearer(held.token));
      await end(held);
      // A client's change is announced to the nodes; all else holds from the moment it is acknowledged.
      if (what === 'switched off') await until(async () => (await ask(bearer(held.token))).status !== 200);
      const answer = await ask(bearer(held.token));
      t.deepEqual([answer.status, answer.isInFront], [status, false], what);
    }
  },
);

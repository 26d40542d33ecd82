// Access tokens in the memory of two nodes over one database: asking costs no round trip, and whatever ends a token on one node
// holds on the other from the moment it is acknowledged. One after the other: what is sent is listened to.

import test from 'ava';
import { deleteFamiliesBefore } from '../../server/oauth/oauth.ts';
import { REALM } from '../support/conformance.ts';
import { until } from '../support/raw.ts';
import { createRelyingParty, putClients, type RelyingParty, signedInReader } from '../support/relying_party.ts';
import { listenToStatements } from '../support/sent.ts';
import { startTestServer } from '../support/server.ts';

const sentBy = listenToStatements();
const one = await startTestServer({ yaml: REALM });
const two = await startTestServer({ database: one.database });
const forgetful = await startTestServer({ database: one.database, env: { CAUSEWAY_SESSION_MEMORY: '0' } });
const plain = { require_pkce: false, scopes: ['openid', 'email', 'offline_access'] };
await putClients(one, [
  { id: 'rp', ...plain, consent: 'implied' },
  { id: 'asking', ...plain },
  { id: 'leaving', ...plain, consent: 'implied' },
  { id: 'robot', ...plain, scopes: ['read'], grant_types: ['client_credentials'] },
]);
const { db, provider, sessions, clients, realms } = one.services;
const realm = await one.realm();
test.after.always(async () => {
  for (const server of [forgetful, two, one]) await server.close();
});

type Tokens = { access_token: string; refresh_token: string };
type Held = {
  tokens: Tokens;
  code: string;
  here: RelyingParty;
  account: { id: string; realmId: string };
  signedIn: Parameters<typeof provider.withdrawConsent>[0];
};
const at = (server: typeof one, id: string) => createRelyingParty(server, id, { ports: [server.port] });

/** Tokens of a reader, made and used on the first node, then used on the second until it answers from memory. */
async function begin(id: string): Promise<Held & { there: RelyingParty }> {
  const [here, there] = [at(one, id), at(two, id)];
  const { account, browser } = await signedInReader(one, [one.port]);
  const code = (await here.authorize(browser, { scope: 'openid email' })).answer?.get('code') ?? '';
  const tokens: Tokens = (await here.redeem(code)).json();
  const [session] = await db.builder('sessions').where({ account_id: account.id }).select('id');
  const use = async () => void (await there.userinfo(tokens.access_token));
  await use();
  return { tokens, code, here, there, account, signedIn: { account, session } as unknown as Held['signedIn'] };
}

/** Until it is answered without a statement: a node on a busy machine may be without its lease for a moment. */
const untilFromMemory = (ask: () => Promise<unknown>) => until(async () => (await sentBy(ask)).length === 0);

test.serial('userinfo and introspection ask the database once, and then answer from memory', async (t) => {
  const { tokens, there } = await begin('rp');
  const ask = async () => {
    t.is((await there.userinfo(tokens.access_token)).status, 200);
    t.is((await there.post('/oauth/introspect', { token: tokens.access_token })).json().active, true);
  };
  await untilFromMemory(ask);
  const idle = at(forgetful, 'rp');
  const read = 'oauth.find_active_tokens';
  t.deepEqual(await sentBy(() => idle.userinfo(tokens.access_token)), [read]);
  t.deepEqual(
    await sentBy(() => idle.userinfo(tokens.access_token)),
    [read],
    'where no memory is wanted, none is used',
  );
});

test.serial('a token of a client itself is kept, too, and gone when it is revoked', async (t) => {
  const [here, there] = [at(one, 'robot'), at(two, 'robot')];
  const { access_token: token } = (await here.token({ grant_type: 'client_credentials', scope: 'read' })).json();
  const isActive = async () => (await there.post('/oauth/introspect', { token })).json().active;
  t.true(await isActive());
  await untilFromMemory(async () => t.true(await isActive()));
  t.is((await here.post('/oauth/revoke', { token })).status, 200);
  t.false(await isActive());
});

const endings: Record<string, { id?: string; end: (held: Held) => Promise<unknown> }> = {
  'the token is revoked': { end: ({ here, tokens }) => here.post('/oauth/revoke', { token: tokens.access_token }) },
  'its refresh token is revoked': {
    end: ({ here, tokens }) => here.post('/oauth/revoke', { token: tokens.refresh_token }),
  },
  'its code is replayed': { end: ({ here, code }) => here.redeem(code) },
  'its refresh token is used again, late': {
    async end({ here, tokens }) {
      const next: Tokens = (await here.refresh(tokens.refresh_token)).json();
      await here.refresh(next.refresh_token);
      await here.refresh(tokens.refresh_token);
    },
  },
  'the reader signs out': {
    end: ({ account }) =>
      db.transaction((q) =>
        sessions.revokeAllOf(
          q,
          { realmId: realm.id, accountId: account.id as never },
          { reason: 'operator', address: null },
        ),
      ),
  },
  'the reader withdraws the consent': {
    id: 'asking',
    async end({ signedIn }) {
      const client = await clients.find(realm.id, 'asking');
      if (client) await provider.withdrawConsent(signedIn, client.id, null);
    },
  },
  'the account is disabled': {
    end: ({ account }) => db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() }),
  },
  'the account is deleted': { end: ({ account }) => db.builder('accounts').where({ id: account.id }).delete() },
  'an operator ends what was granted': {
    end: () => deleteFamiliesBefore(db, realm.id, { before: new Date(Date.now() + 60_000), limit: 1000 }),
  },
  'an operator shortens it by hand': {
    end: ({ account }) =>
      db.builder('token_families').where({ account_id: account.id }).update({ expires_at: new Date() }),
  },
  'an operator removes the client': {
    id: 'leaving',
    end: () =>
      db.transaction(async (q) => {
        await clients.remove(q, realm.id, 'leaving');
        await realms.announce(q);
      }),
  },
};

for (const [title, { id = 'rp', end }] of Object.entries(endings)) {
  test.serial(
    `reliability R-20, security 115: no token is answered for from the memory of another node once ${title}`,
    async (t) => {
      const { there, tokens, ...held } = await begin(id);
      await untilFromMemory(async () => t.is((await there.userinfo(tokens.access_token)).status, 200));
      await end({ tokens, ...held });
      t.is((await there.userinfo(tokens.access_token)).status, 401);
      // (A client that is gone cannot ask.)
      const introspected = await there.post('/oauth/introspect', { token: tokens.access_token });
      t.not(introspected.json().active, true);
    },
  );
}

test.serial('reliability R-20: a changed profile is in the next answer of every node', async (t) => {
  const { there, tokens, account } = await begin('rp');
  const emailOf = async () => (await there.userinfo(tokens.access_token)).json().email;
  const before = await emailOf();
  await db
    .builder('accounts')
    .where({ id: account.id })
    .update({ email: `new-${before}` });
  t.is(await emailOf(), `new-${before}`);
});

import test from 'ava';
import type { Challenge, Purpose } from '../../server/challenges/challenges.ts';
import { MOST_TRIES, PURPOSES } from '../../server/challenges/challenges.ts';
import type { TestServer } from '../support/server.ts';
import { startTestServer } from '../support/server.ts';
import { freshEmail } from './setup.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const { db, challenges } = server.services;

async function make(purpose: Purpose) {
  const account = await server.makeAccount();
  const of = { realmId: account.realmId, accountId: account.id, purpose, recipient: account.email };
  const secrets = await challenges.create(db, of);
  return { account, of, ...secrets };
}
const wrongOf = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');
const check = (on: TestServer, of: Parameters<typeof challenges.checkCode>[0], code: string) =>
  on.services.challenges.checkCode(of, code);
const CODED = (Object.keys(PURPOSES) as Purpose[]).filter((purpose) => PURPOSES[purpose].codeSeconds !== null);
const LINKED = (Object.keys(PURPOSES) as Purpose[]).filter((purpose) => PURPOSES[purpose].linkSeconds !== null);

for (const purpose of CODED) {
  test(`security 149: the sixth guess at a code of ${purpose} is refused, even the right one`, async (t) => {
    const { of, code } = await make(purpose);
    for (let guess = 1; guess <= MOST_TRIES; guess++) t.is(await check(server, of, wrongOf(code)), null);
    t.is(await check(server, of, code), null);
  });

  test(`security 149: a code of ${purpose} answers no other purpose`, async (t) => {
    const { of, code } = await make(purpose);
    for (const other of CODED.filter((one) => one !== purpose))
      t.is(await check(server, { ...of, purpose: other }, code), null, other);
    t.truthy(await check(server, of, code), 'and is still good for its own');
  });
}

test('security 149: of 1,000 guesses at once over two nodes at most five are evaluated', async (t) => {
  const { of, code, account } = await make('one-time-code');
  const guesses = Array.from({ length: 1000 }, (_, index) => String(index).padStart(6, '0')).filter(
    (guess) => guess !== code,
  );
  const found: (Challenge | null)[] = [];
  // In handfuls, as many as connections allow to be truly at once.
  for (let start = 0; start < guesses.length; start += 100) {
    const handful = guesses.slice(start, start + 100);
    found.push(
      ...(await Promise.all(handful.map((guess, index) => check(index % 2 === 0 ? server : second, of, guess)))),
    );
  }
  t.deepEqual(
    found.filter((one) => one !== null),
    [],
  );
  const row = await db.builder('challenges').first('tries').where({ account_id: account.id });
  t.is(Number(row.tries), MOST_TRIES);
  t.is(await check(server, of, code), null, 'the right one comes too late');
});

test('security 149: a code lives ten minutes, by the clock of the database', async (t) => {
  const own = await startTestServer();
  t.teardown(own.close);
  const account = await own.makeAccount();
  const of = { realmId: account.realmId, accountId: account.id, recipient: account.email, purpose: 'sign-in' } as const;
  const { code, token } = await own.services.challenges.create(own.services.db, of);
  await own.database.moveClock(601);
  t.is(await check(own, of, code), null);
  t.is((await own.services.challenges.look(account.realmId, 'sign-in', token)).kind, 'open', 'the link waits longer');
  await own.database.moveClock(1800);
  t.is((await own.services.challenges.look(account.realmId, 'sign-in', token)).kind, 'expired');
});

for (const purpose of LINKED) {
  test(`security 148: a token of ${purpose} is unknown to every other purpose and to another realm`, async (t) => {
    const { of, token } = await make(purpose);
    for (const other of LINKED.filter((one) => one !== purpose))
      t.is((await challenges.look(of.realmId, other, token)).kind, 'unknown', other);
    t.is((await challenges.look('999999' as typeof of.realmId, purpose, token)).kind, 'unknown');
    t.is((await challenges.look(of.realmId, purpose, token)).kind, 'open');
  });
}

test('security 148: links live an hour at most, but the way back of an owner', (t) => {
  for (const purpose of LINKED.filter((one) => one !== 'undo-email-change' && one !== 'sign-up'))
    t.true((PURPOSES[purpose].linkSeconds ?? 0) <= 3600, purpose);
});

test('security 148: looking at a link never uses it up; using it does, once, and its code with it', async (t) => {
  const { of, token, code } = await make('reset-password');
  for (let times = 0; times < 3; times++)
    t.is((await challenges.look(of.realmId, 'reset-password', token)).kind, 'open');
  const looked = await challenges.look(of.realmId, 'reset-password', token);
  if (looked.kind !== 'open') return t.fail();
  t.true(await challenges.consume(db, looked.challenge));
  t.false(await challenges.consume(db, looked.challenge));
  t.is((await challenges.look(of.realmId, 'reset-password', token)).kind, 'consumed');
  t.is(await check(server, of, code), null);
});

test('security 148: a newer challenge voids the older of the same purpose, link and code', async (t) => {
  const { of, token, code } = await make('verify-email');
  const newer = await challenges.create(db, of);
  t.is((await challenges.look(of.realmId, 'verify-email', token)).kind, 'unknown');
  if (code !== newer.code) t.is(await check(server, of, code), null);
  t.truthy(await check(server, of, newer.code));
  t.is((await challenges.look(of.realmId, 'verify-email', newer.token)).kind, 'open');
});

test('security 148: what an account has under way is void after a change, but the way back of its owner', async (t) => {
  const account = await server.makeAccount();
  const tokens = new Map<Purpose, string>();
  for (const purpose of Object.keys(PURPOSES) as Purpose[]) {
    const draft = { realmId: account.realmId, accountId: account.id, purpose, recipient: account.email };
    tokens.set(purpose, (await challenges.create(db, draft)).token);
  }
  await challenges.voidAllOf(db, account.id);
  const left = await db.builder('challenges').pluck('purpose').where({ account_id: account.id });
  t.deepEqual(left, ['undo-email-change']);
});

test('security 148: of 50 uses of one link at once over two nodes one succeeds', async (t) => {
  const { of, token } = await make('verify-email');
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const { services } = index % 2 === 0 ? server : second;
      const looked = await services.challenges.look(of.realmId, 'verify-email', token);
      return looked.kind === 'open' && services.challenges.consume(services.db, looked.challenge);
    }),
  );
  t.is(outcomes.filter(Boolean).length, 1);
});

test('security 148, 149: neither a code nor a token is stored', async (t) => {
  const { account, token, code } = await make('reset-password');
  const row = await db.builder('challenges').first('*').where({ account_id: account.id });
  const stored = JSON.stringify(row, (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value,
  );
  t.false(stored.includes(token));
  t.false(new RegExp(`\\b${code}\\b`).test(stored));
  t.is(row.code_hash.length, 32);
  t.is(row.link_hash.length, 32);
  t.true(Buffer.from(token, 'base64url').length >= 16);
});

test('equal codes of two challenges have different hashes', async (t) => {
  const hashes = new Set<string>();
  for (let index = 0; index < 20; index++) {
    const { account } = await make('one-time-code');
    const row = await db.builder('challenges').first('code_hash').where({ account_id: account.id });
    hashes.add(row.code_hash.toString('hex'));
  }
  t.is(hashes.size, 20);
});

test('a code for somebody without an account is found by the recipient alone', async (t) => {
  const realm = await server.realm();
  const recipient = freshEmail();
  const of = { realmId: realm.id, accountId: null, purpose: 'one-time-code', recipient } as const;
  const { code } = await challenges.create(db, of);
  t.is(await check(server, { ...of, recipient: freshEmail() }, code), null);
  t.is((await check(server, of, code))?.recipient, recipient);
});

test('the code that goes with a link can be shown to whoever has the link', async (t) => {
  const { token, code } = await make('sign-in');
  t.is(challenges.showCode(token), code);
});

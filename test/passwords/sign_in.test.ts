// Signing in with a password whose hash another system made.

import test from 'ava';
import { toStoredHash } from '../../server/passwords/passwords.ts';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { startTestServer } from '../support/server.ts';
import { PASSWORD, VECTORS } from './vectors.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const { db, realms } = server.services;
const OURS = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/;

const login = (email: string, password: string) => postJson(server.port, `${API}/login`, { email, password });
const hashOf = async (id: string) =>
  String((await db.builder('accounts').first('password_hash').where({ id })).password_hash);

async function accountWith(hash: string) {
  const account = await server.makeAccount();
  await db.builder('accounts').where({ id: account.id }).update({ password_hash: hash });
  return account;
}

for (const { from, stored, password = PASSWORD } of VECTORS) {
  test(`whose hash was made by ${from} signs in with the old password, and the hash is ours from then on`, async (t) => {
    const hash = String(toStoredHash({ hash: stored, salt: null }, null));
    const account = await accountWith(hash);
    t.is((await login(account.email, `${password}x`)).status, 401);
    t.is(await hashOf(account.id), hash, 'a wrong password changes nothing');
    t.is((await login(account.email, password)).status, 200);
    t.regex(await hashOf(account.id), OURS);
    t.is((await login(account.email, password)).status, 200, 'and the new hash is right');
  });
}

test('a stored text that is no hash is a wrong password, not an error', async (t) => {
  for (const hash of ['', 'x', '$argon2id$', '$2b$', '$argon2id$v=19$m=19456,t=2,p=1$x$y']) {
    const account = await accountWith(hash);
    t.is((await login(account.email, PASSWORD)).status, 401, hash);
  }
});

test('security 139: where accounts were imported, a try at nobody’s account takes as long as one at theirs and one at ours', async (t) => {
  const hash = '$2b$10$7EqJtq98hPqEX7fNZaFWoOhi5G4i0Gm8Rr2uuGzvnnjF1vG6nqUrm';
  const realm = await server.realm();
  await realms.keepForeignHash(db, realm.id, hash);
  await db.transaction((q) => realms.announce(q));
  const [imported, ours] = [await accountWith(hash), await server.makeAccount()];
  const { passwords } = server.services;
  const tries = { imported: hash, ours: await hashOf(ours.id), nobody: null };
  const times: Record<string, number[]> = { imported: [], ours: [], nobody: [] };
  for (let round = 0; round < 15; round++)
    for (const [who, stored] of Object.entries(tries)) {
      const started = performance.now();
      await passwords.verify(stored, 'a wrong password', { alike: hash });
      times[who]?.push(performance.now() - started);
    }
  const median = (of: string) => (times[of] ?? []).sort((a, b) => a - b)[7] ?? 0;
  for (const who of ['ours', 'nobody']) {
    const ratio = median(who) / median('imported');
    t.true(ratio > 0.6 && ratio < 1.6, `${who}: ${ratio}`);
  }
  t.is((await server.realm()).foreignHash, hash, 'the sign-in is handed it with the realm');
  for (const email of [imported.email, ours.email, 'nobody@example.com'])
    t.is((await login(email, 'a wrong password')).status, 401);
});

// Signing in with a password whose hash another system made, after an import.

import test from 'ava';
import { toStoredHash } from '../../server/passwords/passwords.ts';
import { startImports } from '../imports/setup.ts';
import { API, postJson } from '../support/raw.ts';
import { PASSWORD, VECTORS } from './vectors.ts';

const imports = await startImports();
test.after.always(() => imports.close());
const { server } = imports;
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

const emailOf = (index: number) => `reader-${index}@imported.example`;
/** One file with somebody for each kind of hash. */
const arrived = (async () => {
  const lines = VECTORS.map(({ stored }, index) => JSON.stringify({ email: emailOf(index), password_hash: stored }));
  return imports.run(await imports.file('kinds.jsonl', lines.join('\n')), ['--format', 'jsonl']);
})();

for (const [index, { from, stored, password = PASSWORD }] of VECTORS.entries()) {
  test(`who is imported with a hash of ${from} signs in with the old password, and the hash is ours from then on`, async (t) => {
    const { code, stderr } = await arrived;
    t.is(code, 0, stderr);
    const email = emailOf(index);
    const { id, password_hash: hash } = await imports.accountOf(email);
    t.is(hash, toStoredHash({ hash: stored, salt: null }, null));
    t.is((await login(email, `${password}x`)).status, 401);
    t.is(await hashOf(id), hash, 'a wrong password changes nothing');
    t.is((await login(email, password)).status, 200);
    t.regex(await hashOf(id), OURS);
    t.is((await login(email, password)).status, 200, 'and the new hash is right');
  });
}

test('a stored text that is no hash is a wrong password, not an error', async (t) => {
  for (const hash of ['', 'x', '$argon2id$', '$2b$', '$argon2id$v=19$m=19456,t=2,p=1$x$y']) {
    const account = await accountWith(hash);
    t.is((await login(account.email, PASSWORD)).status, 401, hash);
  }
});

test.serial(
  'security 139: where accounts were imported, a try at nobody’s account takes as long as one at theirs and one at ours',
  async (t) => {
    const hash = '$2b$10$7EqJtq98hPqEX7fNZaFWoOhi5G4i0Gm8Rr2uuGzvnnjF1vG6nqUrm';
    // An import keeps one of its own hashes for this; the latest counts.
    await arrived;
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
    // The quickest of each: what else the machine does can only make one slower.
    const quickest = (of: string) => Math.min(...(times[of] ?? []));
    for (const who of ['ours', 'nobody']) {
      const ratio = quickest(who) / quickest('imported');
      t.true(ratio > 0.6 && ratio < 1.6, `${who}: ${ratio}`);
    }
    t.is((await server.realm()).foreignHash, hash, 'the sign-in is handed it with the realm');
    for (const email of [imported.email, ours.email, 'nobody@example.com'])
      t.is((await login(email, 'a wrong password')).status, 401);
  },
);

// A file of each system, as that system writes it, becomes accounts that sign in with their old passwords.

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PASSWORD } from '../passwords/vectors.ts';
import { FIXTURES, startImports } from './setup.ts';

const imports = await startImports();
test.after.always(() => imports.close());

/** The report is written beside a file, so a copy of it is imported. */
async function fixture(name: string): Promise<string> {
  const path = join(imports.folder, name);
  await copyFile(join(FIXTURES, name), path);
  return path;
}

const OURS = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/;

async function signsInWith(
  t: { is(a: unknown, b: unknown): void; regex(a: string, b: RegExp): void },
  email: string,
  password: string,
) {
  t.is(await imports.signIn(email, `${password}x`), 401);
  t.is(await imports.signIn(email, password), 200);
  t.regex((await imports.accountOf(email)).password_hash, OURS);
  t.is(await imports.signIn(email, password), 200);
}

test('CSV: accounts with everything that the file says sign in with their old passwords', async (t) => {
  const ran = await imports.run(await fixture('people.csv'), ['--map', 'metadata.plan=plan']);
  t.deepEqual(
    [ran.code, ran.stdout],
    [0, '3 records, 3 new accounts, 0 updated, 0 skipped, 0 rejected.\n'],
    ran.stderr,
  );
  const anna = await imports.accountOf('anna@csv.example');
  t.like(anna, {
    email: 'anna@csv.example',
    username: 'anna.csv',
    name: 'Møller, Anna',
    first_name: 'Anna',
    last_name: 'Møller',
    phone_number: '+4520123456',
    verification_status: 'email',
    external_id: 'c-1',
    disabled_at: null,
    metadata: { plan: 'gold' },
  });
  t.is(anna.created_at.toISOString(), '2019-03-01T10:00:00.000Z');
  t.like(await imports.accountOf('bert@csv.example'), {
    email: 'BERT@csv.example',
    verification_status: null,
    metadata: null,
  });
  await signsInWith(t, 'anna@csv.example', PASSWORD);
  await signsInWith(t, 'bert@csv.example', PASSWORD);
  t.is(await imports.signIn('gone@csv.example', PASSWORD), 401, 'who was switched off there is so here');
});

test('JSON lines: fields are found under the names and paths of the map', async (t) => {
  const ran = await imports.run(await fixture('people.jsonl'), ['--format', 'jsonl']);
  t.is(ran.code, 3, 'the second line has no email where it is looked for');
  await signsInWith(t, 'anna@jsonl.example', PASSWORD);
  t.like(await imports.accountOf('anna@jsonl.example'), { external_id: '17', metadata: { newsletter: true } });
  const mapped = await imports.run(join(imports.folder, 'people.jsonl'), [
    '--format',
    'jsonl',
    '--map',
    'email=login.mail',
  ]);
  t.is(mapped.code, 3);
  t.like(await imports.accountOf('bert@jsonl.example'), { name: 'Bert', password_hash: null });
});

test('Keycloak: users of a realm export sign in with PBKDF2 and argon2 credentials', async (t) => {
  const ran = await imports.run(await fixture('keycloak.json'), ['--format', 'keycloak']);
  t.is(ran.code, 0, ran.stderr);
  t.like(await imports.accountOf('anna@keycloak.example'), {
    username: 'anna',
    name: 'Anna Møller',
    external_id: '0c6b1a52-7f0d-4f3a-a6b5-0a4a8f4f7d01',
    verification_status: 'email',
    metadata: { locale: 'da', topics: ['sport', 'culture'] },
  });
  await signsInWith(t, 'anna@keycloak.example', 'password');
  const bert = await imports.accountOf('bert@keycloak.example');
  t.truthy(bert.disabled_at);
  await imports.db.builder('accounts').where({ id: bert.id }).update({ disabled_at: null });
  await signsInWith(t, 'bert@keycloak.example', PASSWORD);
});

test('Auth0: bcrypt hashes, ids of both exports, and who has no password', async (t) => {
  const ran = await imports.run(await fixture('auth0.jsonl'), ['--format', 'auth0']);
  t.is(ran.code, 0, ran.stderr);
  t.like(await imports.accountOf('anna@auth0.example'), {
    external_id: 'auth0|60425dc43519d90068f82973',
    verification_status: 'email',
  });
  t.like(await imports.accountOf('bert@auth0.example'), {
    external_id: 'auth0|60425dc43519d90068f82974',
    first_name: 'Bert',
    password_hash: null,
    metadata: { plan: 'gold' },
  });
  await signsInWith(t, 'anna@auth0.example', PASSWORD);
  t.is(await imports.signIn('bert@auth0.example', ''), 401);
});

test('WordPress: both its hashes; a user name that is none here is kept beside', async (t) => {
  const ran = await imports.run(await fixture('wordpress.tsv'), ['--format', 'wordpress']);
  t.is(ran.code, 0, ran.stderr);
  const anna = await imports.accountOf('anna@wordpress.example');
  t.like(anna, { name: 'Anna "A" Møller', username: null, metadata: { former_username: 'anna wp' }, external_id: '1' });
  t.is(anna.created_at.toISOString(), '2012-05-06T07:08:09.000Z');
  await signsInWith(t, 'anna@wordpress.example', PASSWORD);
  await signsInWith(t, 'bert@wordpress.example', PASSWORD);
});

test('Firebase: hashes with the parameters of their project; without them nobody comes over', async (t) => {
  const without = await imports.run(await fixture('firebase.json'), ['--format', 'firebase']);
  t.is(without.code, 3);
  t.deepEqual(await imports.rejectsOf(join(imports.folder, 'firebase.json')), [
    { line: 1, kind: 'rejected', reason: 'password_hash is of no kind that is known, or takes too long to verify' },
  ]);
  const parameters = join(FIXTURES, 'firebase_parameters.json');
  const ran = await imports.run(join(imports.folder, 'firebase.json'), [
    '--format',
    'firebase',
    '--hash-params',
    parameters,
  ]);
  t.is(ran.code, 0, ran.stderr);
  await signsInWith(t, 'anna@firebase.example', 'user1password');
});

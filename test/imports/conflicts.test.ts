// Who has an account already: skipped, brought up to date, or a reason to stop; and a dry run.

import test from 'ava';
import { PASSWORD } from '../passwords/vectors.ts';
import { startImports } from './setup.ts';

const imports = await startImports();
test.after.always(() => imports.close());
const HASH = '$2y$05$2Gua6H.cndACX5XUJyHvQOg0mduUMUmMthg7agGCmGjreXwR8u626';
const OTHER = '{SSHA}smknNveHQ1xWDeKCrsKpGD3QctcJQWit';
const jsonl = (...records: readonly object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
const snapshot = async () => {
  const tables = await Promise.all(
    ['accounts', 'imports', 'audit_events', 'realms'].map((table) => imports.db.builder(table).select()),
  );
  return JSON.stringify(tables);
};

test.serial('a dry run tells what would be and changes nothing', async (t) => {
  const account = await imports.server.makeAccount();
  const before = await snapshot();
  const path = await imports.file(
    'dry.jsonl',
    jsonl(
      { email: 'new@dry.example', password_hash: HASH },
      { email: account.email },
      { email: 'nobody' },
      { email: 'new@dry.example' },
    ),
  );
  const ran = await imports.run(path, ['--format', 'jsonl', '--dry-run']);
  t.is(ran.code, 3);
  t.is(
    ran.stdout,
    'Nothing was changed. There would be: 4 records, 1 new accounts, 0 updated, 2 skipped, 1 rejected.\n',
  );
  t.is(await snapshot(), before);
  t.deepEqual(await imports.rejectsOf(`${path}.dry-run`), [
    { line: 2, kind: 'skipped', reason: 'an account has this e-mail address already' },
    { line: 3, kind: 'rejected', reason: 'email is not an address that is accepted' },
    { line: 4, kind: 'skipped', reason: 'an account has this e-mail address already' },
  ]);
});

test('skip: an account that is there is left as it is', async (t) => {
  const account = await imports.server.makeAccount({ name: 'Before', username: 'skipped' });
  const path = await imports.file(
    'skip.jsonl',
    jsonl(
      { email: account.email.toUpperCase(), name: 'After', password_hash: HASH },
      { username: 'Skipped', name: 'After' },
    ),
  );
  t.is((await imports.run(path, ['--format', 'jsonl'])).code, 3);
  t.like(await imports.accountOf(account.email), { name: 'Before', external_id: null });
  t.deepEqual(
    (await imports.rejectsOf(path)).map(({ reason }) => reason),
    ['an account has this e-mail address already', 'an account has this user name already'],
  );
});

test('fail: stops at the first one, names its line and keeps nothing of that batch', async (t) => {
  const account = await imports.server.makeAccount();
  const path = await imports.file('fail.jsonl', jsonl({ email: 'first@fail.example' }, { email: account.email }));
  const ran = await imports.run(path, ['--format', 'jsonl', '--on-conflict', 'fail']);
  t.is(ran.code, 1);
  t.regex(ran.stderr, /^Stopped at line 2: an account has this e-mail address already\./m);
  t.is(await imports.countOf('%@fail.example'), 0);
});

test('update: who came with the same external id gets what is new; a password that was made here stays', async (t) => {
  const options = ['--format', 'jsonl', '--on-conflict', 'update'];
  const people = [
    { email: 'a@update.example', name: 'A', external_id: 'u-a', password_hash: HASH, metadata: { a: 1 } },
    { email: 'b@update.example', name: 'B', external_id: 'u-b', password_hash: HASH },
  ];
  t.is((await imports.run(await imports.file('first.jsonl', jsonl(...people)), options)).code, 0);
  t.is(await imports.signIn('b@update.example', PASSWORD), 200);
  const rehashed = (await imports.accountOf('b@update.example')).password_hash;
  const later = people.map((person) => ({
    ...person,
    first_name: 'New',
    name: undefined,
    password_hash: OTHER,
    metadata: { b: 2 },
  }));
  const ran = await imports.run(await imports.file('second.jsonl', jsonl(...later)), options);
  t.is(ran.stdout, '2 records, 0 new accounts, 2 updated, 0 skipped, 0 rejected.\n');
  t.like(await imports.accountOf('a@update.example'), {
    name: 'A',
    first_name: 'New',
    password_hash: OTHER,
    metadata: { a: 1, b: 2 },
  });
  t.like(await imports.accountOf('b@update.example'), { first_name: 'New', password_hash: rehashed });
});

test('update: somebody who signed up here with another’s unproven address is not handed that other’s profile', async (t) => {
  const account = await imports.server.makeAccount({ name: 'Who came first' });
  const person = {
    email: account.email,
    email_verified: true,
    name: 'The owner',
    phone: '+4520123456',
    password_hash: HASH,
  };
  const path = await imports.file('claim.jsonl', jsonl(person));
  t.is((await imports.run(path, ['--format', 'jsonl', '--on-conflict', 'update'])).code, 3);
  t.like(await imports.accountOf(account.email), {
    name: 'Who came first',
    phone_number: null,
    verification_status: null,
  });
  t.regex((await imports.rejectsOf(path))[0]?.reason ?? '', /nothing proves that it is the same person/);
  await imports.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const again = await imports.run(path, ['--format', 'jsonl', '--on-conflict', 'update', '--again']);
  t.is(again.code, 0, again.stderr);
  t.like(await imports.accountOf(account.email), { name: 'The owner' });
});

test('update: identifiers of two accounts in one record change neither', async (t) => {
  const [one, two] = [
    await imports.server.makeAccount({ username: 'two.a' }),
    await imports.server.makeAccount({ username: 'two.b' }),
  ];
  const path = await imports.file('two.jsonl', jsonl({ email: one.email, username: 'two.b', name: 'X' }));
  t.is((await imports.run(path, ['--format', 'jsonl', '--on-conflict', 'update'])).code, 3);
  t.like(await imports.accountOf(one.email), { name: one.name });
  t.like(await imports.accountOf(two.email), { name: two.name });
  t.regex((await imports.rejectsOf(path))[0]?.reason ?? '', /belong to different accounts/);
});

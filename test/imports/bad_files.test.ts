// Files that are not what they should be: what can be read comes over, the rest is in the report with its line.

import { join } from 'node:path';
import test from 'ava';
import { FIXTURES, startImports } from './setup.ts';

const imports = await startImports();
test.after.always(() => imports.close());
const reasons = async (path: string) => (await imports.rejectsOf(path)).map(({ line, reason }) => `${line}: ${reason}`);

test('a byte order mark is no part of the first column', async (t) => {
  const path = await imports.file('bom.csv', '\ufeffemail;name\r\nanna@bom.example;Ä\r\n');
  t.is((await imports.run(path)).code, 0);
  t.like(await imports.accountOf('anna@bom.example'), { name: 'Ä' });
});

test('a file in UTF-16 is refused before anything is done, with what to do', async (t) => {
  const path = await imports.file('wide.csv', Buffer.from('\ufeffemail,name\nanna@wide.example,A\n', 'utf16le'));
  const ran = await imports.run(path);
  t.is(ran.code, 1);
  t.regex(ran.stderr, /not UTF-8\. Convert it first: iconv/);
});

test('lines in Latin-1 are left out, those in UTF-8 come over', async (t) => {
  const text = 'email,name\nå@x.example,A\nanna@latin.example,Anna\nbert@latin.example,M\u00f8ller\n';
  const path = await imports.file('latin.csv', Buffer.from(text, 'latin1'));
  t.is((await imports.run(path)).code, 3);
  t.deepEqual(await reasons(path), ['2: email is not UTF-8', '4: name is not UTF-8']);
  t.is(await imports.countOf('%@latin.example'), 1);
  const lines = await imports.file(
    'latin.jsonl',
    Buffer.concat([
      Buffer.from('{"email":"c@latin.example","name":"M\u00f8"}\n', 'latin1'),
      Buffer.from('{"email":"d@latin.example"}\n'),
    ]),
  );
  t.is((await imports.run(lines, ['--format', 'jsonl'])).code, 3);
  t.deepEqual(await reasons(lines), ['1: the line is not UTF-8']);
});

test('a line of 10 MB and one that is cut off are left out, and the lines around them come over', async (t) => {
  const long = JSON.stringify({ email: 'long@lines.example', name: 'x'.repeat(10_000_000) });
  const path = await imports.file(
    'long.jsonl',
    `{"email":"a@lines.example"}\n${long}\n{"email":"b@lines.example"}\n\n["x"]\n{"email":"c@lines.example","na`,
  );
  t.is((await imports.run(path, ['--format', 'jsonl'])).code, 3);
  t.deepEqual(await reasons(path), [
    '2: the line is longer than 1048576 bytes',
    '5: the record is no object',
    '6: the line is not a whole JSON value',
  ]);
  t.is(await imports.countOf('%@lines.example'), 2);
});

test('CSV: a field of 10 MB and a column too few are left out; quotes inside a field are signs like others', async (t) => {
  const path = await imports.file(
    'odd.csv',
    `email,name\na@odd.example,A\nlong@odd.example,${'x'.repeat(10_000_000)}\nshort@odd.example\nb@odd.example,"B"x\nc@odd.example,C\n`,
  );
  t.is((await imports.run(path)).code, 3);
  t.deepEqual(await reasons(path), [
    '3: name is longer than 1048576 characters',
    '4: the line has 1 columns, the header 2',
  ]);
  t.is(await imports.countOf('%@odd.example'), 3);
});

test('CSV: a quote that is never closed is told, and one that swallows more than 16 MB stops the import', async (t) => {
  const small = await imports.file('open.csv', 'email,name\na@open.example,A\nb@open.example,"B\nc@open.example,C\n');
  t.is((await imports.run(small)).code, 3);
  t.regex((await reasons(small)).join(), /a quote is not closed, up to the end of the file/);
  t.is(await imports.countOf('%@open.example'), 1);
  const large = await imports.file(
    'huge.csv',
    `email,name\nb@huge.example,"B\n${'c@huge.example,C\n'.repeat(1_200_000)}`,
  );
  const ran = await imports.run(large);
  t.is(ran.code, 1);
  t.regex(ran.stderr, /longer than 16 MB\. Is a quote not closed\?/);
});

test('a JSON file that ends too early gives the users that are whole', async (t) => {
  const path = await imports.file('cut.json', '{"users":[{"email":"a@cut.example"},{"email":"b@cut.example"},{"ema');
  t.is((await imports.run(path, ['--format', 'keycloak'])).code, 3);
  t.deepEqual(await reasons(path), ['3: the file is not whole JSON from here on']);
  t.is(await imports.countOf('%@cut.example'), 2);
});

const FAULTS = [
  [{ email: 'a b@faults.example' }, 'email is not an address that is accepted'],
  [{ name: 'X' }, 'neither email nor username is there'],
  [{ username: 'a b' }, 'username is not one that is accepted, and there is no email'],
  [{ email: 'a@faults.example', name: 'x\u0000y' }, 'name holds control characters or broken Unicode'],
  [{ email: 'a@faults.example', name: '\ud800' }, 'name holds control characters or broken Unicode'],
  [{ email: 'a@faults.example', name: { first: 'A' } }, 'name is no text'],
  [{ email: 'a@faults.example', name: 'x'.repeat(201) }, 'name is longer than 200 characters'],
  [{ email: 'a@faults.example', email_verified: 'perhaps' }, 'email_verified is neither true nor false'],
  [{ email: 'a@faults.example', created_at: 'yesterday' }, 'created_at is not a time in the past'],
  [{ email: 'a@faults.example', created_at: '2999-01-01' }, 'created_at is not a time in the past'],
  [
    { email: 'a@faults.example', password_hash: 'plain text' },
    'password_hash is of no kind that is known, or takes too long to verify',
  ],
  [{ email: 'a@faults.example', metadata: { a: '\u0000' } }, 'metadata holds NUL or broken Unicode'],
  [{ email: 'a@faults.example', metadata: { a: 'x'.repeat(20_000) } }, 'metadata is longer than 16384 characters'],
] as const;

test('records that cannot become accounts are told with their line, and never with what they hold', async (t) => {
  const path = await imports.file('faults.jsonl', FAULTS.map(([record]) => `${JSON.stringify(record)}\n`).join(''));
  const ran = await imports.run(path, ['--format', 'jsonl']);
  t.is(ran.code, 3, ran.stderr);
  t.deepEqual(
    await reasons(path),
    FAULTS.map(([, reason], at) => `${at + 1}: ${reason}`),
  );
  t.is(await imports.countOf('%@faults.example'), 0);
});

test('what is asked for wrongly is told before anything is read, with exit code 2', async (t) => {
  const path = join(FIXTURES, 'people.csv');
  for (const [options, says] of [
    [['--format', 'xml'], /Allowed choices are csv/],
    [['--map', 'email'], /write FIELD=COLUMN/],
    [['--map', 'mail=email'], /there is no field mail/],
    [['--hash-params', path], /--hash-params/],
    [['--hash-params', join(FIXTURES, 'auth0.jsonl')], /--hash-params/],
  ] as const) {
    const ran = await imports.run(path, options);
    t.is(ran.code, 2, options.join(' '));
    t.regex(ran.stderr, says);
  }
  t.is((await imports.run(join(imports.folder, 'absent.csv'))).code, 1);
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how a realm file names a variable
import test from 'ava';
import { createDatabase } from '../support/database.ts';
import { runCauseway, SECRET, setUp } from './setup.ts';

const DAILY = `realms:
  - slug: daily
    auth_domain: auth.daily.example
    clients: [{ id: news, kind: first-party, domain: news.daily.example }]
`;
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

test('--help names every command with a sentence', async (t) => {
  const { code, stdout } = await runCauseway(NOWHERE, ['--help']);
  t.is(code, 0);
  for (const name of ['apply', 'export', 'users', 'sessions', 'migrate'])
    t.regex(stdout, new RegExp(`^  ${name}\\b.* [A-Z].+`, 'm'));
});

const usage: [title: string, args: string[], expected: RegExp][] = [
  ['an unknown command is answered by the nearest', ['aply'], /unknown command 'aply'\n\(Did you mean apply\?\)/],
  ['an unknown option is answered by the nearest', ['apply', 'x', '--dryrun'], /Did you mean --dry-run\?/],
  ['a file is needed', ['apply'], /missing required argument 'FILE'/],
  ['sessions end needs to know which', ['sessions', 'end', '--realm', 'a'], /needs one of --email, --id and --all/],
  [
    'sessions end takes one choice',
    ['sessions', 'end', '--realm', 'a', '--all', '--email', 'x@example.com'],
    /cannot be used with/,
  ],
  [
    'users add takes no password on the command line',
    ['users', 'add', '--realm', 'a', '--email', 'x@example.com', '--password', 'x'],
    /unknown option '--password'/,
  ],
];
for (const [title, args, expected] of usage) {
  test(`${title}, with exit code 2`, async (t) => {
    const { code, stdout, stderr } = await runCauseway(NOWHERE, args);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, expected);
  });
}

test('a database that does not answer and a wrong setting are told in a sentence, without a stack', async (t) => {
  const away = await runCauseway(NOWHERE, ['export']);
  t.is(away.code, 1);
  t.is(away.stdout, '');
  t.regex(away.stderr, /^PostgreSQL is not available: connect ECONNREFUSED 127\.0\.0\.1:1\n$/);
  t.notRegex(away.stderr, /\n\s+at /);
  const debug = await runCauseway(NOWHERE, ['export'], { env: { CAUSEWAY_LOG_LEVEL: 'debug' } });
  t.regex(debug.stderr, /\n\s+at /);
  const wrong = await runCauseway(NOWHERE, ['export'], { env: { CAUSEWAY_SECRET: 'short' } });
  t.is(wrong.code, 1);
  t.regex(wrong.stderr, /CAUSEWAY_SECRET must be 32 characters or more/);
});

test('apply reads standard input, tells each change and their number, and lists every fault with exit code 1', async (t) => {
  const { url, drop } = await createDatabase();
  const dry = await runCauseway(url, ['apply', '-', '--dry-run'], { stdin: DAILY });
  const real = await runCauseway(url, ['apply', '-'], { stdin: DAILY });
  t.is(real.code, 0, real.stderr);
  t.is(real.stdout, dry.stdout);
  t.regex(real.stdout, /^daily: \+ realm daily\n(.*\n){3}4 changes\n$/);
  t.is((await runCauseway(url, ['apply', '-'], { stdin: DAILY })).stdout, '0 changes\n');
  const wrong = await runCauseway(url, ['apply', '-'], { stdin: 'realms:\n  - slug: A\n' });
  t.is(wrong.code, 1);
  t.is(wrong.stdout, '');
  t.regex(
    wrong.stderr,
    /^Nothing was changed; the file has 2 faults:\n {2}standard input:2:5: .*\n {2}standard input:2:11: /,
  );
  const missing = await runCauseway(url, ['apply', '/no/such/file.yaml']);
  t.is(missing.code, 1);
  t.regex(missing.stderr, /The file \/no\/such\/file\.yaml cannot be read: there is none\./);
  await drop();
});

test('variables of a file come from the environment', async (t) => {
  const { url, drop } = await createDatabase();
  const stdin = `${DAILY.replace(' }]', ', proxy_secret: "${PROXY_SECRET}" }]')}`;
  t.regex(
    (await runCauseway(url, ['apply', '-'], { stdin })).stderr,
    /standard input:4:89: the environment has no variable PROXY_SECRET/,
  );
  t.is((await runCauseway(url, ['apply', '-'], { stdin, env: { PROXY_SECRET: SECRET } })).code, 0);
  await drop();
});

test('export writes a file that changes nothing, of all realms or of one', async (t) => {
  const { url, drop } = await createDatabase();
  await runCauseway(url, ['apply', '-'], { stdin: `${DAILY}  - { slug: other, auth_domain: auth.other.example }\n` });
  const { stdout } = await runCauseway(url, ['export']);
  t.is((await runCauseway(url, ['apply', '-'], { stdin: stdout })).stdout, '0 changes\n');
  const one = await runCauseway(url, ['export', '--realm', 'other']);
  t.regex(one.stdout, /slug: other/);
  t.notRegex(one.stdout, /slug: daily/);
  const none = await runCauseway(url, ['export', '--realm', 'nothing']);
  t.is(none.code, 1);
  t.is(none.stderr, 'There is no realm nothing. Known: daily, other.\n');
  await drop();
});

test('security 137: users add takes the password from standard input, refuses one that is easy to guess, and prints id and sub', async (t) => {
  const setup = await setUp();
  await setup.change(DAILY);
  const add = (email: string, stdin: string, ...more: string[]) =>
    runCauseway(setup.url, ['users', 'add', '--realm', 'daily', '--email', email, '--password-stdin', ...more], {
      stdin,
    });
  const made = await add('a@example.com', 'a good long password\n', '--name', 'Ada', '--username', 'ada');
  t.is(made.code, 0, made.stderr);
  t.regex(made.stdout, /^id \d+\nsub [\w-]{43}\n$/);
  const realm = (await setup.realms.findBySlug('daily'))!;
  const account = (await setup.accounts.findByEmail(setup.db, realm.id, 'a@example.com'))!;
  t.like(account, { name: 'Ada', username: 'ada', sub: made.stdout.split(/\s/)[3] });
  const { createPasswords } = await import('../../server/passwords/passwords.ts');
  const stored = (await setup.accounts.findForSignIn(realm.id, 'ada'))!;
  t.true((await createPasswords({ concurrency: 1 }).verify(stored.passwordHash, 'a good long password')).isRight);
  t.regex((await add('a@example.com', 'a good long password')).stderr, /the e-mail address belongs to another account/);
  const wrong = await add('not an address', 'short', '--username', '@');
  t.is(wrong.code, 1);
  t.is(wrong.stderr.split('\n').filter((line) => line.startsWith('  ')).length, 3);
  const easy = await add('robin.reader@example.com', 'robin-reader-1\n');
  t.is(easy.code, 1);
  t.regex(easy.stderr, /the password is too easy to guess/);
  const asked = await runCauseway(setup.url, ['users', 'add', '--realm', 'daily', '--email', 'b@example.com']);
  t.is(asked.code, 2);
  t.regex(asked.stderr, /needs a terminal .* or --password-stdin/);
  await setup.close();
});

test('sessions end signs out one session, one account or everybody, and says how many', async (t) => {
  const setup = await setUp();
  await setup.change(`${DAILY}  - { slug: other, auth_domain: auth.other.example }\n`);
  const end = (...args: string[]) => runCauseway(setup.url, ['sessions', 'end', '--realm', 'daily', ...args]);
  const [one, two, three] = [
    await setup.signIn('daily', 'news.daily.example'),
    await setup.signIn('daily', 'news.daily.example'),
    await setup.signIn('daily', 'auth.daily.example', 'other@example.com'),
  ];
  const elsewhere = await setup.signIn('other', 'auth.other.example');

  t.is((await end('--id', one.sessionId)).stdout, '1 session ended\n');
  t.deepEqual([await one.isSignedIn(), await two.isSignedIn()], [false, true]);
  t.regex((await end('--id', one.sessionId)).stderr, /^Realm daily has no session /);
  t.regex((await end('--id', elsewhere.sessionId)).stderr, /^Realm daily has no session /);
  t.regex((await end('--id', 'x')).stderr, /^Realm daily has no session x\./);
  t.is((await end('--email', 'READER@example.com')).stdout, '1 session ended\n');
  t.deepEqual([await two.isSignedIn(), await three.isSignedIn()], [false, true]);
  t.regex((await end('--email', 'nobody@example.com')).stderr, /no account with the address/);
  const unasked = await end('--all');
  t.is(unasked.code, 2);
  t.regex(unasked.stderr, /add --yes/);
  t.true(await three.isSignedIn());
  t.is((await end('--all', '--yes')).stdout, '1 session ended\n');
  t.deepEqual([await three.isSignedIn(), await elsewhere.isSignedIn()], [false, true]);
  const reasons = await setup.db.builder('audit_events').where({ type: 'session.revoked' }).pluck('detail');
  t.deepEqual(reasons, Array(3).fill({ reason: 'operator' }));
  await setup.close();
});

test('an empty database is set up by the first command; one that lacks migrations is refused until they are run', async (t) => {
  const { url, drop } = await createDatabase({ isEmpty: true });
  t.regex((await runCauseway(url, ['apply', '-'], { stdin: DAILY })).stdout, /4 changes/);
  t.is((await runCauseway(url, ['migrate'])).stdout, '0 migrations run\n');
  const { administer } = await import('../support/template.ts');
  await administer(
    url,
    "drop table authorization_codes; delete from knex_migrations where name like '%oauth_authorization_codes%'",
  );
  const refused = await runCauseway(url, ['export']);
  t.is(refused.code, 1);
  t.is(refused.stderr, 'The database lacks one migration of this version of Causeway. Run: npx causeway migrate\n');
  t.regex((await runCauseway(url, ['migrate'])).stdout, /^\d+_oauth_authorization_codes\.ts\n1 migration run\n$/);
  t.is((await runCauseway(url, ['export'])).code, 0);
  await drop();
});

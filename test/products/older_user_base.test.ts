import test from 'ava';
import { createGuardedFetch } from '../../server/http/outgoing.ts';
import { asHost } from '../../server/lib/ids.ts';
import { checkElsewhere } from '../../server/login/credential_check.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { startOlderUserBase } from './support.ts';

const AUTH = originOf('auth');
const OLD_PASSWORD = 'old pw';
const people = Object.fromEntries(
  ['anna', 'by-get', 'twice', 'hang', 'fail', 'redirect', 'nonsense', 'limit', 'bridge'].map((name) => [
    `${name}@old.example`,
    {
      id: `old-${name}`,
      login: name,
      full_name: `Person ${name}`,
      email: `${name}@old.example`,
      password: OLD_PASSWORD,
    },
  ]),
);
const older = await startOlderUserBase({
  ...people,
  olduser: { id: 77, login: 'olduser', full_name: 'Old User', email: 'olduser@old.example', password: OLD_PASSWORD },
  claimer: { id: 78, full_name: 'Claimer', email: 'victim@example.com', password: OLD_PASSWORD },
  'liar@old.example': { id: 79, email: 'victim@example.com', password: OLD_PASSWORD },
  'empty@old.example': { login: 'empty', password: OLD_PASSWORD },
});
const yaml = (settings: string) => `
realms:
  - slug: test
    auth_domain: ${AUTH}
    settings: { credential_check: ${settings} }
    clients: [{ id: news, kind: first-party, domain: news.test.localhost }]
`;
const BY_HEADER = `{ url: "${older.origin}/users/identity", headers: { IdP_user_ID: "#{login}", IdP_token: "#{password}" } }`;
const server = await startTestServer({ yaml: yaml(BY_HEADER) });
test.after.always(async () => {
  await server.close();
  await older.close();
});

async function signIn(identifier: string, password: string) {
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  const { status } = await browser.submit(page, { identifier, password });
  return { status, browser };
}
const askedAbout = (login: string) =>
  older.asked.filter(({ headers, url, body }) =>
    [headers['idp-user-id'], url, body].some(
      (text) => String(text).includes(login) || String(text).includes(encodeURIComponent(login)),
    ),
  ).length;
const accountOf = (email: string) => server.services.db.builder('accounts').where({ email_canonical: email }).first();
const reasons = async () =>
  (await server.services.db.builder('audit_events').where({ type: 'credential-check.failed' }).select('detail')).map(
    ({ detail }) => detail.reason as string,
  );

// The behaviour of the older server is changed and its requests are counted, so one test runs after the other.
test.serial(
  'contract §4 the other way round: somebody unknown who passes the check is signed in, made and hashed, and never asked about again',
  async (t) => {
    const first = await signIn('anna@old.example', OLD_PASSWORD);
    t.is(first.status, 303);
    const [request] = older.asked;
    t.deepEqual(
      [request?.method, request?.url, request?.headers['idp-user-id'], request?.headers['idp-token']],
      ['POST', '/users/identity', 'anna@old.example', OLD_PASSWORD],
    );
    const account = await accountOf('anna@old.example');
    t.like(account, { name: 'Person anna', email: 'anna@old.example', verification_status: null });
    t.regex(account.password_hash, /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/);
    t.is(await countRows(server, 'audit_events', { type: 'account.adopted', account_id: account.id }), 1);
    t.is((await signIn('anna@old.example', OLD_PASSWORD)).status, 303);
    t.is((await signIn('anna@old.example', 'wrong password')).status, 401);
    t.is(askedAbout('anna@old.example'), 1);
  },
);

test.serial('a user name is adopted as one, and the session-sharing API adopts too', async (t) => {
  t.is((await signIn('OldUser', OLD_PASSWORD)).status, 401, 'the older base knows small letters alone');
  t.is((await signIn('olduser', OLD_PASSWORD)).status, 303);
  t.like(await accountOf('olduser@old.example'), { username: 'olduser' });
  const browser = server.browser();
  const answer = await browser.post('http://news.test.localhost/api/auth/v1/login', {
    email: 'bridge@old.example',
    password: OLD_PASSWORD,
  });
  t.is(answer.status, 200);
  t.is(answer.json().user.name, 'Person bridge');
});

test.serial('a wrong password, and somebody whom nobody knows, get one answer and no account', async (t) => {
  for (const [identifier, password] of [
    ['by-get@old.example', 'wrong'],
    ['stranger@old.example', OLD_PASSWORD],
  ] as const)
    t.is((await signIn(identifier, password)).status, 401);
  t.is(await accountOf('by-get@old.example'), undefined);
  t.is(await accountOf('stranger@old.example'), undefined);
});

test.serial('two sign-ins of the same person at once make one account and both are signed in', async (t) => {
  const both = await Promise.all([
    signIn('twice@old.example', OLD_PASSWORD),
    signIn('twice@old.example', OLD_PASSWORD),
  ]);
  t.deepEqual(
    both.map(({ status }) => status),
    [303, 303],
  );
  t.is(await countRows(server, 'accounts', { email_canonical: 'twice@old.example' }), 1);
});

test.serial(
  'contract §4: whoever the older base says it is, an account of somebody else is never reached or changed',
  async (t) => {
    const victim = await server.makeAccount({ email: 'victim@example.com' });
    for (const login of ['claimer', 'liar@old.example', 'empty@old.example'])
      t.is((await signIn(login, OLD_PASSWORD)).status, 401, login);
    t.is((await signIn('victim@example.com', OLD_PASSWORD)).status, 401);
    t.is(askedAbout('victim@example.com'), 0);
    t.is(await countRows(server, 'accounts', { email_canonical: 'victim@example.com', name: victim.name }), 1);
    const known = await reasons();
    for (const reason of [
      'the e-mail address or user name belongs to another account',
      'the answer is about another e-mail address',
      'the answer holds no uid',
    ])
      t.true(known.includes(reason), reason);
  },
);

const broken = [
  ['hangs', 'hang', /TimeoutError/],
  ['fails', 'fail', /status 500/],
  ['redirects', 'redirect', /status 302/],
  ['talks nonsense', 'nonsense', /SyntaxError/],
] as const;
for (const [kind, name, reason] of broken) {
  test.serial(`contract §4: an endpoint that ${kind} is a wrong password within 5 s and an audit event`, async (t) => {
    older.behaviour.kind = kind;
    const started = performance.now();
    t.is((await signIn(`${name}@old.example`, OLD_PASSWORD)).status, 401);
    t.true(performance.now() - started < 5000);
    older.behaviour.kind = 'answers';
    t.true(
      (await reasons()).some((one) => reason.test(one)),
      String(await reasons()),
    );
    t.is((await signIn(`${name}@old.example`, OLD_PASSWORD)).status, 303, 'and works once it is well again');
  });
}

test.serial('security 138: asking the older base counts as a try; behind the limit it is not asked', async (t) => {
  for (let tries = 0; tries < 20; tries++) await signIn('limit@old.example', 'wrong');
  t.is(askedAbout('limit@old.example'), 20);
  t.is((await signIn('limit@old.example', OLD_PASSWORD)).status, 429);
  t.is(askedAbout('limit@old.example'), 20);
});

test.serial(
  'contract §4: GET with parameters asks by the query, and an address that the operator vouches for counts as verified',
  async (t) => {
    await server.apply(
      yaml(
        `{ url: "${older.origin}/check?app=1", method: GET, params: { IdP_user_ID: "#{email}", IdP_token: "#{password}" }, response: { uid: "#{user.id}", email: "#{user.email}", full_name: "#{user.login}" }, email_is_verified: true }`,
      ),
    );
    while (
      (await server.services.realms.findSite(asHost(HOSTS.auth)))?.realm.settings.credential_check?.method !== 'GET'
    )
      await new Promise((next) => setImmediate(next));
    t.is((await signIn('by-get@old.example', OLD_PASSWORD)).status, 303);
    const asked = new URL(older.asked.at(-1)?.url ?? '', older.origin);
    t.deepEqual(
      [older.asked.at(-1)?.method, asked.pathname, Object.fromEntries(asked.searchParams)],
      ['GET', '/check', { app: '1', IdP_user_ID: 'by-get@old.example', IdP_token: OLD_PASSWORD }],
    );
    t.like(await accountOf('by-get@old.example'), { name: 'by-get', verification_status: 'email' });
  },
);

test.serial('applying the same file again changes nothing; the export has the check', async (t) => {
  const text = yaml(BY_HEADER);
  t.is((await server.apply(text)).length, 1);
  t.deepEqual(await server.apply(text), []);
});

test('security 173: a check at a private address is not sent', async (t) => {
  const fetch = createGuardedFetch({ allowLoopback: false });
  for (const url of ['https://10.0.0.1/x', 'https://169.254.169.254/x', `${older.origin}/x`]) {
    const check = {
      url,
      method: 'POST',
      headers: {},
      params: { p: '#{password}' },
      response: { uid: '#{user.id}' },
      email_is_verified: false,
    } as const;
    const checked = await checkElsewhere(check, { login: 'x@old.example', password: 'p' }, fetch);
    t.regex(!checked.ok && checked.reason === 'failed' ? checked.why : '', /machine|public|https/, url);
  }
});

import test from 'ava';
import { originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';

const YAML = REALM_YAML.replace(
  'signup: open',
  'signup: open, sign_in_per_account: 5/15m, sign_in_per_device: 3/15m, sign_in_per_address: 100000/15m',
);
// Sixty tries at once wait for a connection longer than the pool lets them where the machine has much else to do.
const env = { CAUSEWAY_DATABASE_CONNECTIONS: '40' };
const server = await startTestServer({ yaml: YAML, env });
const second = await startTestServer({ database: server.database, env });
const limited = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, sign_in_per_address: 4/15m'),
});
test.after.always(async () => {
  await limited.close();
  await second.close();
  await server.close();
});
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const nodes = () => server.browser([server.port, second.port]);
const tryOn = (browser: ReturnType<typeof nodes>, email: string, password = 'wrong') =>
  browser.post(`${NEWS}/api/auth/v1/login`, { email, password }, { cookies: null });
const failed = (id: string) => countRows(server, 'audit_events', { account_id: id, type: 'sign-in.failed' });

/** Ends the window of an account's counter, which runs on the nodes' own clock. */
async function endWindow({ realmId, id }: { realmId: string; id: string }) {
  const changed = await server.services.db
    .builder('rate_limits')
    .where('key', `sign-in-account:${realmId}:${id}`)
    .update({ expire: Date.now() - 1 });
  if (changed !== 1) throw new Error(`${changed} counters`);
}

test('security 138, reliability R-25: of 60 wrong passwords at once over two nodes 5 are evaluated, the others are told when to come back', async (t) => {
  const account = await server.makeAccount();
  const browser = nodes();
  const answers = await Promise.all(Array.from({ length: 60 }, () => tryOn(browser, account.email)));
  t.is(answers.filter(({ status }) => status === 401).length, 5);
  const refused = answers.filter(({ status }) => status === 429);
  t.is(refused.length, 55);
  t.is(await failed(account.id), 5);
  for (const { headers } of refused)
    t.true(Number(headers['retry-after']) > 0 && Number(headers['retry-after']) <= 900);

  // The right password during the lock: the same answer, and it is not even looked at.
  const right = await tryOn(browser, account.email, PASSWORD);
  t.is(right.status, 429);
  t.is(right.text, String(refused[0]?.text));
  t.deepEqual(right.cookies, []);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  const page = await browser.navigate(`${AUTH}/login`);
  const form = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  t.is(form.status, 429);
  t.true(Number(form.headers['retry-after']) > 0);

  // A restart forgets nothing.
  const third = await startTestServer({ database: server.database });
  t.is((await tryOn(server.browser([third.port]), account.email, PASSWORD)).status, 429);
  await third.close();

  await endWindow(account);
  t.is((await tryOn(browser, account.email, PASSWORD)).status, 200);
});

test('security 138: strangers who lock an account do not lock out the browser that signed in to it before', async (t) => {
  const account = await server.makeAccount();
  const own = nodes();
  t.is((await own.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
  await own.fetch(`${NEWS}/api/auth/v1/logout`);
  const strangers = nodes();
  for (let count = 0; count < 8; count++) await tryOn(strangers, account.email);
  t.is((await tryOn(strangers, account.email, PASSWORD)).status, 429);
  t.is((await own.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
});

test('security 138: a known browser has a limit of its own', async (t) => {
  const account = await server.makeAccount();
  const own = nodes();
  await own.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD });
  const answers = await Promise.all(
    Array.from({ length: 12 }, () =>
      own.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: 'wrong' }),
    ),
  );
  t.is(answers.filter(({ status }) => status === 401).length, 3);
  t.is(answers.filter(({ status }) => status === 429).length, 9);
  t.is(await failed(account.id), 3);
});

test('security 138: the device cookie of another account, or a changed one, opens no second counter', async (t) => {
  const [mine, victim] = [await server.makeAccount(), await server.makeAccount()];
  const attacker = nodes();
  await attacker.post(`${NEWS}/api/auth/v1/login`, { email: mine.email, password: PASSWORD });
  const device = String(attacker.jarOf(new URL(NEWS).host).get('__Host-qt-device'));
  for (let count = 0; count < 5; count++) await tryOn(attacker, victim.email);
  for (const value of [device, `${device}x`, device.slice(0, -3), 'x', '']) {
    t.is(
      (
        await attacker.post(
          `${NEWS}/api/auth/v1/login`,
          { email: victim.email, password: PASSWORD },
          { cookies: `__Host-qt-device=${value}` },
        )
      ).status,
      429,
      value,
    );
  }
  t.is(await failed(victim.id), 5);
});

test('security 138: an identifier that nobody has is limited like one that somebody has', async (t) => {
  const account = await server.makeAccount();
  const browser = nodes();
  const statuses = async (email: string) => {
    const answers = [];
    for (let count = 0; count < 7; count++) answers.push(await tryOn(browser, email));
    return answers.map(({ status, text }) => [status, text]);
  };
  t.deepEqual(await statuses(account.email), await statuses(`nobody-${account.id}@example.com`));
});

test('security 138: rightful sign-ins are not counted', async (t) => {
  const account = await server.makeAccount();
  for (let count = 0; count < 7; count++) t.is((await tryOn(nodes(), account.email, PASSWORD)).status, 200);
});

test('security 138: one address may fail only so often over all accounts', async (t) => {
  const browser = limited.browser();
  const statuses = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => (await tryOn(browser, `nobody-${index}@example.com`)).status),
  );
  t.is(statuses.filter((status) => status === 401).length, 4);
  t.is(statuses.filter((status) => status === 429).length, 6);
});

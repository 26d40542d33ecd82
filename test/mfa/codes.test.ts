import test from 'ava';
import type { Account } from '../../server/accounts/accounts.ts';
import { asHost } from '../../server/lib/ids.ts';
import { HOSTS, originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows, inTurns } from '../support/signed_in.ts';
import { codeOf, enrolledAccount, passFirst, sendCode, wrongCodeOf } from './setup.ts';

const YAML = REALM_YAML.replace(
  'signup: open',
  'signup: open, second_factor_per_account: 10000/1h, sign_in_per_account: 100000/1h, sign_in_per_address: 100000/1h',
);
// A connection for every write of a race, which are 25 a node and have two thirds of them: none is refused for want of one.
const env = { CAUSEWAY_DATABASE_CONNECTIONS: '39' };
const server = await startTestServer({ yaml: YAML, env });
const second = await startTestServer({ database: server.database, env });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const NEWS = originOf('news');
const failed = (id: string) => countRows(server, 'audit_events', { account_id: id, type: 'factor.failed' });

test('security 166: a code counts once, whoever sends it again', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const code = codeOf(secret);
  const [one, other] = [server.browser([server.port]), server.browser([second.port])];
  await passFirst(one, account);
  await passFirst(other, account);
  t.is((await sendCode(one, code)).status, 200);
  t.is((await sendCode(other, code)).status, 401);
  t.is((await sendCode(other, codeOf(secret, { steps: 1 }))).status, 200);
});

test('security 166, RFC 6238 §5.2: a code of one step before or after is taken, of two steps it is not', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser();
  await passFirst(browser, account);
  t.is((await sendCode(browser, codeOf(secret, { steps: -2 }))).status, 401);
  t.is((await sendCode(browser, codeOf(secret, { steps: 3 }))).status, 401);
  t.is((await sendCode(browser, codeOf(secret, { steps: 1 }))).status, 200);
  await passFirst(browser, account);
  t.is((await sendCode(browser, codeOf(secret))).status, 401, 'an earlier step than the one that was used');
});

test('security 166: after five wrong codes the sixth is refused even if it is right, and the sign-in begins anew', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser([server.port, second.port]);
  await passFirst(browser, account);
  for (let count = 0; count < 5; count++) t.is((await sendCode(browser, wrongCodeOf(secret))).status, 401);
  const sixth = await sendCode(browser, codeOf(secret));
  t.is(sixth.status, 401);
  t.false(sixth.cookies.some((line) => /^qt-auth=./.test(line)));
  t.is(await failed(account.id), 5);
  t.is((await browser.me(NEWS)).status, 401);
  await passFirst(browser, account);
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
});

test('security 166: of 40 wrong codes at once over two nodes five are looked at', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser([server.port, second.port]);
  await passFirst(browser, account);
  const wrong = wrongCodeOf(secret);
  const answers = await Promise.all(Array.from({ length: 40 }, () => sendCode(browser, wrong)));
  t.true(answers.every(({ status }) => status === 401));
  t.is(await failed(account.id), 5);
});

test.serial(
  'security 166, reliability R-26: the same code 50 times at once over two nodes, 100 times over: one sign-in each',
  async (t) => {
    const { account, secret } = await enrolledAccount(server);
    await inTurns(100, 1, async () => {
      await server.services.db.builder('totp_factors').where({ account_id: account.id }).update({ last_step: 0 });
      await raceOnce(account, codeOf(secret));
    });
    t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'factor.used' }), 100);
  },
);

test.serial(
  'security 167, reliability R-26: a recovery code 50 times at once over two nodes, 100 times over: one sign-in each',
  async (t) => {
    const { account } = await enrolledAccount(server);
    const realm = await server.realm();
    await inTurns(100, 1, async () => {
      const codes = await server.services.mfa.regenerateRecoveryCodes(realm, account.id, { address: null });
      await raceOnce(account, String(codes?.[3]));
      if ((await countRows(server, 'recovery_codes', { account_id: account.id })) !== 9)
        throw new Error('not one code used');
    });
    t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'recovery-code.used' }), 100);
  },
);

/** Ten browsers that have passed the first factor send a code five times each, at once, to both nodes: exactly one signs in. */
async function raceOnce(account: Account, code: string) {
  const { mfa, db } = server.services;
  await db.builder('sessions').where({ account_id: account.id }).delete();
  const browsers = Array.from({ length: 10 }, (_, index) => server.browser([index % 2 ? server.port : second.port]));
  for (const browser of browsers) {
    const proof = { accountId: account.id, amr: ['pwd'], host: asHost(HOSTS.news), need: 'validation' } as const;
    browser.jarOf(HOSTS.news).set('tfa-auth', await mfa.begin(db, proof));
  }
  const sends = browsers.flatMap((browser) => Array.from({ length: 5 }, () => sendCode(browser, code)));
  const statuses = (await Promise.all(sends)).map(({ status }) => status);
  const won = statuses.filter((status) => status === 200).length;
  if (won !== 1 || statuses.some((status) => ![200, 401].includes(status))) throw new Error(`answers: ${statuses}`);
  if ((await countRows(server, 'sessions', { account_id: account.id })) !== 1) throw new Error('not one session');
}

test('security 167: a recovery code works once, small letters, spaces and all', async (t) => {
  const { account, recoveryCodes } = await enrolledAccount(server);
  t.is(recoveryCodes.length, 10);
  t.is(new Set(recoveryCodes).size, 10);
  for (const code of recoveryCodes) t.regex(code, /^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
  const browser = server.browser();
  await passFirst(browser, account);
  const [first = '', other = ''] = recoveryCodes;
  t.is((await sendCode(browser, ` ${first.toLowerCase().replaceAll('-', ' ')}`)).status, 200);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'recovery-code.used' }), 1);
  await passFirst(browser, account);
  t.is((await sendCode(browser, first)).status, 401);
  t.is((await sendCode(browser, other)).status, 200);
});

test('security 167: new recovery codes void the old ones', async (t) => {
  const { account, recoveryCodes } = await enrolledAccount(server);
  const { mfa } = server.services;
  const fresh = await mfa.regenerateRecoveryCodes(await server.realm(), account.id, { address: null });
  t.is(fresh?.length, 10);
  t.deepEqual(
    fresh?.filter((code) => recoveryCodes.includes(code)),
    [],
  );
  const browser = server.browser();
  await passFirst(browser, account);
  t.is((await sendCode(browser, String(recoveryCodes[0]))).status, 401);
  t.is((await sendCode(browser, String(fresh?.[0]))).status, 200);
});

test('security 166, 167: neither the key of a factor nor a recovery code is in the database', async (t) => {
  const { account, secret, recoveryCodes } = await enrolledAccount(server);
  const { db } = server.services;
  const { rows } = await db.builder.raw(
    `select (select t::text from totp_factors t where account_id = :id) || (select string_agg(r::text, ' ') from recovery_codes r where account_id = :id) as text`,
    { id: account.id },
  );
  const { text } = rows[0] as { text: string };
  t.true(text.length > 500);
  for (const value of [secret, ...recoveryCodes, ...recoveryCodes.map((code) => code.replaceAll('-', ''))]) {
    t.false(text.includes(value));
    t.false(text.includes(Buffer.from(value).toString('hex')));
  }
});

test('an encrypted key that is moved to another account opens nothing', async (t) => {
  const [mine, victim] = [await enrolledAccount(server), await enrolledAccount(server)];
  const { db } = server.services;
  const row = await db.builder('totp_factors').first('secret_jwe').where({ account_id: mine.account.id });
  await db.builder('totp_factors').where({ account_id: victim.account.id }).update({ secret_jwe: row.secret_jwe });
  const browser = server.browser();
  await passFirst(browser, victim.account);
  t.is((await sendCode(browser, codeOf(mine.secret))).status, 500);
});

// What must not leak: codes and links into the database and the log, mails to addresses that were not meant, and floods.

import test from 'ava';
import { type Mailbox, startMailbox } from '../support/mailbox.ts';
import { REALM_YAML, startTestServer, type TestServer } from '../support/server.ts';
import { SAMPLES } from './samples.ts';
import { sendCode, untilWaiting } from './setup.ts';

let mailbox: Mailbox;
let server: TestServer;
test.before(async () => {
  mailbox = await startMailbox();
  server = await startTestServer({ mailbox });
});
test.after.always(async () => {
  await server?.close();
  await mailbox?.close();
});

/** Every row of every table, the outbox's included, as text. */
async function dump(): Promise<string> {
  const { builder } = server.services.db;
  const { rows } = await builder.raw(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const parts = [];
  for (const { name } of rows as { name: string }[]) {
    const found = await builder.raw(`select t::text as line from ${name} t`);
    parts.push(`${name}\n${(found.rows as { line: string }[]).map(({ line }) => line).join('\n')}`);
  }
  return parts.join('\n');
}

test.serial(
  'security 194: a waiting code, link and recipient are in no row of the database and in no line of the log',
  async (t) => {
    await mailbox.become('down');
    const secrets = ['734901', 'tokenOfALink0123456789abcdef', 'private.person@example.com'];
    const [code, token, address] = secrets as [string, string, string];
    const realmId = (await server.realm()).id;
    const { messages, db } = server.services;
    await db.transaction((q) =>
      messages.send(q, {
        realmId,
        to: { kind: 'email', address },
        template: 'verify-email',
        locale: 'en',
        values: { minutes: 30, code, link: `https://auth.test/verify?token=${token}` },
        expiresInSeconds: 600,
      }),
    );
    await untilWaiting(server, ([row]) => (row?.attempts ?? 0) >= 1);
    const rows = await dump();
    t.true(rows.includes('outgoing_messages') && rows.includes('_private_jobs'));
    for (const secret of secrets) t.false(rows.includes(secret), secret);
    await mailbox.become(450);
    await mailbox.until(() => mailbox.tries() > 0 || null);
    await untilWaiting(server, ([row]) => row?.last_status === 450);
    await mailbox.become('up');
    const mail = await mailbox.next(address);
    t.is(mail.code, code);
    await untilWaiting(server, (left) => left.length === 0);
    t.true(server.lines.some((line) => line.includes('message not sent')));
    t.true(server.lines.some((line) => line.includes('message sent')));
    const log = server.lines.join('\n');
    for (const secret of secrets) t.false(log.includes(secret), secret);
  },
);

const addresses: [title: string, address: string][] = [
  ['quoted local part', '"x@evil.test x"@a.test'],
  ['two addresses', 'a@a.test,b@evil.test'],
  ['two addresses with a semicolon', 'a@a.test;b@evil.test'],
  ['encoded line end', 'a@a.test%0aBcc:b@evil.test'],
  ['line end and header', 'a@a.test\r\nBcc: b@evil.test'],
  ['line end alone', 'a@a.test\n'],
  ['name and brackets', 'Mallory <b@evil.test>'],
  ['brackets inside', 'a@a.test<b@evil.test>'],
  ['group', 'group: a@a.test, b@evil.test;'],
  ['nested groups of 10 KB', 'g:'.repeat(5000)],
  ['comment', 'a(comment)@a.test'],
  ['route', '@relay.test:a@a.test'],
  ['second @', 'a@b@a.test'],
  ['longer than 254', `${'a'.repeat(60)}@${'b.'.repeat(110)}test`],
  ['nothing', ''],
];
for (const [title, address] of addresses) {
  test.serial(`security 146: an address that is not exactly one is given to no mail server: ${title}`, async (t) => {
    const before = mailbox.mails.length;
    const realmId = (await server.realm()).id;
    const { messages, db } = server.services;
    const cpu = process.cpuUsage();
    await t.throwsAsync(
      messages.send(db, {
        realmId,
        to: { kind: 'email', address },
        template: 'sign-in-code',
        locale: 'en',
        values: SAMPLES['sign-in-code'],
        expiresInSeconds: 600,
      }),
      { instanceOf: TypeError },
    );
    t.true(process.cpuUsage(cpu).user < 50_000);
    await sendCode(server, 'witness@example.com');
    await mailbox.next('witness@example.com');
    t.is(mailbox.mails.length, before + 1);
  });
}

test.serial('numbers that are no E.164 are refused', async (t) => {
  const realmId = (await server.realm()).id;
  const { messages, db } = server.services;
  for (const number of ['0151123456', '+0151123456', '+49 151 123', '+49151,+49152', '+1234567890123456', ''])
    await t.throwsAsync(
      messages.send(db, {
        realmId,
        to: { kind: 'phone', number },
        template: 'phone-code',
        locale: 'en',
        values: SAMPLES['phone-code'],
        expiresInSeconds: 600,
      }),
      { instanceOf: TypeError },
      number,
    );
});

test.serial(
  'mayContact lets strangers have three messages sent to one recipient, and an address twenty to anybody',
  async (t) => {
    const realm = await server.realm();
    const { mayContact } = server.services.messages;
    const flood = await Promise.all(
      Array.from({ length: 100 }, (_, index) => mayContact(realm, 'Victim@example.com', `198.51.100.${index}`)),
    );
    t.is(flood.filter(({ isAllowed }) => isAllowed).length, 3);
    const refused = await mayContact(realm, 'victim@EXAMPLE.com', '203.0.113.1');
    t.true(!refused.isAllowed && refused.policy === 'message-recipient' && refused.retryAfterSeconds > 600);
    const spree = await Promise.all(
      Array.from({ length: 60 }, (_, index) => mayContact(realm, `someone-${index}@example.com`, '203.0.113.9')),
    );
    t.is(spree.filter(({ isAllowed }) => isAllowed).length, 20);
    const { rows } = await server.services.db.builder.raw('select key from rate_limits');
    t.notRegex(JSON.stringify(rows), /example\.com/i);
  },
);

test.serial('without a mail server the server starts, says so, and queues nothing', async (t) => {
  const bare = await startTestServer({ yaml: REALM_YAML });
  t.teardown(() => bare.close());
  t.false(bare.services.messages.canReach('email'));
  t.false(bare.services.messages.canReach('phone'));
  t.true(bare.lines.some((line) => line.includes('SMTP_URL is not set')));
  await sendCode(bare, 'nobody@example.com');
  t.deepEqual(await bare.services.db.builder('outgoing_messages').select('id'), []);
  t.true(server.services.messages.canReach('email'));
});

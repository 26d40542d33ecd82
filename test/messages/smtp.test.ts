// The connection to the mail server: encrypted, with a password, and what each answer means.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test from 'ava';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { loadConfig } from '../../server/config.ts';
import { createSmtp } from '../../server/messages/messages.ts';
import { makeTestCa } from '../support/test_ca.ts';
import { draftOf, renderer } from './samples.ts';

const { ca, cert, key } = makeTestCa(['localhost']);
test.before(() => setDefaultCACertificates([...getCACertificates('default'), ca]));

type Seen = { user: string | null; isSecure: boolean };

async function startSmtp(t: { teardown(work: () => unknown): void }, options: SMTPServerOptions) {
  const seen: Seen[] = [];
  const smtp = new SMTPServer({
    key,
    cert,
    closeTimeout: 100,
    onAuth: ({ username, password }, _session, done) =>
      password === 'p@ss word' ? done(null, { user: username }) : done(new Error('Wrong password')),
    onData: (stream, session, done) => {
      stream.resume().on('end', () => {
        seen.push({ user: session.user ? String(session.user) : null, isSecure: session.secure });
        done();
      });
    },
    ...options,
  });
  smtp.on('error', () => undefined);
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  t.teardown(() => new Promise<void>((resolve) => smtp.close(() => resolve())));
  return { seen, port: (smtp.server.address() as AddressInfo).port };
}

async function sendBy(t: { teardown(work: () => unknown): void }, url: string, signal = new AbortController().signal) {
  const smtp = createSmtp(url);
  t.teardown(() => smtp.close());
  return smtp.send(
    {
      ...renderer.mail(draftOf('sign-in-code', 'en')),
      messageId: '<1@example.com>',
      from: { name: 'The Daily', address: 'no-reply@example.com' },
      to: { name: '', address: 'reader@example.com' },
      locale: 'en',
    },
    signal,
  );
}

test('smtps:// speaks TLS from the first byte, and signs in with the user and password of the URL', async (t) => {
  const { seen, port } = await startSmtp(t, { secure: true });
  t.deepEqual(await sendBy(t, `smtps://mail%40daily:p%40ss%20word@localhost:${port}`), { state: 'sent' });
  t.deepEqual(seen, [{ user: 'mail@daily', isSecure: true }]);
});

test('smtp:// turns to TLS where the server offers STARTTLS', async (t) => {
  const { seen, port } = await startSmtp(t, { authOptional: true });
  t.deepEqual(await sendBy(t, `smtp://localhost:${port}`), { state: 'sent' });
  t.deepEqual(seen, [{ user: null, isSecure: true }]);
});

test('smtp:// to another machine sends nothing when the server offers no STARTTLS', async (t) => {
  const { seen, port } = await startSmtp(t, { authOptional: true, disabledCommands: ['STARTTLS'] });
  // 0.0.0.0 is this machine and yet no loopback name.
  const outcome = await sendBy(t, `smtp://0.0.0.0:${port}`);
  t.is(outcome.state, 'failed');
  t.is(seen.length, 0);
  t.deepEqual(await sendBy(t, `smtp://0.0.0.0:${port}?tls=optional`), { state: 'sent' });
  t.deepEqual(seen, [{ user: null, isSecure: false }]);
});

test('a certificate of nobody we know is not spoken to', async (t) => {
  const other = makeTestCa(['localhost']);
  const { seen, port } = await startSmtp(t, { secure: true, authOptional: true, cert: other.cert, key: other.key });
  t.is((await sendBy(t, `smtps://localhost:${port}`)).state, 'failed');
  t.is(seen.length, 0);
});

test('a wrong password of ours is no refusal of the recipient: the mail waits', async (t) => {
  const { port } = await startSmtp(t, { secure: true });
  t.like(await sendBy(t, `smtps://user:wrong-password@localhost:${port}`), { state: 'failed', status: 535 });
});

const answers: [title: string, options: SMTPServerOptions, state: 'failed' | 'refused', status: number][] = [
  ['RFC 5321 §4.2.1: 550 for the recipient is final', { onRcptTo: refuse(550) }, 'refused', 550],
  ['RFC 5321 §4.2.1: 452 for the recipient is not', { onRcptTo: refuse(452) }, 'failed', 452],
  ['550 for our own sender address is not about the recipient', { onMailFrom: refuse(550) }, 'failed', 550],
];
for (const [title, options, state, status] of answers) {
  test(title, async (t) => {
    const { port } = await startSmtp(t, { authOptional: true, ...options });
    const outcome = await sendBy(t, `smtp://localhost:${port}`);
    t.like(outcome, { state, status });
    t.false(JSON.stringify(outcome).includes('reader@example.com'));
  });
}

function refuse(responseCode: number) {
  return (address: { address: string }, _session: unknown, done: (error?: Error | null) => void) =>
    done(Object.assign(new Error(`No ${address.address} here`), { responseCode }));
}

test('a try is broken off when the node goes', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const started = performance.now();
  const outcome = await sendBy(
    t,
    `smtp://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    AbortSignal.timeout(200),
  );
  t.is(outcome.state, 'failed');
  t.true(performance.now() - started < 3000);
});

const urls: [url: string, isRight: boolean][] = [
  ['smtp://mail.example', true],
  ['smtps://user:p%40ss@mail.example:465', true],
  ['smtp://relay.internal:25?tls=optional', true],
  ['smtp://', false],
  ['http://mail.example', false],
  ['mail.example:25', false],
  ['smtp://user:100%@mail.example', false],
  ['smtp://mail.example?tls=off', false],
  ['smtp://mail.example?requireTLS=false', false],
];
for (const [url, isRight] of urls) {
  test(`SMTP_URL ${url} is ${isRight ? 'taken' : 'refused'}, and shown nowhere`, (t) => {
    if (isRight) {
      const config = loadConfig({ SMTP_URL: url });
      t.is(config.smtpUrl?.reveal(), url);
      t.false(JSON.stringify(config).includes('mail.example'));
    } else {
      const error = t.throws(() => loadConfig({ SMTP_URL: url }));
      t.regex(error?.message ?? '', /SMTP_URL (must|has|takes)/);
    }
  });
}

test('the settings of text messages belong together', (t) => {
  t.throws(() => loadConfig({ CAUSEWAY_SMS_WEBHOOK: 'https://sms.example/' }), { message: /_SECRET must be set/ });
  const production = {
    DATABASE_URL: 'postgres://localhost/x',
    CAUSEWAY_SECRET: 'test-secret-0123456789-abcdefghijklmnopqrstuvwxyz',
    CAUSEWAY_SMS_WEBHOOK_SECRET: 'x'.repeat(24),
  };
  t.throws(() => loadConfig({ ...production, CAUSEWAY_SMS_WEBHOOK: 'http://sms.example/' }), { message: /https URL/ });
  t.is(loadConfig({ ...production, CAUSEWAY_SMS_WEBHOOK: 'https://sms.example/' }).smsWebhook, 'https://sms.example/');
  t.throws(() => loadConfig({ CAUSEWAY_MAIL_FROM: 'The Daily <a@b.example>' }), { message: /e-mail address/ });
});

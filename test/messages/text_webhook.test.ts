// Text messages: a signed call of the operator's webhook, the same id for every try.

import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createGuardedFetch } from '../../server/http/outgoing.ts';
import { createTextWebhook } from '../../server/messages/messages.ts';
import { startTestServer } from '../support/server.ts';
import { SAMPLES } from './samples.ts';
import { retryNow, undelivered, untilWaiting } from './setup.ts';

const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const SECRET = `whsec_${KEY.toString('base64')}`;

type Call = { headers: IncomingHttpHeaders; body: string };

/** A server with a webhook that gives these answers, one after the other; and one text message on its way. */
async function sendText(t: { teardown(work: () => unknown): void }, ...answers: number[]) {
  const calls: Call[] = [];
  const webhook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      calls.push({ headers: request.headers, body });
      response.writeHead(answers[Math.min(calls.length, answers.length) - 1] ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const { port } = webhook.address() as AddressInfo;
  const server = await startTestServer({
    env: { CAUSEWAY_SMS_WEBHOOK: `http://127.0.0.1:${port}/texts`, CAUSEWAY_SMS_WEBHOOK_SECRET: SECRET },
  });
  t.teardown(async () => {
    await server.close();
    await new Promise((resolve) => webhook.close(resolve));
  });
  const { messages, db } = server.services;
  const realmId = (await server.realm()).id;
  await db.transaction((q) =>
    messages.send(q, {
      realmId,
      to: { kind: 'phone', number: '+4915112345678' },
      template: 'phone-code',
      locale: 'de',
      values: SAMPLES['phone-code'],
      expiresInSeconds: 600,
    }),
  );
  return { server, calls };
}

test('a text message is posted as JSON, with a signature over exactly what is sent', async (t) => {
  const { server, calls } = await sendText(t, 200);
  await untilWaiting(server, (rows) => rows.length === 0);
  const [{ headers, body }] = calls as [Call];
  const message = JSON.parse(body);
  t.deepEqual(
    { ...message, id: 'id' },
    {
      id: 'id',
      to: '+4915112345678',
      text: '482913 ist Ihr Code für Test Group. Er gilt 10 Minuten. Sagen Sie ihn niemandem.',
      template: 'phone-code',
      locale: 'de',
      realm: 'test',
    },
  );
  t.is(headers['content-type'], 'application/json');
  t.is(headers['webhook-id'], message.id);
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  t.is(headers['webhook-signature'], `v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`);
  t.true(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 60);
  t.false(server.lines.join('\n').includes('482913'));
  t.false(server.lines.join('\n').includes('+4915112345678'));
});

test('a webhook that fails is called again with the same id', async (t) => {
  const { server, calls } = await sendText(t, 503, 429, 204);
  for (const attempts of [1, 2]) {
    await untilWaiting(server, ([row]) => row?.attempts === attempts);
    await retryNow(server);
  }
  await untilWaiting(server, (rows) => rows.length === 0);
  t.is(calls.length, 3);
  t.is(new Set(calls.map(({ headers }) => headers['webhook-id'])).size, 1);
  t.deepEqual(await undelivered(server), []);
});

test('a webhook that refuses is not called again, and the audit log says so', async (t) => {
  const { server, calls } = await sendText(t, 422);
  await untilWaiting(server, (rows) => rows.length === 0);
  t.is(calls.length, 1);
  t.deepEqual(await undelivered(server), [
    { template: 'phone-code', channel: 'phone', reason: 'refused', status: 422 },
  ]);
});

test('a webhook on an address that is not public is not called in production', async (t) => {
  const fetch = createGuardedFetch({ allowLoopback: false });
  const message = { id: '1', to: '+4915112345678', text: 'x', template: 'phone-code', locale: 'en', realm: 'test' };
  for (const url of ['https://127.0.0.1/', 'https://10.0.0.1/', 'http://sms.example/'])
    t.like(await createTextWebhook({ url, secret: SECRET, fetch }).send(message, new AbortController().signal), {
      state: 'failed',
      status: null,
    });
});

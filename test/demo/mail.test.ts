/**
 * The demo's mail page: what the server sends is caught and shown, foreign HTML without any power, and texts only with the
 * right signature. demo/mail_catcher.ts, demo/mail_site.ts
 */
import { request } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { createTransport } from 'nodemailer';
import { startMailCatcher } from '../../demo/mail_catcher.ts';
import { startDemoSites } from '../../demo/sites.ts';
import { signatureHeaders } from '../../server/lib/webhook_signature.ts';
import { read } from './fake_causeway.ts';

const HTML =
  '<html><head></head><body><script>alert(1)</script><a href="https://auth.example/verify?a=1&amp;b=2">Confirm</a><img src="cid:logo"></body></html>';

async function startPage(t: ExecutionContext) {
  const catcher = await startMailCatcher();
  const sites = await startDemoSites({
    port: 0,
    host: '127.0.0.1',
    causeway: 'http://127.0.0.1:9',
    authOrigin: 'http://auth.localhost:9',
    log: (line) => t.log(line),
    catcher,
  });
  t.teardown(async () => {
    await sites.close();
    await catcher.close();
  });
  const origin = `http://mail.localhost:${new URL(sites.origins[0] as string).port}`;
  const transport = createTransport(catcher.smtpUrl);
  const send = (to: string, subject: string) =>
    transport.sendMail({
      from: 'The Daily <no-reply@auth.example>',
      to,
      subject,
      text: 'Confirm:\nhttps://auth.example/verify?a=1&b=2\n\n482913',
      html: HTML,
      attachments: [{ cid: 'logo', filename: 'logo.png', content: Buffer.from('png') }],
    });
  return { catcher, origin, send };
}

test('a caught mail is listed newest first, and its links can be clicked in text and HTML', async (t) => {
  const { origin, send, catcher } = await startPage(t);
  t.true((await read(`${origin}/`)).body.includes('Nothing was sent yet'));
  await send('one@example.com', 'The <first>');
  await send('two@example.com', 'The second');
  const { body } = await read(`${origin}/`);
  t.true(body.indexOf('The second') < body.indexOf('The &lt;first&gt;'));
  t.true(body.includes('href="https://auth.example/verify?a=1&amp;b=2" target="_blank"'));
  const first = catcher.caught.find(({ to }) => to === 'one@example.com');
  const one = await read(`${origin}/messages/${first?.id}`);
  t.true(one.body.includes('<h1>The &lt;first&gt;</h1>'));
  t.regex(
    one.body,
    /<iframe src="\/messages\/[\w-]+\/html"[^>]*sandbox="allow-popups allow-popups-to-escape-sandbox">/,
  );
  const filtered = await read(`${origin}/?to=two%40example.com`);
  t.true(filtered.body.includes('The second'));
  t.false(filtered.body.includes('The &lt;first&gt;'));
});

test('the HTML of a mail runs no script, has no origin, and brings its pictures along', async (t) => {
  const { origin, send, catcher } = await startPage(t);
  await send('one@example.com', 'Hello');
  const { answer, body } = await read(`${origin}/messages/${catcher.caught[0]?.id}/html`);
  const policy = String(answer.headers['content-security-policy']);
  t.regex(policy, /default-src 'none'/);
  t.regex(policy, /sandbox allow-popups allow-popups-to-escape-sandbox(;|$)/);
  t.notRegex(policy, /script-src|allow-scripts|allow-same-origin/);
  t.true(body.includes(`src="data:image/png;base64,${Buffer.from('png').toString('base64')}"`));
  t.true(body.includes('<base target="_blank">'));
});

test('a text message counts only with the signature over what was sent, and while it is fresh', async (t) => {
  const { origin, catcher } = await startPage(t);
  const body = JSON.stringify({ id: 'one', to: '+4915112345678', text: '482913 is your code', realm: 'demo' });
  const now = Math.floor(Date.now() / 1000);
  const signed = (timestamp: number) => signatureHeaders(catcher.webhookSecret, { id: 'one', timestamp, body });
  t.is(await post(`${origin}/texts`, {}, body), 401);
  t.is(await post(`${origin}/texts`, signed(now), `${body} `), 401);
  t.is(await post(`${origin}/texts`, signed(now - 600), body), 401);
  t.is(catcher.caught.length, 0);
  t.is(await post(`${origin}/texts`, signed(now), body), 204);
  t.like(catcher.caught[0], { kind: 'text', to: '+4915112345678', text: '482913 is your code' });
  t.true((await read(`${origin}/`)).body.includes('482913 is your code'));
});

test('no more than 200 messages are kept, and what is gone is said to be gone', async (t) => {
  const { origin, catcher } = await startPage(t);
  const body = JSON.stringify({ to: '+4915112345678', text: 'x', realm: 'demo' });
  for (let count = 0; count < 205; count++)
    catcher.takeText(
      signatureHeaders(catcher.webhookSecret, { id: `${count}`, timestamp: Math.floor(Date.now() / 1000), body }),
      body,
    );
  t.is(catcher.caught.length, 200);
  const { answer, body: page } = await read(`${origin}/messages/not-here`);
  t.is(answer.statusCode, 404);
  t.true(page.includes('not here any more'));
});

function post(url: string, headers: Record<string, string>, body: string): Promise<number> {
  const { host, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: pathname, method: 'POST', headers: { host, ...headers } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end(body);
  });
}

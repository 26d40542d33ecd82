// Codes cannot be guessed, are kept as hashes only, and leave no trace on their way; redirects say nothing but where to.

import test from 'ava';
import { type Answer, authorizeUrl } from '../support/browser.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';
import { beginSession, inTurns, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTO_SSO, EVIL, issueDirectly, liveSession, NEWS, onAuth, reachCode } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test('security 8: a thousand codes are distinct, of 256 bits, and look like chance', async (t) => {
  const session = await liveSession(server, await beginSession(server, await server.makeAccount(), ['auth']));
  const codes: string[] = [];
  await inTurns(1000, 8, async () => {
    codes.push((await issueDirectly(server, session)).code);
  });
  t.is(new Set(codes).size, 1000);
  t.true(codes.every((code) => /^[A-Za-z0-9_-]{43}$/.test(code)));
  const bytes = codes.map((code) => Buffer.from(code, 'base64url'));
  t.true(bytes.every((one) => one.length === 32));
  t.is(new Set(bytes.map((one) => one.subarray(0, 8).toString('hex'))).size, 1000, 'no common prefix');
  const bits = Buffer.concat(bytes).reduce((text, byte) => text + byte.toString(2).padStart(8, '0'), '');
  // 256,000 bits: six standard deviations either way, so chance fails this once in 500 million runs.
  const spread = 6 * Math.sqrt(bits.length);
  t.true(Math.abs(2 * [...bits].filter((bit) => bit === '1').length - bits.length) < spread, 'as many ones as zeros');
  let changes = 0;
  for (let index = 1; index < bits.length; index++) if (bits[index] !== bits[index - 1]) changes++;
  t.true(Math.abs(2 * changes - (bits.length - 1)) < spread, 'a bit says nothing of the next');
  for (let column = 0; column < 256; column++) {
    const ones = bytes.filter((one) => ((one[column >> 3]! >> (column & 7)) & 1) === 1).length;
    t.true(ones > 350 && ones < 650, `bit ${column} is no constant`);
  }
});

test('security 8, 10: no code, flow secret or password of whole journeys stands in the log or in any column of the code table', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const secrets: string[] = [PASSWORD];
  const arrived = await browser.signInThrough(NEWS, account, PASSWORD, 'news');
  for (const hop of arrived.hops)
    secrets.push(...['code', 'flow', 'request_handle'].flatMap((name) => new URL(hop).searchParams.get(name) ?? []));
  const { landing, code } = await reachCode(browser, 'sports');
  secrets.push(code);
  for (const times of [1, 2]) t.is((await browser.navigate(landing, { from: AUTH })).status, 303, String(times));
  await server.browser().navigate(landing, { from: EVIL });
  secrets.push(...[...browser.jars.values()].flatMap((jar) => [...jar.values()]));
  t.true(secrets.length >= 8 && secrets.every((secret) => secret.length > 8));
  t.true(server.lines.length > 5);
  const log = server.lines.join('\n');
  const table = JSON.stringify(await server.services.db.builder('authorization_codes').select('*'));
  for (const secret of secrets) {
    t.false(log.includes(secret) || log.includes(encodeURIComponent(secret)), `in the log: ${secret}`);
  }
  for (const secret of [code, ...browser.jarOf(HOSTS.news).values()]) t.false(table.includes(secret));
  t.true(table.length > 100);
});

/** Every answer of a whole sign-in, of a silent one, and of a sign-out. */
async function journey(headers: Record<string, string>): Promise<Answer[]> {
  const account = await server.makeAccount();
  const browser = server.browser();
  const answers: Answer[] = [];
  const walk = async (url: string) => {
    let answer = await browser.navigate(url, { headers });
    answers.push(answer);
    while (answer.location?.includes('localhost') && /\/api\/auth\/|\/login/.test(answer.location)) {
      answer = await browser.navigate(new URL(answer.location, answer.url).href, { headers });
      answers.push(answer);
    }
    return answer;
  };
  const page = await walk(authorizeUrl(NEWS, 'news', `${NEWS}/page`));
  const posted = await browser.submit(
    page,
    { identifier: account.email, password: PASSWORD },
    { headers: { ...headers, 'Sec-Fetch-Site': 'same-origin' } },
  );
  answers.push(posted);
  await walk(new URL(String(posted.location), AUTH).href);
  await walk(authorizeUrl(NEWS, 'news', `${NEWS}/page`, {}, AUTO_SSO));
  await walk(onAuth('sports'));
  await walk(`${NEWS}/api/auth/v1/logout?redirect-url=${encodeURIComponent(`${NEWS}/bye`)}`);
  return answers;
}

test('security 10, 11, 27: every redirect of a journey is 303 with an empty body, and no answer lets its address out', async (t) => {
  const answers = await journey({});
  t.true(answers.filter(({ status }) => status === 303).length >= 12);
  for (const { status, headers, text, url } of answers) {
    t.true(status === 303 || status === 200, `${status} ${url}`);
    if (status === 303) t.is(text, '');
    t.is(headers['referrer-policy'], 'no-referrer', url);
    t.is(headers['cache-control'], 'no-store', url);
    // Pages load nothing from elsewhere, so no address with a secret reaches a third party.
    t.notRegex(text, /(?:src|href)="https?:\/\/(?!\w+\.test\.localhost)/);
  }
});

test('security 27: the page a request claims to come from never becomes a target', async (t) => {
  const answers = await journey({ Referer: `${EVIL}/from`, Referrer: `${EVIL}/from` });
  t.true(answers.length >= 10);
  for (const { location, text, url } of answers) {
    t.false(String(location).includes('evil.test'), url);
    t.false(text.includes('evil.test'), url);
  }
});

test('security 27: a refused address is shown as text, never as a link or markup', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  for (const callback_uri of [
    'javascript:alert(1)',
    'https://evil.test/"><script>alert(1)</script>',
    "https://evil.test/' onmouseover='x",
  ]) {
    for (const more of [{ callback_uri }, { redirect_uri: callback_uri }, { client_id: callback_uri }]) {
      const page = await browser.navigate(onAuth('news', more));
      t.is(page.status, 400);
      t.notRegex(page.text, /<script|<a[^>]+(?:evil|javascript)|<[^>]*\son\w+=/i);
      t.notRegex(page.text, /(?:href|src|action)="[^"]*(?:evil\.test|javascript:)/i);
    }
  }
});

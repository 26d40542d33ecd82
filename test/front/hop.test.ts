// The hop in front of the general way: the same answers as there, and nothing answered there that needs a closer look.
// One test after the other: they count who went which way.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { FLOW, isReader, NEWS, onAuth, setsSession } from '../oauth/flow.ts';
import { type Answer, send } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());

// The general way, and only that, asks in this manner where a request arrived.
let general = 0;
const { realms } = server.services;
const { findSite } = realms;
realms.findSite = (host) => {
  general++;
  return findSite(host);
};

/** What a browser sends that opens a page; the second set is one that nobody knows, and is looked at more closely. */
const OPENED = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Accept: 'text/html' };
const CLOSER = { ...OPENED, 'X-Purpose': 'none' };

const ask = async (t: ExecutionContext, url: string, headers: Record<string, string>, isInFront: boolean) => {
  const before = general;
  const answer = await send(server.port, url, { headers });
  t.is(general === before, isInFront, `${url} with ${JSON.stringify(headers)}: ${answer.status}`);
  return answer;
};

/** An answer without what chance puts into it. */
function comparable({ status, headers, text }: Answer) {
  const { date: _date, 'x-request-id': id, ...rest } = headers;
  // What is left of a session's life is a second less a second later.
  const blurred = JSON.stringify(rest).replaceAll(
    /[A-Za-z0-9_-]{43}|(?<=__Host-qt-flow-)\w{13}|(?<=Max-Age=)\d{5,}/g,
    '*',
  );
  return { status, headers: JSON.parse(blurred), text, hasId: /^[\w-]{12}$/.test(String(id)) };
}

const cookieOf = (answer: Answer): string =>
  answer.cookies
    .map((line) => line.slice(0, line.indexOf(';')))
    .filter((pair) => pair.startsWith(FLOW))
    .join('; ');
const START = onAuth('news', { state: 'über #&=' }).replace(/^https?:\/\/[^/]+/, NEWS);

test.serial('a whole hop in front is letter by letter the one of the general way, and signs in', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const cookies = [...browser.jarOf(HOSTS.auth)].map(([name, value]) => `${name}=${value}`).join('; ');
  // Realms and clients are in memory once somebody has asked.
  await send(server.port, START, { headers: OPENED });
  await send(server.port, onAuth(), { headers: OPENED });
  const walk = async (headers: Record<string, string>, isInFront: boolean) => {
    const begun = await ask(t, START, headers, isInFront);
    const issued = await ask(t, String(begun.location), { ...headers, Cookie: cookies }, isInFront);
    const flow = `${cookieOf(begun)}; __Host-qt-quiet=1`;
    const landed = await ask(t, String(issued.location), { ...headers, Cookie: flow }, isInFront);
    return [begun, issued, landed];
  };
  const quick = await walk(OPENED, true);
  const careful = await walk(CLOSER, false);
  t.deepEqual(quick.map(comparable), careful.map(comparable));
  t.true(setsSession(quick[2] as Answer));
  for (const line of quick[2]?.cookies ?? []) {
    const [pair = ''] = line.split(';');
    const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    browser.jarOf(HOSTS.news).set(name, value);
  }
  await isReader(t, browser, NEWS, account);
});

test.serial(
  'the front keeps every promise of the flow: what it does not answer is judged by the general way',
  async (t) => {
    const { browser } = await signedInBrowser(server, ['auth']);
    const cookies = [...browser.jarOf(HOSTS.auth)].map(([name, value]) => `${name}=${value}`).join('; ');
    const signedIn = { ...OPENED, Cookie: cookies };
    await send(server.port, START, { headers: OPENED });
    const begun = await ask(t, START, OPENED, true);
    const onwards = String(begun.location);
    const cases: [what: string, url: string, headers: Record<string, string>, status: number][] = [
      ['nobody signed in', onwards, OPENED, 303],
      ['a dead cookie', onwards, { ...OPENED, Cookie: cookies.replace(/(qt-auth=.)./g, '$1A') }, 303],
      ['a cookie twice', onwards, { ...OPENED, Cookie: `${cookies}; qt-auth=x` }, 303],
      ['an unknown client', onwards.replace('client_id=news', 'client_id=nobody'), signedIn, 400],
      ['a foreign redirect URI', onwards.replace('redirect_uri=http', 'redirect_uri=httq'), signedIn, 400],
      ['a foreign callback', `${onwards}&callback_uri=https%3A%2F%2Fevil.test%2F`, signedIn, 400],
      ['a script', `${onwards}&allow_ajax=true`, { ...signedIn, 'Sec-Fetch-Mode': 'cors' }, 200],
      ['a part of a page', onwards, { ...signedIn, 'Sec-Fetch-Dest': 'image' }, 403],
      ['a browser that fetches ahead', onwards, { ...signedIn, 'Sec-Purpose': 'prefetch' }, 403],
      ['a broken escape', `${onwards}&state=%ff`, signedIn, 400],
    ];
    for (const [what, url, headers, status] of cases) t.is((await ask(t, url, headers, false)).status, status, what);

    t.is((await send(server.port, `${onwards}&x=${'x'.repeat(8200)}`, { headers: signedIn })).status, 414);
    const issued = await ask(t, onwards, signedIn, true);
    const landing = String(issued.location);
    const flow = { ...OPENED, Cookie: cookieOf(begun) };
    t.false(setsSession(await ask(t, `${landing}&code=twice`, flow, false)));
    const landed = await ask(t, landing, flow, true);
    t.true(setsSession(landed));
    // A reload within the minute: the code is used, and the browser holds what it made.
    const held = landed.cookies.map((line) => line.slice(0, line.indexOf(';'))).join('; ');
    const again = await ask(t, landing, { ...OPENED, Cookie: held }, false);
    t.is(again.status, 303);
    t.false(setsSession(again));
    t.is((await ask(t, landing, { ...OPENED, Cookie: cookieOf(begun) }, false)).status, 303);
  },
);

test.serial('security 1: in front, too, a code that came of a flow of another browser signs nobody in', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const cookies = [...browser.jarOf(HOSTS.auth)].map(([name, value]) => `${name}=${value}`).join('; ');
  const [mine, foreign] = [await send(server.port, START, { headers: OPENED }), await ask(t, START, OPENED, true)];
  const issued = await ask(t, String(mine.location), { ...OPENED, Cookie: cookies }, true);
  const landed = await ask(t, String(issued.location), { ...OPENED, Cookie: cookieOf(foreign) }, false);
  t.false(setsSession(landed));
});

test.serial(
  'a code that could not be written is told to the operator where its reader has gone meanwhile',
  async (t) => {
    const { browser } = await signedInBrowser(server, ['auth']);
    const cookies = [...browser.jarOf(HOSTS.auth)].map(([name, value]) => `${name}=${value}`).join('; ');
    const begun = await send(server.port, START, { headers: OPENED });
    const { pathname, search } = new URL(String(begun.location));
    const served: Socket[] = [];
    const onServed = (message: unknown) => void served.push((message as { socket: Socket }).socket);
    subscribe('net.server.socket', onServed);
    const { oauth } = server.services;
    const { issueCode } = oauth;
    const reader = connect(server.port, '127.0.0.1');
    oauth.issueCode = async () => {
      reader.resetAndDestroy();
      await until(() => served.length > 0 && served.every((socket) => socket.destroyed));
      throw new Error('the disk is full');
    };
    try {
      reader.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${HOSTS.auth}\r\nCookie: ${cookies}\r\n\r\n`);
      await until(() => server.lines.some((line) => line.includes('the disk is full')));
    } finally {
      oauth.issueCode = issueCode;
      unsubscribe('net.server.socket', onServed);
    }
    const told = server.lines.filter((line) => line.includes('the disk is full')).map((line) => JSON.parse(line));
    t.is(told.length, 1);
    t.like(told[0], { level: 50, error: 'server_error', host: HOSTS.auth });
  },
);

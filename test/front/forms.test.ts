// Bodies of every shape at the addresses where small forms are read in front of the general way: each gets the answer that it gets there, and
// what was read in front reaches the general way whole. Bytes are written as they are. One test after the other: they count who
// went which way.

import { connect } from 'node:net';
import test from 'ava';
import { bodiesIn, headOf, statusesIn, until } from '../support/raw.ts';
import { basicOf, createRelyingParty, putClients, SECRET, signedInReader } from '../support/relying_party.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

const server = await startTestServer();
await putClients(server, [{ id: 'rp', require_pkce: false, consent: 'implied' }]);
test.after.always(() => server.close());
const party = createRelyingParty(server, 'rp');

// The general way, and only that, asks in this manner where a request arrived.
let general = 0;
const { realms } = server.services;
const { findSite } = realms;
realms.findSite = (host) => {
  general++;
  return findSite(host);
};

const BASIC = `Authorization: ${basicOf('rp', SECRET)}`;
const FORM = 'Content-Type: application/x-www-form-urlencoded';
/** A header that the general way alone judges, and that changes nothing of the answer. */
const CLOSER = 'X-Purpose: none';

/** Node says so to who asks for it. */
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** A request for introspection. */
const post = (lines: readonly string[], body: string, path = '/oauth/introspect') =>
  `${headOf('POST', path, [BASIC, ...lines], HOSTS.auth)}\r\n${body}`.replace('Connection: close\r\n', '');
const withLength = (body: string, ...lines: string[]) =>
  post([...lines, `Content-Length: ${Buffer.byteLength(body)}`], body);

/** Writes pieces to one connection, each in a packet of its own, and returns what came back once so many answers are there, or it ended. */
function say(pieces: readonly string[], answers = 1): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true }, async () => {
      for (const piece of pieces) {
        socket.write(piece, 'latin1');
        await new Promise((next) => setTimeout(next, pieces.length > 1 ? 20 : 0));
      }
    });
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      text = `${text}${piece}`.replace(CONTINUE, '');
      if (bodiesIn(text).length >= answers) socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

async function watched(pieces: readonly string[], answers?: number) {
  const before = general;
  const text = await say(pieces, answers);
  return { text, isInFront: general === before };
}

/** An answer without what chance and time put into it, its lines in order. */
const comparable = (text: string) =>
  text
    .replace(/X-Request-Id: [\w-]{12}/, '')
    .replace(/Date: [^\r]+/, '')
    .split('\r\n')
    .sort();

async function liveToken(): Promise<string> {
  const { browser } = await signedInReader(server, [server.port]);
  const { access_token: token } = await party.signIn(browser);
  // Until it is answered in front: a busy node may be without its lease for a moment.
  await until(async () => (await watched([withLength(`token=${token}`, FORM)])).isInFront);
  return token;
}

test.serial('a form of every shape is answered in front or by the general way, and alike', async (t) => {
  const token = await liveToken();
  const usual = `token=${token}`;
  const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
  const many = Array.from({ length: 101 }, (_, nr) => `f${nr}=1`).join('&');
  const cases: [what: string, request: string, status: number, isInFront?: boolean][] = [
    ['as usual', withLength(usual, FORM), 200, true],
    ['with its character set', withLength(usual, `${FORM};charset=UTF-8`), 200, true],
    ['in letters of other case', withLength(usual, FORM.replace('content-type', 'CONTENT-TYPE')), 200, true],
    ['escaped letter by letter', withLength(`%74oken=${token.replace('_', '%5F')}`, FORM), 200, true],
    ['with empty and unknown fields', withLength(`&${usual}&token_type_hint=&x=+y%20z`.slice(1), FORM), 200, true],
    ['a value with line breaks', withLength(`${usual}&x=%0a%09`, FORM), 200, true],
    ['announced', withLength(usual, FORM, 'Expect: 100-continue'), 200, true],
    ['of another character set', withLength(usual, `${FORM}; charset=latin1`), 415],
    ['of another type', withLength(usual, 'Content-Type: application/json'), 415],
    ['of no type', withLength(usual), 415],
    ['compressed', withLength(usual, FORM, 'Content-Encoding: gzip'), 415],
    ['compressed by nothing', withLength(usual, FORM, 'Content-Encoding: identity'), 200],
    ['in chunks', post([FORM, 'Transfer-Encoding: chunked'], chunked(usual)), 200],
    ['in chunks, too large', post([FORM, 'Transfer-Encoding: chunked'], chunked('x'.repeat(200_000))), 413],
    ['large', withLength(`${usual}&x=${'y'.repeat(9000)}`, FORM), 200],
    ['too large', withLength(`${usual}&x=${'y'.repeat(103_000)}`, FORM), 413],
    ['of no length', post([FORM], ''), 400],
    ['empty', withLength('', FORM), 400],
    ['a field twice', withLength(`${usual}&${usual}`, FORM), 400],
    ['an empty field twice', withLength(`${usual}&x=&x=`, FORM), 400],
    ['a field that is called proto', withLength(`${usual}&__proto__=1`, FORM), 200, true],
    ['too many fields', withLength(`${usual}&${many}`, FORM), 400],
    ['nothing but separators', withLength('&&', FORM), 400],
    ['a broken escape', withLength(`${usual}&x=%zz`, FORM), 400],
    ['an escape that is no UTF-8', withLength(`${usual}&x=%ff`, FORM), 400],
    ['a control character', withLength(`${usual}&x=%00`, FORM), 400],
    ['a bare control character', withLength(`${usual}&x=\u0001`, FORM), 400],
    ['bare UTF-8', post([FORM, `Content-Length: ${usual.length + 5}`], `${usual}&x=\u00c3\u00a4`), 200],
    ['bare bytes that are no UTF-8', post([FORM, `Content-Length: ${usual.length + 4}`], `${usual}&x=\u00ff`), 400],
    ['two lengths', withLength(usual, FORM, `Content-Length: ${usual.length}`), 400],
  ];
  for (const [what, request, status, isInFront = false] of cases) {
    const { text, ...got } = await watched([request]);
    t.is(statusesIn(text)[0], status, what);
    // Node refuses this one itself.
    if (what !== 'two lengths') t.is(got.isInFront, isInFront, what);
    const careful = await say([request.replace(`\r\n${BASIC}`, `\r\n${BASIC}\r\n${CLOSER}`)]);
    t.deepEqual(comparable(text), comparable(careful), what);
  }
});

test.serial(
  'a form that arrives in pieces is waited for, and one that never arrives whole ends nothing but its request',
  async (t) => {
    const token = await liveToken();
    const whole = withLength(`token=${token}`, FORM);
    const cut = [whole.length - 60, whole.length - 30, whole.length - 1];
    const pieces = [0, ...cut].map((at, index) => whole.slice(at, cut[index]));
    const slow = await watched(pieces);
    t.is(bodiesIn(slow.text)[0], bodiesIn(await say([whole]))[0]);
    t.true(slow.isInFront);

    for (const lines of [[FORM], [FORM, CLOSER]]) {
      const [before, asked] = [server.lines.length, general];
      const socket = connect(server.port, '127.0.0.1');
      socket.write(withLength(`token=${token}`, ...lines).slice(0, -10));
      await new Promise((resolve) => socket.once('connect', resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
      // Nobody is there to read the answer; the log tells what became of it.
      await until(() => server.lines.slice(before).some((line) => line.includes('"route":"oauth.introspect"')));
      const told = server.lines.slice(before).find((line) => line.includes('"route":"oauth.introspect"')) ?? '{}';
      t.is(JSON.parse(told).status, 400);
      t.is(general, asked + 1);
    }
    t.true((await watched([whole])).isInFront);
  },
);

test.serial(
  'requests behind a form on the same connection are read where it ends, whichever way it went',
  async (t) => {
    const token = await liveToken();
    const right = withLength(`token=${token}`, FORM);
    const inChunks = post(
      [FORM, 'Transfer-Encoding: chunked'],
      `${(6 + token.length).toString(16)}\r\ntoken=${token}\r\n0\r\n\r\n`,
    );
    const wrong = right.replace(BASIC, `Authorization: ${basicOf('rp', 'wrong')}`);
    const userinfo = `GET /oauth/userinfo HTTP/1.1\r\nHost: ${HOSTS.auth}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    const refused = withLength('x=%zz', FORM);
    const row = [right, userinfo, wrong, right, inChunks, refused, right, userinfo];
    for (const pieces of [[row.join('')], row]) {
      const text = await say(pieces, row.length);
      t.deepEqual(statusesIn(text), [200, 200, 401, 200, 200, 400, 200, 200]);
      const bodies = bodiesIn(text);
      t.is(bodies.length, row.length);
      for (const index of [0, 3, 4, 6]) t.true(bodies[index]?.startsWith('{"active":true'), String(index));
    }
    // More than its length says is no part of a form, but of a next request, and none that is well-formed.
    t.deepEqual(statusesIn(await say([right, '&token=x\r\n\r\n'], 2)), [200, 400]);
    const careful = right.replace(BASIC, `${BASIC}\r\n${CLOSER}`);
    const [surplus, same] = [await say([`${right}&token=x\r\n\r\n`], 2), await say([`${careful}&token=x\r\n\r\n`], 2)];
    t.deepEqual(statusesIn(surplus), statusesIn(same));
  },
);

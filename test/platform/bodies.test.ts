import test from 'ava';
import { send } from '../support/browser.ts';
import { API, AUTH, UNLIMITED_YAML } from '../support/raw.ts';
import { originOf, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const { db } = server.services;

const VALID = '{"email":"body-test@example.com","password":"a long enough password"}';
const JSON_TYPE = 'application/json';
const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding).toString('latin1');

/** Name, body as latin1, Content-Type (undefined: none), expected status. */
const BODIES: [string, string, string | undefined, 400 | 415][] = [
  ['text/plain, as a form of another site sends it', VALID, 'text/plain', 415],
  ['a form', 'email=body-test%40example.com&password=a+long+enough+password', 'application/x-www-form-urlencoded', 415],
  ['no content type', VALID, undefined, 415],
  ['charset utf-16', bytes(VALID, 'utf16le'), 'application/json; charset=utf-16', 415],
  ['charset utf-7', VALID, 'application/json; charset=utf-7', 415],
  ['a boundary', VALID, 'application/json; boundary=x', 415],
  ['two content types', VALID, 'application/json, text/plain', 415],
  ['application/json5', VALID, 'application/json5', 415],
  ['UTF-16 bytes that are called UTF-8', bytes(VALID, 'utf16le'), JSON_TYPE, 400],
  ['bytes that are no UTF-8', VALID.replace('body-test', 'body\xff\xfetest'), JSON_TYPE, 400],
  ['overlong UTF-8', VALID.replace('body-test', 'body\xc0\xaftest'), JSON_TYPE, 400],
  ['a byte order mark', `\xef\xbb\xbf${VALID}`, JSON_TYPE, 400],
  ['a repeated key', VALID.replace('{', '{"email":"other@example.com",'), JSON_TYPE, 400],
  ['a repeated key, escaped', VALID.replace('{', '{"em\\u0061il":"other@example.com",'), JSON_TYPE, 400],
  ['trailing garbage', `${VALID}x`, JSON_TYPE, 400],
  ['a second document', `${VALID}${VALID}`, JSON_TYPE, 400],
  ['a trailing comma', VALID.replace('}', ',}'), JSON_TYPE, 400],
  ['a comment', VALID.replace('{', '{/* */'), JSON_TYPE, 400],
  ['single quotes', VALID.replaceAll('"', "'"), JSON_TYPE, 400],
  ['an empty body', '', JSON_TYPE, 400],
  ['blanks', ' \n ', JSON_TYPE, 400],
  ['null', 'null', JSON_TYPE, 400],
  ['an array', `[${VALID}]`, JSON_TYPE, 400],
  ['a string', JSON.stringify(VALID), JSON_TYPE, 400],
  ['a number', '1e400', JSON_TYPE, 400],
  ['NaN', '{"email":NaN}', JSON_TYPE, 400],
  ['an unfinished document', VALID.slice(0, -1), JSON_TYPE, 400],
];

for (const path of ['login', 'signup'] as const) {
  test(`security 185: ${path} refuses every body that is no plain JSON object with 400 or 415, without any effect`, async (t) => {
    for (const [what, body, type, status] of BODIES) {
      const answer = await send(server.port, `${API}/${path}`, {
        method: 'POST',
        headers: { 'Content-Type': type },
        body: Buffer.from(body, 'latin1') as unknown as string,
      });
      t.is(answer.status, status, what);
      t.deepEqual(Object.keys(answer.json()), ['message', 'error'], what);
      t.deepEqual(answer.cookies, [], what);
    }
    t.is(await db.builder('accounts').first('id').where('email', 'like', '%body%'), undefined);
    t.is(await db.builder('rate_limits').first('key'), undefined, 'nothing was counted as a try');
  });
}

test('security 185: a JSON content type with charset utf-8 is taken, however it is spelled', async (t) => {
  for (const type of [
    JSON_TYPE,
    'Application/JSON',
    'application/json;charset=UTF-8',
    'application/json; charset="utf-8"',
  ]) {
    // Past the guard, the reader is asked for.
    t.is(
      (
        await send(server.port, `${API}/users/profile`, {
          method: 'POST',
          headers: { 'Content-Type': type },
          body: '{}',
        })
      ).status,
      401,
      type,
    );
  }
});

test('security 182, 183, 185: the forms of the hosted pages refuse repeated, broken and wrongly typed fields', async (t) => {
  const type = 'application/x-www-form-urlencoded';
  const cases: [string, string, number][] = [
    ['identifier=a&identifier=b', type, 400],
    ['identifier=%zz', type, 400],
    ['identifier=%00', type, 400],
    ['identifier=%C0%AF', type, 400],
    ['%FF=1', type, 400],
    ['identifier=a', 'text/plain', 415],
    ['{"identifier":"a"}', JSON_TYPE, 415],
    ['__proto__=1&identifier=a', type, 403],
    ['identifier[]=a', type, 403],
    ['', type, 403],
  ];
  for (const [body, contentType, status] of cases) {
    const headers = { 'Content-Type': contentType, Accept: 'text/html', Origin: originOf('auth') };
    for (const path of ['/login', '/signup'])
      t.is(
        (await send(server.port, `${AUTH}${path}`, { method: 'POST', headers, body })).status,
        status,
        `${path} ${body}`,
      );
  }
});

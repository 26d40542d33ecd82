// URLs that others hand us, as tables and as properties: what a callback becomes, and a parameter added to one.

import test from 'ava';
import fc from 'fast-check';
import type { CallbackUri } from '../../server/lib/ids.ts';
import { checkCallback, hasParameter, withParameter } from '../../server/lib/url.ts';

const A = 'https://a.test';
const callback = (text: string) => text as CallbackUri;
/** What a callback becomes, or why it is refused. */
function judge(raw: string, origins: readonly string[] = [A]): string {
  const checked = checkCallback(raw, origins);
  return checked.ok ? checked.callback : checked.reason;
}

for (const [raw, wanted] of [
  [A, `${A}/`],
  ['https://A.Test/X', `${A}/X`],
  ['HTTPS://a.test', `${A}/`],
  ['https://a%2etest/', `${A}/`],
  ['https://ａ.test/', `${A}/`],
  [`${A}:443/`, `${A}/`],
  [`${A}/a/../b/./c`, `${A}/b/c`],
  [`${A}/ü?é=ä#ö`, `${A}/%C3%BC?%C3%A9=%C3%A4#%C3%B6`],
  [`${A}/?q=a b`, `${A}/?q=a%20b`],
  [`${A}/?to=https://evil.test@x`, `${A}/?to=https://evil.test@x`],
  [`${A}/@evil.test`, `${A}/@evil.test`],
  [`${A}?x`, `${A}/?x`],
  [`${A}/%`, `${A}/%`],
  [`${A}/api/authors`, `${A}/api/authors`],
  [`${A}/api`, `${A}/api`],
  [`${A}/x/api/auth/`, `${A}/x/api/auth/`],
  ['https://a.test@evil.test/', 'malformed'],
  ['https://evil.test@a.test/', 'malformed'],
  ['https://@a.test/', 'malformed'],
  ['https://a.test.evil.test/', 'foreign-host'],
  ['https://a.test./', 'foreign-host'],
  ['https://x.a.test/', 'foreign-host'],
  ['https://a.test:8443/', 'foreign-host'],
  ['http://a.test/', 'foreign-host'],
  ['https://а.test/', 'foreign-host'],
  ['//a.test/', 'malformed'],
  ['/page', 'malformed'],
  ['https:a.test', 'malformed'],
  ['https:/a.test', 'malformed'],
  ['https:///a.test', 'malformed'],
  ['https:\\\\a.test', 'malformed'],
  ['https://a.test\\x', 'malformed'],
  [` ${A}`, 'malformed'],
  [`${A} `, 'malformed'],
  [`${A}\n`, 'malformed'],
  [`${A}/\u0000`, 'malformed'],
  [`${A}/\u007f`, 'malformed'],
  [`${A}/%0d`, 'malformed'],
  [`${A}/?x=%0A`, 'malformed'],
  ['https://a.test%00/', 'malformed'],
  ['https://', 'malformed'],
  ['', 'malformed'],
  ['javascript:alert(1)', 'malformed'],
  ['blob:https://a.test/x', 'malformed'],
  [`${A}/api/auth`, 'reserved-path'],
  [`${A}/api/auth/v1/logout`, 'reserved-path'],
  [`${A}//API//auth/x`, 'reserved-path'],
  [`${A}/%61pi%2fauth/x`, 'reserved-path'],
  [`${A}/x/%2e%2e%2fapi/auth/x`, 'reserved-path'],
  [`${A}/api%5cauth`, 'reserved-path'],
  [`${A}/${'x'.repeat(2033)}`, `${A}/${'x'.repeat(2033)}`],
  [`${A}/${'x'.repeat(2034)}`, 'too-long'],
] as const) {
  const [shown, becomes] = [raw, wanted].map((text) =>
    text.length > 80 ? `${text.length} characters` : JSON.stringify(text),
  );
  test(`security 21: as a callback ${shown} is ${becomes}`, (t) => t.is(judge(raw), wanted));
}

test('security 21: a client without an origin has no callbacks, one with several has all of them', (t) => {
  t.is(judge(`${A}/`, []), 'foreign-host');
  t.is(judge('http://b.localhost:8081/x', [A, 'http://b.localhost:8081']), 'http://b.localhost:8081/x');
});

/** Text made of what confuses URL parsers. */
const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        A,
        'https:',
        'http:',
        '//',
        '/',
        '\\',
        '@',
        ':',
        '.',
        '..',
        '%2e',
        '%2f',
        '%5c',
        '%',
        '?',
        '#',
        'a.test',
        'evil.test',
        '.evil.test',
        'api',
        'auth',
        ' ',
        '\t',
        '\n',
        '[',
        ']',
        'javascript:',
        'ａ',
        '。',
        '\u00ad',
      ),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

test('security 21, 28: whatever is accepted is pure ASCII, on the origin of the client, without user data, and stays as it is when checked again', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        nasty,
        nasty.map((text) => `${A}${text}`),
      ),
      (raw) => {
        const checked = checkCallback(raw, [A]);
        if (!checked.ok) return;
        accepted++;
        const url = new URL(checked.callback);
        t.is(url.origin, A);
        t.is(url.username + url.password, '');
        t.regex(checked.callback, /^https:\/\/a\.test\/[\x21-\x7e]*$/);
        t.notRegex(
          decodeURIComponent(url.pathname.replace(/%(?![\da-f]{2})/gi, '%25').replace(/%[89a-f][\da-f]/gi, '')),
          /^\/+api\/+auth(\/|$)/i,
        );
        if (checked.callback.length <= 2048) t.is(judge(checked.callback), checked.callback);
      },
    ),
    { numRuns: 4000, seed: 21 },
  );
  t.true(accepted > 200, `${accepted} accepted`);
});

for (const [url, wanted] of [
  [`${A}/`, `${A}/?k=v`],
  [`${A}/?`, `${A}/?k=v`],
  [`${A}/?x=1`, `${A}/?x=1&k=v`],
  [`${A}/?x=1#f`, `${A}/?x=1&k=v#f`],
  [`${A}/#f?k=v`, `${A}/?k=v#f?k=v`],
  [`${A}/?k=w`, `${A}/?k=w`],
  [`${A}/?k`, `${A}/?k`],
  [`${A}/?%6B=w`, `${A}/?%6B=w`],
  [`${A}/?kk=1`, `${A}/?kk=1&k=v`],
  [`${A}/?x=a%20b+c&y=%26`, `${A}/?x=a%20b+c&y=%26&k=v`],
] as const) {
  test(`security 19: ${url} with k=v added is ${wanted}`, (t) => {
    t.is(withParameter(callback(url), 'k', 'v'), callback(wanted));
    t.is(withParameter(callback(wanted), 'k', 'v'), callback(wanted), 'never twice');
    t.true(hasParameter(callback(wanted), 'k'));
  });
}

test('security 28: the value of an added parameter is percent-encoded', (t) => {
  t.is(withParameter(callback(`${A}/`), 'k', 'a&b=c#d é'), callback(`${A}/?k=a%26b%3Dc%23d%20%C3%A9`));
});

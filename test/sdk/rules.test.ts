// The browser script's decisions without a browser: sdk/browser/rules.ts.

import test from 'ava';
import {
  type AutoFacts,
  authorizeUrl,
  backoffMs,
  cleanPageUrl,
  hasParameter,
  isBot,
  isRecent,
  mayAutoSignIn,
  popupPageUrl,
  quietMs,
  sameOriginUrl,
  stripParameters,
} from '../../sdk/browser/rules.ts';

const page = (href: string): URL => new URL(href);
const markers = ['logged_in', 'causeway_popup'];

const stripped: [title: string, search: string, expected: string][] = [
  ['an empty query stays empty', '', ''],
  ['a lone question mark is not ours to remove', '?', '?'],
  ['the only parameter goes with its question mark', '?logged_in=false', ''],
  ['a marker without a value goes', '?logged_in', ''],
  ['first, middle and last go, repeated ones too', '?logged_in=true&a=1&causeway_popup=1&b=2&logged_in=', '?a=1&b=2'],
  [
    'order, encoding, repeats and empty parts of the others are kept',
    '?b=%2f+%20&&a&logged_in=x&a=',
    '?b=%2f+%20&&a&a=',
  ],
  ['an encoded spelling of the name is the same name', '?logged%5Fin=false&x=1', '?x=1'],
  ['a longer name is another name', '?logged_in2=1&xlogged_in=1', '?logged_in2=1&xlogged_in=1'],
  ['the name as a value is left alone', '?next=logged_in', '?next=logged_in'],
  ['broken percent encoding is left alone', '?%E0%A4%A=1&logged_in=false', '?%E0%A4%A=1'],
];
for (const [title, search, expected] of stripped) {
  test(`stripping the markers: ${title}`, (t) => {
    t.is(stripParameters(search, markers), expected);
  });
}

test('a marker counts by presence, whatever its value', (t) => {
  for (const search of ['?logged_in', '?logged_in=', '?a=1&logged_in=false']) t.true(hasParameter(search, 'logged_in'));
  for (const search of ['', '?', '?a=logged_in', '?Logged_in=1']) t.false(hasParameter(search, 'logged_in'));
});

test('the page address without markers keeps the rest byte for byte, fragment included', (t) => {
  t.is(
    cleanPageUrl(page('https://news.test/a%20b?x=%2F&logged_in=false#p?logged_in=1')),
    'https://news.test/a%20b?x=%2F#p?logged_in=1',
  );
});

test('the popup landing page has the marker once, before the fragment, with the right separator', (t) => {
  t.is(popupPageUrl(page('https://news.test/')), 'https://news.test/?causeway_popup=1');
  t.is(popupPageUrl(page('https://news.test/?a=1#f')), 'https://news.test/?a=1&causeway_popup=1#f');
  t.is(popupPageUrl(page('https://news.test/?causeway_popup=1&logged_in=true')), 'https://news.test/?causeway_popup=1');
});

test('every value of the authorize address is percent-encoded (security.md 29)', (t) => {
  const callback = 'http://news.localhost:8081/p?x=1&redirect_uri=https://evil.test#f';
  const url = authorizeUrl('authorize', 'a&b=c', callback);
  const parsed = new URL(url, 'http://news.localhost:8081');
  t.is(parsed.pathname, '/api/auth/v1/oauth/authorize');
  t.is(parsed.hash, '');
  t.deepEqual(
    [...parsed.searchParams],
    [
      ['client_id', 'a&b=c'],
      ['redirect_uri', 'http://news.localhost:8081/api/auth/v1/oauth/token'],
      ['callback_uri', callback],
      ['response_type', 'code'],
    ],
  );
  t.true(authorizeUrl('auto-sso/authorize', 'n', callback).startsWith('/api/auth/v1/oauth/auto-sso/authorize?'));
});

const targets: [target: string, expected: string | null][] = [
  ['/b?logged_in=false&c=1', 'https://news.test/b?c=1'],
  ['?q=1', 'https://news.test/a/b?q=1'],
  ['https://news.test/x#f', 'https://news.test/x#f'],
  ['https://user:secret@news.test/x', 'https://news.test/x'],
  ['https://news.test:8443/', null],
  ['http://news.test/', null],
  ['//evil.test/', null],
  ['/\\evil.test', null],
  ['https://news.test.evil.test/', null],
  ['javascript:alert(1)', null],
  ['java\nscript:alert(1)', null],
  ['data:text/html,x', null],
  ['blob:https://news.test/4f1d', null],
  ['https://[', null],
];
for (const [target, expected] of targets) {
  test(`returnTo ${JSON.stringify(target)} is ${expected === null ? 'refused' : 'taken'}`, (t) => {
    t.is(sameOriginUrl(target, page('https://news.test/a/b?z=1')), expected);
  });
}

const now = 1_700_000_000_000;
const period = { now, quietMs: 600_000 };
const fresh: AutoFacts = {
  clientId: 'news',
  isFramed: false,
  isBot: false,
  isPopup: false,
  hasCookies: true,
  wasAnswered: false,
  hasSignedOut: false,
  hasHopped: false,
  triedAt: 0,
  answeredAt: 0,
};

const decisions: [title: string, change: Partial<AutoFacts>, expected: boolean][] = [
  ['a first page asks', {}, true],
  ['a page without a client id does not ask', { clientId: '' }, false],
  ['a framed page does not ask', { isFramed: true }, false],
  ['a bot is not bounced', { isBot: true }, false],
  ['a popup about to close does not ask', { isPopup: true }, false],
  ['a browser that refuses cookies is not asked', { hasCookies: false }, false],
  ['a page that came back with an answer does not ask', { wasAnswered: true }, false],
  ['a reader who signed out here is not signed in again', { hasSignedOut: true }, false],
  ['a page that has asked once does not ask again', { hasHopped: true }, false],
  ['a browser that asked 9:59 ago is in its quiet period', { triedAt: now - 599_000 }, false],
  ['a browser that asked ten minutes ago asks again', { triedAt: now - 600_000 }, true],
  ['a tab that was answered 9:59 ago does not ask', { answeredAt: now - 599_000 }, false],
  ['a stamp a little in the future (clock set back) still counts', { triedAt: now + 60_000 }, false],
  ['a stamp far in the future does not block for ever', { triedAt: now + 86_400_000 }, true],
  ['an unreadable stamp counts as none', { triedAt: Number.NaN }, true],
];
for (const [title, change, expected] of decisions) {
  test(`automatic sign-in: ${title}`, (t) => {
    t.is(mayAutoSignIn({ ...fresh, ...change }, period), expected);
  });
}

test('the quiet period is ten minutes by default and never under one', (t) => {
  t.deepEqual(
    [undefined, null, 'x', '', 0, -5, '30', 2.5].map((minutes) => quietMs(minutes) / 60_000),
    [10, 10, 10, 1, 1, 1, 30, 2.5],
  );
});

test('a stamp of zero is never recent', (t) => {
  t.false(isRecent(0, 1, 600_000));
});

test('common bots are known and telephones are not taken for one', (t) => {
  for (const agent of ['Mozilla/5.0 (compatible; Googlebot/2.1)', 'facebookexternalhit/1.1', 'HeadlessChrome/140.0']) {
    t.true(isBot(agent), agent);
  }
  for (const agent of [
    'Mozilla/5.0 (Linux; Android 13; CUBOT P80)',
    'Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1',
  ]) {
    t.false(isBot(agent), agent);
  }
});

test('pauses double from five seconds to five minutes and are spread over their second half', (t) => {
  t.deepEqual([backoffMs(0, 0), backoffMs(0, 1), backoffMs(3, 1), backoffMs(99, 1)], [2_500, 5_000, 40_000, 300_000]);
});

// The catalogues: every language whole, its plurals those of its own grammar, nothing left in English by accident. That every
// locale has every key, with the same values in it, is checked at every start (http/words.ts).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { IntlMessageFormat } from 'intl-messageformat';
import { createPages } from '../../server/http/page.ts';

const VIEWS = join(import.meta.dirname, '../../views');
const pages = createPages({ viewsFolder: VIEWS });
const LOCALES = ['ar', 'de', 'en', 'es', 'fr', 'hi'];
/** Messages that are rightly the same in another language: signs, names, words that both have. */
const SAME = new Set(['layout.title', 'direction', 'error_page.status']);
const SAME_WORDS =
  /^(Name|Details|Code|Continue|Menu|Type|Date|Message|Session|Sessions|Sites|Passkeys|Link|Browser|Apps?)$/;

type Elements = ReturnType<IntlMessageFormat['getAst']>;
type Plural = { options: string[] };

function flatten(node: unknown, path = ''): [string, string][] {
  if (typeof node !== 'object' || node === null) return [[path, String(node)]];
  return Object.entries(node).flatMap(([key, child]) => flatten(child, path === '' ? key : `${path}.${key}`));
}
const wordsOf = (locale: string) =>
  new Map(flatten(JSON.parse(readFileSync(join(VIEWS, `locales/${locale}.json`), 'utf8'))));

/** Every plural in a message, however deep. */
function pluralsOf(elements: Elements): Plural[] {
  return elements.flatMap((element) => {
    if (!('options' in element)) return [];
    const inner = Object.values(element.options).flatMap((option) => pluralsOf(option.value));
    return 'pluralType' in element ? [{ options: Object.keys(element.options) }, ...inner] : inner;
  });
}

test('there are the six languages', (t) => {
  t.deepEqual([...pages.locales].sort(), LOCALES);
});

const english = wordsOf('en');
for (const locale of LOCALES) {
  test(`CLDR: every plural in ${locale} has the categories of that language and no other`, (t) => {
    const categories = new Intl.PluralRules(locale).resolvedOptions().pluralCategories;
    let count = 0;
    for (const [key, text] of wordsOf(locale)) {
      const ast = new IntlMessageFormat(text, locale, undefined, { ignoreTag: true }).getAst();
      for (const { options } of pluralsOf(ast)) {
        count++;
        const named = options.filter((option) => !option.startsWith('='));
        t.deepEqual(
          named.filter((option) => !categories.some((one) => one === option)),
          [],
          `${key}: not of ${locale}`,
        );
        // Of French, German and so on `many` is for millions, which nothing here counts to.
        const needed = categories.filter((one) => one !== 'many' || locale === 'ar');
        t.deepEqual(
          needed.filter((one) => !named.includes(one)),
          [],
          `${key}: lacks`,
        );
      }
    }
    t.true(count > 10);
  });

  test(`no message of ${locale} is empty, has a space at an end, or a quote that ICU would swallow`, (t) => {
    for (const [key, text] of wordsOf(locale)) {
      t.true(text.trim() !== '' && text.trim() === text, key);
      t.notRegex(text, /'[{}]/, key);
    }
  });

  if (locale !== 'en')
    test(`nothing of ${locale} is left in English`, (t) => {
      const left = [...wordsOf(locale)]
        .filter(([key, text]) => english.get(key) === text && !SAME.has(key) && !SAME_WORDS.test(text))
        .map(([key, text]) => `${key}: ${text}`);
      t.deepEqual(left, []);
    });
}

const SCRIPTS: [locale: string, letters: RegExp][] = [
  ['ar', /\p{Script=Arabic}/u],
  ['hi', /\p{Script=Devanagari}/u],
];
for (const [locale, letters] of SCRIPTS)
  test(`every message of ${locale} is written in its own letters`, (t) => {
    for (const [key, text] of wordsOf(locale))
      if (key !== 'layout.title' && key !== 'direction') t.regex(text, letters, key);
  });

test('Arabic counts as its grammar does: one, two, a few, many', (t) => {
  const { t: say } = pages.words('ar');
  const counted = [1, 2, 3, 11, 100].map((minutes) => say('wait.minutes', { minutes }));
  t.is(new Set(counted).size, 5);
  t.regex(counted[1] ?? '', /دقيقتين/);
  t.regex(counted[2] ?? '', /دقائق/);
});

test('Arabic turns a page around, keeps what is typed in Latin letters as it is, and points the other way', (t) => {
  const { html } = pages.render({
    view: 'login/sign_in',
    locale: 'ar',
    brand: { name: 'Meridian', logo: null, accent: '#0b5d4b', accentDark: null },
    data: {
      clientName: 'News',
      clientHost: 'news.example',
      csrfToken: 'x',
      handle: null,
      identifier: 'reader@example.com',
      problem: null,
      retryAfterSeconds: null,
      showsPassword: true,
      codeWay: null,
      hasPasskeys: false,
      forgotUrl: null,
      passwordUrl: null,
      signUpUrl: null,
      providers: [],
      otherAccount: null,
      isAgain: false,
    },
  });
  t.true(html.includes('<html lang="ar" dir="rtl">'));
  t.regex(html, /name="identifier"[^>]* dir="ltr"/);
  t.true(html.includes('\u2068news.example\u2069'));
  t.regex(html, /\[dir="rtl"\] \.arrow\{/);
});

test('the sheet names no side: left and right turn around with the page', (t) => {
  const css = readFileSync(join(VIEWS, 'causeway.css'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  t.notRegex(css, /(?:^|[\s;{-])(?:left|right)\b/);
  t.notRegex(css, /\b(?:margin|padding): ?[^;]*\S+ \S+ \S+ \S+;/);
});

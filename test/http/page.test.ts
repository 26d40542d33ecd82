/*
 * The hosted pages: escaping, policy, words, negotiation, brand. Renders the real views; what must fail at start is shown on
 * a copy of them with one fault put in.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  type Brand,
  checkBrand,
  contrastRatio,
  SURFACES,
  textColourOn,
  withContrast,
} from '../../server/http/brand.ts';
import { createPages } from '../../server/http/page.ts';
import { letterViews } from './letter_views.ts';

const VIEWS = join(import.meta.dirname, '../../views');
const pages = createPages({ viewsFolder: VIEWS });
const brand: Brand = { name: 'Meridian Press', logo: null, accent: '#0b5d4b', accentDark: null };

const EVIL = `"><script>alert('x')</script><img src=x onerror="alert(1)">&amp;\u0000`;
const sites = [{ name: EVIL, origin: EVIL }];
const signIn = {
  clientName: EVIL,
  clientHost: EVIL,
  csrfToken: EVIL,
  handle: EVIL,
  identifier: EVIL,
  problem: null as string | null,
  retryAfterSeconds: null as number | null,
  showsPassword: true,
  codeWay: 'code',
  canText: false,
  passwordUrl: EVIL,
  forgotUrl: EVIL,
  signUpUrl: EVIL,
  providers: [{ name: EVIL, url: EVIL }],
  otherAccount: EVIL,
  isAgain: false,
};
const signUp = {
  clientName: EVIL,
  clientHost: EVIL,
  csrfToken: EVIL,
  handle: EVIL,
  values: { name: EVIL, email: EVIL },
  problems: {},
  minimumPasswordLength: 15,
  providers: [{ name: EVIL, url: EVIL }],
  signInUrl: EVIL,
};
const error = {
  code: 'redirect-uri-mismatch',
  detailRows: [{ label: EVIL, value: EVIL }],
  reference: EVIL,
  continueUrl: EVIL,
  retryAfterSeconds: null as number | null,
  status: 400,
};
const home = { accountName: EVIL, accountEmail: EVIL, sites, csrfToken: EVIL, signInUrl: EVIL, signUpUrl: EVIL };
const everyView: [view: string, data: object][] = [
  ['login/sign_in', signIn],
  ['login/sign_up', signUp],
  ...letterViews(EVIL),
  ['login/home', home],
  [
    'account_page/connections',
    {
      csrfToken: EVIL,
      note: null,
      isKept: false,
      problem: 'last-credential',
      identities: [{ id: EVIL, name: EVIL, email: EVIL }],
      providers: [{ id: EVIL, name: EVIL }],
    },
  ],
  [
    'upstream/failed',
    { reason: 'provider-error', providerName: EVIL, detail: EVIL, retryAfterSeconds: null, continueUrl: EVIL },
  ],
  ['login/home', { ...home, accountName: null, accountEmail: null }],
  ['login/confirm_sign_out', { action: EVIL, csrfToken: EVIL, accountName: EVIL, redirectUrl: EVIL, stayUrl: EVIL }],
  ['login/signed_out', { continueUrl: EVIL, signInUrl: EVIL, sites }],
  ['error', error],
];

function render(view: string, data: object, more: { locale?: string; brand?: Brand; formTargets?: string[] } = {}) {
  return pages.render({ view, locale: 'en', brand, data, ...more });
}

/** A copy of the views, changed by `change`, that goes away with the test. */
function copyOfViews(t: { teardown(f: () => void): void }, change: (folder: string) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'views-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(VIEWS, folder, { recursive: true });
  change(folder);
  return folder;
}

function replaceIn(folder: string, file: string, from: string, to: string) {
  const text = readFileSync(join(folder, file), 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
  writeFileSync(join(folder, file), text.replace(from, to));
}

for (const locale of pages.locales) {
  for (const [view, data] of everyView) {
    const signedOut = 'accountName' in data && data.accountName === null ? ', signed out' : '';
    test(`every value on ${view} (${locale}${signedOut}) is escaped`, (t) => {
      const { html } = render(view, data, { locale, brand: { ...brand, name: EVIL } });
      t.false(/<script|<img src=x|onerror="/i.test(html));
      t.true(html.includes('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&lt;img src=x onerror=&quot;'));
      t.true(html.includes('&amp;amp;'));
      t.is(html.match(/<style/g)?.length, 2);
    });
  }
}

test('templates print raw text only for partials, the body and the two style sheets', (t) => {
  const files = readdirSync(VIEWS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.eta'));
  const raw = files.flatMap((file) => [...readFileSync(join(VIEWS, file), 'utf8').matchAll(/<%~\s*(\S+)/g)]);
  t.true(raw.length > 5);
  for (const [, first = ''] of raw) t.regex(first, /^(include\('@|it\.body$|it\.css$|it\.brandCss$)/);
});

test('pages carry no script, no inline style, no event attribute and no address to load from', (t) => {
  for (const [view, data] of everyView) {
    const { html } = render(view, data);
    t.notRegex(html, /<script|<link (?!rel="icon" href="data:,")|<iframe|<object|<base|\sstyle=|url\(|@import/i);
    t.notRegex(html, /\s(src|srcset|formaction|ping|poster)="/i);
  }
});

test('a link that is not http(s) goes nowhere, and others stay as they are', (t) => {
  const table: [url: string, href: string][] = [
    ['https://www.meridian.example/a?b=c&d=e', 'https://www.meridian.example/a?b=c&amp;d=e'],
    ['/login?handle=x', '/login?handle=x'],
    ['/.//evil.example', '/.//evil.example'],
    ['javascript:alert(1)', '#'],
    [' java\nscript:alert(1)', '#'],
    ['data:text/html,x', '#'],
    ['vbscript:x', '#'],
  ];
  for (const [continueUrl, href] of table) {
    const { html } = render('login/signed_out', { continueUrl, signInUrl: null, sites: [] });
    t.true(html.includes(`<a class="button primary" href="${href}">`), continueUrl);
  }
});

test('CSP3: the policy names the nonce of the page and where a form may lead, and nothing else', (t) => {
  const targets = ['https://www.meridian.example', 'http://news.localhost:8081', 'https://www.meridian.example'];
  const page = render('login/sign_in', signIn, { formTargets: targets });
  const nonce = /<style nonce="([A-Za-z0-9_-]{22})">/.exec(page.html)?.[1];
  t.is(
    page.contentSecurityPolicy,
    `default-src 'none'; style-src 'nonce-${nonce}'; img-src data:; form-action 'self' https://www.meridian.example http://news.localhost:8081; base-uri 'none'; frame-ancestors 'none'`,
  );
  t.is(page.html.split(`nonce="${nonce}"`).length, 3);
  t.true(render('error', error).contentSecurityPolicy.includes("; form-action 'self'; base-uri"));
});

test('CSP3: a form may lead to a whole scheme, as for a product that sends the reader on', (t) => {
  const page = render('login/sign_in', signIn, { formTargets: ['https:', 'com.example.app:'] });
  t.true(page.contentSecurityPolicy.includes("form-action 'self' https: com.example.app:;"));
});

test('CSP3: every render has a nonce of its own', (t) => {
  const policies = Array.from({ length: 200 }, () => render('error', error).contentSecurityPolicy);
  t.is(new Set(policies).size, 200);
});

for (const target of [
  'https://a.example/path',
  "https://a.example; script-src 'unsafe-inline'",
  '*',
  "'self'",
  'javascript:',
  'data:',
  'https://a.example\r\nX: y',
  '',
])
  test(`a form target that is not an origin is refused: ${JSON.stringify(target)}`, (t) => {
    t.throws(() => render('login/sign_in', signIn, { formTargets: [target] }), { message: /^Not an origin/ });
  });

const badBrands: [what: string, brand: Brand][] = [
  ['a colour that ends the rule', { ...brand, accent: '#000;}body{display:none' }],
  ['a colour that ends the style element', { ...brand, accentDark: '</style><script>' }],
  ['a colour by name', { ...brand, accent: 'red' }],
  ['a colour with a line end', { ...brand, accent: '#0b5d4b\n' }],
  ['a short colour', { ...brand, accent: '#fff' }],
  ['a logo from elsewhere', { ...brand, logo: 'https://evil.example/logo.png' }],
  ['a logo that is a page', { ...brand, logo: 'data:text/html;base64,AAAA' }],
  ['a logo that is not base64', { ...brand, logo: 'data:image/svg+xml;utf8,<svg onload="x">' }],
  ['a logo with a quote', { ...brand, logo: 'data:image/png;base64,AAAA" onerror="x' }],
];
for (const [what, bad] of badBrands)
  test(`a brand is refused for ${what}`, (t) => {
    t.is(checkBrand(bad).length, 1);
    t.throws(() => render('error', error, { brand: bad }), { message: /^Brand refused/ });
  });

test('a brand shows its logo with its name as the text for those who do not see it', (t) => {
  const logo = 'data:image/svg+xml;base64,PHN2Zy8+';
  t.deepEqual(checkBrand({ ...brand, logo, accentDark: '#4FC3A1' }), []);
  const { html } = render('error', error, { brand: { ...brand, logo } });
  t.true(html.includes(`<img class="logo" src="${logo}" alt="Meridian Press">`));
});

test('WCAG 2.2 §1.4.3: contrast ratios are those of the definition', (t) => {
  const table: [string, string, number][] = [
    ['#000000', '#ffffff', 21],
    ['#ffffff', '#ffffff', 1],
    ['#777777', '#ffffff', 4.48],
    ['#767676', '#ffffff', 4.54],
    ['#ff0000', '#ffffff', 4],
    ['#0000ff', '#000000', 2.44],
  ];
  for (const [one, other, ratio] of table) {
    t.is(Math.round(contrastRatio(one, other) * 100) / 100, ratio);
    t.is(contrastRatio(one, other), contrastRatio(other, one));
  }
});

test('WCAG 2.2 §1.4.3: text on any accent and links of any accent reach 4.5:1 in both schemes', (t) => {
  const steps = ['00', '33', '66', '99', 'cc', 'ff'];
  const colours = steps.flatMap((r) => steps.flatMap((g) => steps.map((b) => `#${r}${g}${b}`)));
  for (const colour of colours) {
    t.true(contrastRatio(textColourOn(colour), colour) >= 4.5, colour);
    for (const surface of Object.values(SURFACES)) {
      t.true(contrastRatio(withContrast(colour, surface, 4.5), surface) >= 4.5, `${colour} on ${surface}`);
      t.true(contrastRatio(withContrast(colour, surface, 3), surface) >= 3, `${colour} on ${surface}`);
    }
  }
});

test('an accent that is readable already stays as it is, another is mixed no further than needed', (t) => {
  t.is(withContrast('#0b5d4b', SURFACES.light, 4.5), '#0b5d4b');
  t.is(textColourOn('#0b5d4b'), '#ffffff');
  t.is(textColourOn('#ffd400'), '#000000');
  const mixed = withContrast('#ffd400', SURFACES.light, 4.5);
  t.not(mixed, '#000000');
  t.true(contrastRatio(mixed, SURFACES.light) < 5);
});

test('the surfaces that link colours are computed against are those of the style sheet', (t) => {
  const css = readFileSync(join(VIEWS, 'causeway.css'), 'utf8');
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  t.true(light.includes(`--page: ${SURFACES.light};`));
  t.true(dark.includes(`--card: ${SURFACES.dark};`));
});

const faults: [what: string, file: string, from: string, to: string, message: RegExp][] = [
  [
    'a locale lacks a key',
    'locales/de.json',
    '"busy": "Gerade melden',
    '"bosy": "Gerade melden',
    /de\.json: the key "sign_in\.problem\.busy" is missing/,
  ],
  [
    'a message takes other values',
    'locales/de.json',
    '"und weiter zu {site}"',
    '"und weiter zu {seite}"',
    /de\.json: "sign_in\.purpose" takes \{seite\}, but \{site\} in ar/,
  ],
  [
    'a template uses an unknown key',
    'login/home.eta',
    "it.t('home.sign_out')",
    "it.t('home.sing_out')",
    /login\/home\.eta:\d+: no locale has the key "home\.sing_out"/,
  ],
  [
    'a template does not compile',
    'login/home.eta',
    '<% } else { %>',
    '<% } else { if ( %>',
    /login\/home\.eta: does not compile/,
  ],
  [
    'a partial does not exist',
    'error.eta',
    "include('@wait')",
    "include('@weit')",
    /error\.eta:\d+: there is no template "@weit"/,
  ],
  [
    'a message is not ICU',
    'locales/en.json',
    'in {seconds, plural,',
    'in {seconds, plurul,',
    /en\.json: "wait\.seconds" is not a message/,
  ],
  ['a locale states no direction', 'locales/de.json', '"direction": "ltr",', '', /de\.json: "direction" must be/],
  ['the style sheet could end its element', 'causeway.css', ':root {', '</style>', /causeway\.css/],
];
for (const [what, file, from, to, message] of faults)
  test(`start fails when ${what}`, (t) => {
    const viewsFolder = copyOfViews(t, (folder) => replaceIn(folder, file, from, to));
    t.throws(() => createPages({ viewsFolder }), { message });
  });

test('start lists all faults in one message', (t) => {
  const viewsFolder = copyOfViews(t, (folder) => {
    replaceIn(folder, 'locales/de.json', '"submit": "Anmelden",', '');
    replaceIn(folder, 'error.eta', "include('@wait')", "include('@weit')");
  });
  t.throws(() => createPages({ viewsFolder }), { message: /2 faults:\n- .*sign_in\.submit.*\n- error\.eta.*@weit/ });
});

test('an unknown view, an unknown locale and a value that is not there are errors, never a page', (t) => {
  t.throws(() => render('login/nothing', {}), { message: /login\/nothing/ });
  t.throws(() => render('error', error, { locale: 'nl' }), { message: /nl/ });
  t.throws(() => render('login/sign_in', { ...signIn, csrfToken: undefined }), { message: /not there/ });
});

test('a value that chooses between branches chooses also where names are set apart from the words around them', (t) => {
  const viewsFolder = copyOfViews(t, (folder) => {
    const words = readFileSync(join(folder, 'locales/en.json'), 'utf8');
    writeFileSync(join(folder, 'locales/he-IL.json'), words.replace('"direction": "ltr"', '"direction": "rtl"'));
  });
  const said = createPages({ viewsFolder })
    .words('he-IL')
    .t('message.factor-changed.lead', { change: 'added', factor: 'passkey', brand: 'News' });
  t.true(said.startsWith('Added to your account: a passkey.'));
});

const negotiations: [expected: string, uiLocales: string | undefined, accepted: string[], fallback: string][] = [
  ['en', undefined, [], 'en'],
  ['de', undefined, ['*'], 'de'],
  ['de', undefined, ['de'], 'en'],
  ['de', undefined, ['de-AT', 'en'], 'en'],
  ['de', undefined, ['nl', 'de-CH-1996', 'en'], 'en'],
  ['en', undefined, ['EN-gb', 'de'], 'de'],
  ['de', 'nl de', ['en'], 'en'],
  ['en', 'xx-yy  ', ['en-US'], 'de'],
  ['de', 'x'.repeat(5000), ['de'], 'en'],
  ['en', '../../etc/passwd __proto__', [], 'en'],
  ['en', undefined, ['nl'], 'xx'],
];
for (const [expected, uiLocales, accepted, fallback] of negotiations)
  test(`RFC 4647 §3.4: ui_locales "${(uiLocales ?? '').slice(0, 30)}", accepted "${accepted}", else ${fallback}: ${expected}`, (t) => {
    const wish = uiLocales === undefined ? { accepted, fallback } : { uiLocales, accepted, fallback };
    t.is(pages.negotiate(wish), expected);
  });

test('a bare language finds the regional catalogue, and the right-to-left locale turns the page around', (t) => {
  const viewsFolder = copyOfViews(t, (folder) => {
    const words = readFileSync(join(folder, 'locales/en.json'), 'utf8');
    writeFileSync(join(folder, 'locales/he-IL.json'), words.replace('"direction": "ltr"', '"direction": "rtl"'));
  });
  const hebrew = createPages({ viewsFolder });
  t.is(hebrew.negotiate({ accepted: ['he'], fallback: 'en' }), 'he-IL');
  const { html } = hebrew.render({
    view: 'login/sign_in',
    locale: 'he-IL',
    brand,
    data: { ...signIn, clientName: 'News' },
  });
  t.true(html.includes('<html lang="he-IL" dir="rtl">'));
  t.true(html.includes('to continue to \u2068News\u2069 ('));
});

test('a name in another direction is isolated from the sentence around it', (t) => {
  const { html } = render('login/sign_in', { ...signIn, clientName: 'אתר', clientHost: 'www.a.example' });
  t.true(html.includes('to continue to \u2068אתר\u2069 (www.a.example)'));
});

test('every page says its language, forbids referrers and follows the colour scheme', (t) => {
  for (const [view, data] of everyView) {
    const { html } = render(view, data, { locale: 'de' });
    t.true(html.startsWith('<!doctype html>\n<html lang="de" dir="ltr">'));
    for (const part of [
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      '<meta name="referrer" content="no-referrer">',
      '<meta name="color-scheme" content="light dark">',
      '<link rel="icon" href="data:,">',
    ])
      t.true(html.includes(part), `${view}: ${part}`);
    t.regex(html, /<title>[^<]+ · Meridian Press<\/title>/);
    t.is(html.match(/<h1>/g)?.length, 1);
  }
});

/** The id of the one element that has the focus when the page opens. */
function focusOf(html: string): string | undefined {
  return /<input id="([a-z]+)"[^>]* autofocus\s*>/.exec(html)?.[1];
}

const signInFocus: [problem: string | null, identifier: string, focus: string, marked: string[]][] = [
  [null, '', 'identifier', []],
  [null, 'ada', 'password', []],
  ['missing-fields', '', 'identifier', ['identifier']],
  ['missing-fields', 'ada', 'password', ['password']],
  ['wrong-credentials', 'ada', 'password', ['identifier', 'password']],
  ['throttled', 'ada', 'password', []],
  ['busy', 'ada', 'password', []],
  ['form-renewed', 'ada', 'password', []],
];
for (const [problem, identifier, focus, marked] of signInFocus)
  test(`sign in with problem ${problem} and identifier "${identifier}" puts the cursor into ${focus}`, (t) => {
    const { html } = render('login/sign_in', { ...signIn, problem, identifier });
    t.is(focusOf(html), focus);
    const invalid = [...html.matchAll(/<input id="([a-z]+)"[^>]* aria-invalid="true"/g)].map(([, id]) => id);
    t.deepEqual(invalid, marked);
    t.is(html.includes('role="alert"'), problem !== null);
    if (problem !== null)
      t.regex(html, new RegExp(`<input id="${focus}"[^>]* aria-describedby="(problem|${focus}-error)"`));
  });

test('sign up lists each faulty field with a link to it and puts the cursor into the first', (t) => {
  const problems = { email: 'taken', password: 'too-short' };
  const { html } = render('login/sign_up', { ...signUp, problems });
  t.is(focusOf(html), 'email');
  t.true(
    html.includes('<a href="#email">') && html.includes('<a href="#password">') && !html.includes('<a href="#name">'),
  );
  t.regex(html, /<input id="password"[^>]* aria-describedby="password-error password-hint"/);
  t.true(html.includes('at least 15 characters'));
});

test('the time to wait is said in the unit a person would use', (t) => {
  const table: [number | null, string][] = [
    [null, 'in a little while'],
    [0, 'in 1 second.'],
    [30, 'in 30 seconds'],
    [90, 'in 2 minutes'],
    [7200, 'in 2 hours'],
  ];
  for (const [retryAfterSeconds, words] of table)
    t.true(render('login/sign_in', { ...signIn, problem: 'throttled', retryAfterSeconds }).html.includes(words), words);
});

const CODES = [
  'unknown-host',
  'unknown-client',
  'redirect-uri-mismatch',
  'callback-not-allowed',
  'cookies-refused',
  'code-invalid',
  'bad-request',
  'forbidden',
  'not-found',
  'too-many-requests',
  'unavailable',
  'server-error',
  'method-not-allowed',
];
for (const [index, code] of CODES.entries())
  test(`the error page knows ${code} in every locale${index < 4 ? ' and tells the operator what to change' : ''}`, (t) => {
    const fallback = render('error', { ...error, code: 'server-error' }).html.match(/<title>(.*)<\/title>/)?.[1];
    for (const locale of pages.locales) {
      const { html } = render('error', { ...error, code, detailRows: [] }, { locale });
      t.is(html.includes('id="operator-heading"'), index < 4);
      if (code !== 'server-error') t.false(html.includes(`<title>${fallback}`));
    }
  });

test('an error code without words of its own gets those of a server error', (t) => {
  const known = render('error', { ...error, code: 'server-error' }).html;
  t.is(render('error', { ...error, code: '__proto__' }).html.split('<body>')[1], known.split('<body>')[1]);
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how a realm file names a variable
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readRealmFile } from '../../server/commands/realm_file.ts';

const read = (
  text: string,
  options: { environment?: Record<string, string>; folder?: string; allowLoopback?: boolean } = {},
) =>
  readRealmFile(text, {
    fileName: 'realm.yaml',
    folder: options.folder ?? tmpdir(),
    environment: options.environment ?? {},
    allowLoopback: options.allowLoopback ?? false,
  });
const faultsOf = (...args: Parameters<typeof read>) => read(...args).yaml.faults();
const realm = (...lines: string[]) =>
  ['realms:', '  - slug: daily', '    auth_domain: auth.daily.example', ...lines].join('\n');
const client = (...lines: string[]) => realm('    clients:', `      - ${lines.join('\n        ')}`);
const product = (line: string) =>
  client('id: chat', 'kind: third-party', 'redirect_uris: [https://product.example/cb]', line);
const redirect = (uri: string) => client('id: chat', 'kind: third-party', `redirect_uris: [${JSON.stringify(uri)}]`);

test('a right file has no fault and every value in its place', (t) => {
  const { yaml, wanted } = read(
    client('id: news', 'kind: first-party', 'domain: news.daily.example', 'proxy_secret: ${PROXY}'),
    { environment: { PROXY: 'p'.repeat(32) } },
  );
  t.deepEqual(yaml.faults(), []);
  t.like(wanted[0], { slug: 'daily', auth: { origin: 'https://auth.daily.example' }, authenticationUrl: undefined });
  t.like(wanted[0]!.clients[0]!.draft, {
    clientId: 'news',
    name: 'news',
    domain: 'news.daily.example',
    redirectUris: ['https://news.daily.example/api/auth/v1/oauth/token'],
    proxySecret: 'p'.repeat(32),
    isDisabled: false,
  });
});

const cases: [title: string, text: string, expected: RegExp][] = [
  ['a text that is no YAML', 'realms:\n\t- x', /^realm\.yaml:2:1: not YAML: Tabs/],
  ['a key twice', realm('    slug: other'), /^realm\.yaml:4:5: not YAML: Map keys must be unique/],
  ['an empty file', '', /^realm\.yaml:1:1: the file is empty: write the file as a map/],
  [
    'a mistyped key',
    realm('    settings: { sesion_idle: 30d }'),
    /^realm\.yaml:4:17: realms\[0\]\.settings\.sesion_idle: unknown key; did you mean session_idle\?$/,
  ],
  ['a key with hyphens', product('require-pkce: true'), /require-pkce: unknown key; did you mean require_pkce\?/],
  [
    'a key that is near to none',
    realm('    colour_of_the_sky: blue'),
    /4:5: .*unknown key; remove it \(known are slug, /,
  ],
  [
    'a missing key',
    'realms:\n  - slug: daily',
    /^realm\.yaml:2:5: realms\[0\]\.auth_domain is missing: write the host/,
  ],
  [
    'a key without a value',
    'realms:\n  - slug: daily\n    auth_domain:',
    /^realm\.yaml:3:17: realms\[0\]\.auth_domain is empty: write the host/,
  ],
  ['a slug with capitals', 'realms: [{ slug: Daily, auth_domain: a.example }]', /slug: write 1 to 63 small letters/],
  ['a setting of another type', realm('    settings: { password_min_length: long }'), /write a whole number/],
  ['a setting out of bounds', realm('    settings: { password_min_length: 4 }'), /too small: the least is 8/],
  [
    'a setting that is no duration',
    realm('    settings: { session_idle: forever }'),
    /4:31: .*write a duration such as/,
  ],
  ['a setting that is none of the choices', realm('    settings: { signup: maybe }'), /write open or closed/],
  ['a colour by name', realm('    brand: { accent: blue }'), /4:22: .*write a colour as #rrggbb/],
  [
    'a logo that is no image file',
    realm('    brand: { logo: logo.exe }'),
    /write the path of a \.svg, \.png or \.webp file/,
  ],
  [
    'a logo that is not there',
    realm('    brand: { logo: nothing.svg }'),
    /there is no file that can be read at nothing\.svg/,
  ],
  [
    'a wildcard host',
    client('id: a', 'kind: first-party', "domain: '*.daily.example'"),
    /a wildcard cannot be registered/,
  ],
  ['a host with a path', client('id: a', 'kind: first-party', 'domain: news.example/'), /write a host such as/],
  [
    'a public host over http',
    client('id: a', 'kind: first-party', 'domain: http://news.example'),
    /write https:\/\/news\.example: http is for loopback/,
  ],
  [
    'a loopback host where that is not allowed',
    client('id: a', 'kind: first-party', 'domain: news.localhost:8081'),
    /needs CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK=1/,
  ],
  [
    'redirect URIs of a first-party client',
    client('id: a', 'kind: first-party', 'domain: a.example', 'redirect_uris: [https://a.example]'),
    /8:9: .*is for third-party clients.*follows from its domain/,
  ],
  ['a domain of a third-party client', product('domain: a.example'), /is for first-party clients/],
  [
    'a client without a kind',
    client('id: a', 'domain: a.example'),
    /kind is missing: write first-party .* or third-party/,
  ],
  [
    'a client_id that is a number',
    client('id: 12', 'kind: first-party', 'domain: a.example'),
    /write the client_id as text; a number in quotes/,
  ],
  ['a short secret', product('secret: short'), /8:17: .*too short: write 32 characters or more/],
  [
    'a public client without PKCE',
    product('token_endpoint_auth_method: none\n        require_pkce: false'),
    /must use PKCE/,
  ],
  [
    'a public client with a secret',
    product(`token_endpoint_auth_method: none\n        secret: ${'s'.repeat(40)}`),
    /none takes no secret/,
  ],
  [
    'an unknown authentication method',
    product('token_endpoint_auth_method: magic'),
    /write client_secret_basic or client_secret_post or private_key_jwt or none/,
  ],
  ['scopes as text', product('scopes: openid email'), /write a list: \[openid, email\]/],
  ['a scope with a space', product("scopes: ['openid email']"), /one scope per entry/],
  ['an unknown format of access tokens', product('access_token: { format: xml }'), /write opaque or jwt/],
  [
    'a variable that is not set',
    product('secret: ${NOT_SET}'),
    /^realm\.yaml:8:17: the environment has no variable NOT_SET/,
  ],
  [
    'a redirect URI twice',
    client('id: a', 'kind: third-party', 'redirect_uris: [https://a.example/, https://a.example/]'),
    /stands in this list already/,
  ],
  ['no redirect URI', client('id: a', 'kind: third-party', 'redirect_uris: []'), /write at least one URL/],
  ['security 23: a redirect URI with a fragment', redirect('https://a.example/#x'), /without a fragment/],
  ['security 23: a redirect URI with a user name', redirect('https://a@b.example/'), /without a user name/],
  ['security 23: a redirect URI with an empty user name', redirect('https://@b.example/'), /without a user name/],
  ['security 23: a redirect URI with a wildcard', redirect('https://*.example/'), /wildcard/],
  ['security 23: a redirect URI over http', redirect('http://a.example/'), /with https/],
  ['security 23: a redirect URI on an address', redirect('https://10.0.0.1/'), /an address cannot be registered/],
  [
    'security 23: a redirect URI on an address of version 6',
    redirect('https://[2001:db8::1]/'),
    /an address cannot be registered/,
  ],
  [
    'security 23: a redirect URI on an address in one number',
    redirect('https://167772161/'),
    /an address cannot be registered/,
  ],
  ['security 23: a redirect URI that runs script', redirect('javascript:alert(1)'), /absolute https URL/],
  ['security 23: a redirect URI of a scheme of its own', redirect('app:/callback'), /absolute https URL/],
  ['security 23: a redirect URI with a backslash', redirect('https://a.example\\@b.example'), /absolute https URL/],
  [
    'security 23: a redirect URI on a loopback name where that is not allowed',
    redirect('http://a.localhost/'),
    /needs CAUSEWAY_DANGEROUSLY/,
  ],
];

for (const [title, text, expected] of cases) {
  test(`is a fault of its own: ${title}`, (t) => {
    const faults = faultsOf(text);
    t.is(faults.length, 1, faults.join('\n'));
    t.regex(faults[0]!, expected);
  });
}

test('every fault is reported at once, in the order of the file', (t) => {
  const faults = faultsOf(`realms:
  - slug: Daily
    auth_domain: auth.daily.example/
    settings: { sesion_idle: 30d, signup: maybe }
    brand: { accent: blue }
    clients:
      - id: news
        kind: first-party
        domain: "*.daily.example"
        secrt: x
      - id: chat
        kind: third-party
        secret: \${NO_SUCH_SECRET}
        redirect_uris: ["http://x.example/", "https://x.example/#y"]
        scopes: openid
`);
  t.deepEqual(
    faults.map((fault) => fault.split(': ')[0]),
    ['2:11', '3:18', '4:17', '4:43', '5:22', '9:17', '10:9', '13:17', '14:25', '14:46', '15:17'].map(
      (at) => `realm.yaml:${at}`,
    ),
  );
});

test('a fault never shows the value of a variable', (t) => {
  const faults = faultsOf(product('secret: ${SHORT}'), { environment: { SHORT: 'swordfish' } });
  t.is(faults.length, 1);
  t.notRegex(faults.join(), /swordfish/);
});

test('two dollar signs keep a reference as it is written', (t) => {
  const { wanted } = read(product('token_endpoint_auth_method: none\n        name: $${HOME} sweet ${HOME}'), {
    environment: { HOME: 'home' },
  });
  t.is(wanted[0]!.clients[0]!.draft.name, '${HOME} sweet home');
});

test('a logo file is read from the folder of the realm file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-logo-'));
  writeFileSync(join(folder, 'logo.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  const { yaml, wanted } = read(realm('    brand: { logo: ./logo.svg }'), { folder });
  rmSync(folder, { recursive: true });
  t.deepEqual(yaml.faults(), []);
  t.is(
    wanted[0]!.brand['logo'],
    `data:image/svg+xml;base64,${Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64')}`,
  );
});

test('values that are repeated by an alias are checked where they are named', (t) => {
  const { yaml, wanted } = read(`realms:
  - { slug: one, auth_domain: auth.one.example, settings: &usual { signup: closed } }
  - { slug: two, auth_domain: auth.two.example, settings: *usual }
`);
  t.deepEqual(yaml.faults(), []);
  t.deepEqual(
    wanted.map(({ settings }) => settings),
    [{ signup: 'closed' }, { signup: 'closed' }],
  );
});

test('aliases that blow up are refused', (t) => {
  const levels = Array.from(
    { length: 12 },
    (_, level) =>
      `k${level}: &a${level} [${Array(9)
        .fill(level ? `*a${level - 1}` : 'x')
        .join(', ')}]`,
  );
  t.regex(faultsOf(levels.join('\n')).join(), /not YAML: Excessive alias count/);
});

import test from 'ava';
import { parse } from 'yaml';
import { setUp } from './setup.ts';

const FILE = (upstream: string) => `realms:
  - slug: daily
    auth_domain: auth.daily.example
    upstream:
${upstream}
`;
// biome-ignore lint/suspicious/noTemplateCurlyInString: the file names a variable of the environment
const GOOGLE = '      - { provider: google, client_id: abc, client_secret: "${GOOGLE_SECRET}" }';
const CORP =
  '      - { provider: oidc, id: corp, name: Corp, issuer: "https://id.corp.example", client_id: daily, client_secret: "a literal secret" }';
const environment = { GOOGLE_SECRET: 'the secret of google' };

test('providers are stored with their secrets encrypted, and exported with the name of the variable', async (t) => {
  const { change, exported, db, close } = await setUp();
  t.deepEqual(await change(FILE(`${GOOGLE}\n${CORP}`), { environment }), [
    'daily: + realm daily',
    'daily: + provider google',
    'daily: + provider corp',
    'daily: + auth domain https://auth.daily.example',
  ]);
  const [row] = await db.builder('realms').select('upstreams');
  t.notRegex(JSON.stringify(row), /the secret of google|a literal secret/);
  const text = await exported();
  t.notRegex(text, /the secret of google|a literal secret/);
  t.deepEqual(parse(text).realms[0].upstream, [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: so does the export
    { provider: 'google', client_id: 'abc', client_secret: '${GOOGLE_SECRET}' },
    { provider: 'oidc', id: 'corp', name: 'Corp', issuer: 'https://id.corp.example', client_id: 'daily' },
  ]);
  t.deepEqual(await change(text, { environment }), []);
  t.deepEqual(await change(text, { environment, isPrune: true }), []);
  await close();
});

test('a changed secret is told without its value, one that is left out stays, and prune removes a provider', async (t) => {
  const { change, close } = await setUp();
  await change(FILE(`${GOOGLE}\n${CORP}`), { environment });
  t.deepEqual(await change(FILE(GOOGLE), { environment: { GOOGLE_SECRET: 'another' } }), [
    'daily: ~ provider google: client_secret: replaced',
  ]);
  const bare = '      - { provider: google, client_id: other }';
  t.deepEqual(await change(FILE(bare)), ['daily: ~ provider google: client_id: abc → other']);
  t.deepEqual(await change(FILE(bare), { isPrune: true }), ['daily: - provider corp']);
  await close();
});

test('faults of providers name their place and what to write', async (t) => {
  const { apply, close } = await setUp();
  const applied = await apply(
    FILE(
      [
        '      - { provider: gogle, client_id: x }',
        '      - { provider: google, client_id: x }',
        '      - { provider: oidc, id: google, issuer: "http://id.corp.example", client_id: x, client_secret: y }',
        '      - { provider: github, client_id: x, client_secret: y, endpoints: {} }',
        '      - { provider: facebook, client_id: x, client_secret: y }',
        '      - { provider: facebook, client_id: x, client_secret: y }',
      ].join('\n'),
    ),
  );
  if (applied.ok) return t.fail();
  const all = applied.faults.join('\n');
  t.regex(all, /realm\.yaml:5:\d+: realms\[0\]\.upstream\[0\]\.provider: write google, facebook, linkedin/);
  t.regex(all, /upstream\[1\]\.client_secret is missing: a new provider needs it/);
  t.regex(all, /upstream\[2\]\.id: is the name of a known provider/);
  t.regex(all, /upstream\[2\]\.issuer: write the URL with https/);
  t.regex(all, /upstream\[3\]\.endpoints: unknown key/);
  t.regex(all, /upstream\[5\]: the provider facebook stands on line 9 already/);
  await close();
});

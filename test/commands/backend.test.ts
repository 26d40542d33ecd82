// The realm file and the commands for backends of sites and for integrations.

import test from 'ava';
import { hashToken } from '../../server/lib/token.ts';
import { run } from '../products/support.ts';
import { startTestServer } from '../support/server.ts';
import { SECRET, setUp } from './setup.ts';

const REALM = (more: string, paywall: string) => `realms:
  - slug: daily
    auth_domain: auth.daily.example
    clients:
      - { id: news, kind: first-party, domain: news.daily.example${more} }
      - { id: paywall, kind: third-party, token_endpoint_auth_method: none, redirect_uris: []${paywall} }
`;
const BACKEND = ', backend_redirect_uris: ["https://news.daily.example/sso"]';
const SHARED = `, integration_secret: "\${SHARED}"`;

test('the realm file keeps backend pages and the variable of an integration secret, and never the secret', async (t) => {
  const { change, exported, readState, close } = await setUp();
  const environment = { SHARED: SECRET };
  await change(REALM(BACKEND, SHARED), { environment });
  const text = await exported();
  t.regex(text, /backend_redirect_uris: \[ https:\/\/news\.daily\.example\/sso \]/);
  t.regex(text, /integration_secret: \$\{SHARED\}/);
  t.false(text.includes(SECRET));
  t.deepEqual(await change(text, { environment, isPrune: true }), []);
  const [state] = await readState();
  t.deepEqual(state?.clients.find(({ clientId }) => clientId === 'news')?.redirectUris, [
    'https://news.daily.example/api/auth/v1/oauth/token',
    'https://news.daily.example/sso',
  ]);
  const other = { SHARED: `${SECRET}, another` };
  t.deepEqual(await change(text, { environment: other }), ['daily: ~ client paywall: integration_secret: replaced']);
  await close();
});

test('an integration secret from the file itself is left out of the export, and stays', async (t) => {
  const { change, exported, readState, close } = await setUp();
  await change(REALM('', `, integration_secret: "${SECRET}"`));
  const text = await exported();
  t.false(text.includes(SECRET));
  t.regex(text, /# integration_secret: is stored encrypted/);
  t.deepEqual(
    await change(text.replace('redirect_uris: []', 'redirect_uris: [https://pay.example/cb]')).then(
      (lines) => lines.length,
    ),
    1,
  );
  const [state] = await readState();
  t.is(
    state?.clients.find(({ clientId }) => clientId === 'paywall')?.integrationSecret?.sha256,
    hashToken(SECRET).toString('hex'),
  );
  await close();
});

test('a backend page on another host or in the API, and a short secret, are faults with what to write', async (t) => {
  const { refuse, close } = await setUp();
  const faults = await refuse(
    REALM(
      ', backend_redirect_uris: ["https://evil.example/sso", "https://news.daily.example/api/auth/v1/oauth/token"]',
      ', integration_secret: short',
    ),
  );
  t.regex(faults.join('\n'), /backend_redirect_uris\[0\]: write a page on https:\/\/news\.daily\.example/);
  t.regex(faults.join('\n'), /backend_redirect_uris\[1\]: write a page of your own/);
  t.regex(faults.join('\n'), /integration_secret: too short: write 32 characters or more/);
  await close();
});

test('clients api-key prints key and secret once, replaces the key, and takes it away', async (t) => {
  const server = await startTestServer();
  const apiKey = (...args: string[]) => run(server, ['clients', 'api-key', ...args, '--realm', 'test']);
  const made = await apiKey('news');
  const key = /^api-key (cwk_\S+)$/m.exec(made.stdout)?.[1] ?? '';
  const secret = /^secret (cws_\S+)$/m.exec(made.stdout)?.[1] ?? '';
  t.true(key !== '' && secret !== '', made.stdout);
  const again = await apiKey('news');
  t.notRegex(again.stdout, /^secret/m);
  const stored = async () =>
    server.services.db.builder('clients').where({ client_id: 'news' }).first('api_key_hash', 'secret_hashes');
  const second = /^api-key (cwk_\S+)$/m.exec(again.stdout)?.[1] ?? '';
  t.deepEqual((await stored()).api_key_hash, hashToken(second));
  t.deepEqual((await stored()).secret_hashes, [hashToken(secret)]);
  t.not(second, key);
  await apiKey('news', '--remove');
  t.is((await stored()).api_key_hash, null);
  const events = await server.services.db
    .builder('audit_events')
    .where({ type: 'client.api-key-changed' })
    .select('detail');
  t.deepEqual(
    events.map(({ detail }) => detail.what),
    ['made', 'made', 'ended'],
  );
  await server.close();
});

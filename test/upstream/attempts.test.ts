import test from 'ava';
import { startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { startFakeProvider } from '../support/upstream_provider.ts';
import { AUTH, browserOf, ENVIRONMENT, entryOf, headingOf, realmYaml, walkToAnswer, whoIs } from './setup.ts';

const idp = await startFakeProvider();
const other = await startFakeProvider({ name: 'other', issParameter: true });
const server = await startTestServer();
await server.apply(realmYaml([entryOf(idp, 'corp'), entryOf(other, 'second')]), ENVIRONMENT);
test.after.always(() => server.close());
test.after.always(() => idp.close());
test.after.always(() => other.close());
const newBrowser = () => browserOf(server, [idp, other]);
type Browser = ReturnType<typeof newBrowser>;

/** Opens what the provider's answer led to, and sees that nobody is signed in by it. */
async function expectRefusal(
  t: import('ava').ExecutionContext,
  browser: Browser,
  answer: string,
  heading = 'Please sign in again',
) {
  const end = await browser.follow(answer, { from: idp.issuer });
  t.is(headingOf(end), heading);
  t.true(end.status >= 400, String(end.status));
  t.is(await whoIs(browser), null);
  t.regex(end.text, /href="\/login"/, 'there is a way to begin again');
}

test.serial('security 158: an answer signs in only the browser that set out', async (t) => {
  idp.reset();
  const reader = newBrowser();
  const answer = await walkToAnswer(reader);
  await expectRefusal(t, newBrowser(), answer);
  const busy = newBrowser();
  await walkToAnswer(busy);
  await expectRefusal(t, busy, answer);
  await reader.follow(answer, { from: idp.issuer });
  t.truthy(await whoIs(reader), 'and it is not used up by the tries of others');
});

test.serial('security 158: an answer counts once', async (t) => {
  idp.reset();
  const reader = newBrowser();
  const answer = await walkToAnswer(reader);
  await reader.follow(answer, { from: idp.issuer });
  t.truthy(await whoIs(reader));
  const keptCookie = reader.jarOf('auth.test.localhost').get('__Host-qt-upstream') as string;
  reader.jarOf('auth.test.localhost').clear();
  reader.jarOf('auth.test.localhost').set('__Host-qt-upstream', keptCookie);
  await expectRefusal(t, reader, answer);
});

test.serial('security 158: an answer eleven minutes late is refused', async (t) => {
  idp.reset();
  const reader = newBrowser();
  const answer = await walkToAnswer(reader);
  await server.services.db.builder.raw(
    `update upstream_attempts set expires_at = expires_at - interval '11 minutes', created_at = created_at - interval '11 minutes'`,
  );
  await expectRefusal(t, reader, answer);
});

test.serial('security 158: without its cookie an answer is refused', async (t) => {
  idp.reset();
  const reader = newBrowser();
  const answer = await walkToAnswer(reader);
  reader.jarOf('auth.test.localhost').clear();
  await expectRefusal(t, reader, answer);
});

test.serial(
  'security 158: nonce, verifier and state are new for each attempt, and the database holds none of them',
  async (t) => {
    idp.reset();
    const reader = newBrowser();
    await walkToAnswer(reader);
    await walkToAnswer(reader);
    const [first, second] = idp.asked.filter(({ path }) => path === '/authorize').slice(-2);
    for (const name of ['state', 'nonce', 'code_challenge']) {
      t.not(first?.query.get(name), second?.query.get(name));
      t.regex(first?.query.get(name) ?? '', /^[A-Za-z0-9_-]{43}$/);
    }
    t.is(first?.query.get('code_challenge_method'), 'S256');
    const rows = JSON.stringify(await server.services.db.builder('upstream_attempts').select());
    for (const name of ['state', 'nonce']) t.false(rows.includes(String(second?.query.get(name))));
  },
);

test.serial('security 158: tabs do not overwrite each other', async (t) => {
  const person = idp.reset();
  const reader = newBrowser();
  const first = await walkToAnswer(reader);
  const second = await walkToAnswer(reader, 'second');
  await reader.follow(second, { from: other.issuer });
  await reader.follow(first, { from: idp.issuer });
  t.is((await whoIs(reader))?.['email'], person.email);
});

test.serial("security 159: a state of one provider is refused at another provider's address", async (t) => {
  idp.reset();
  const reader = newBrowser();
  const answer = new URL(await walkToAnswer(reader));
  t.is(answer.pathname, '/api/auth/v1/oidc/corp/callback');
  answer.pathname = '/api/auth/v1/oidc/second/callback';
  const before = other.count('/token');
  await expectRefusal(t, reader, answer.href);
  t.is(other.count('/token'), before, 'and no code goes there');
});

test.serial(
  'security 159: an answer with the issuer of another provider is refused before its code is used',
  async (t) => {
    for (const [provider, fake] of [
      ['corp', idp],
      ['second', other],
    ] as const) {
      fake.reset();
      fake.state.tampering.answer = (answer) => answer.set('iss', 'https://honest.example');
      const reader = newBrowser();
      const before = fake.count('/token');
      await expectRefusal(
        t,
        reader,
        await walkToAnswer(reader, provider),
        `Sign-in with Corp ${provider} did not work`,
      );
      t.is(fake.count('/token'), before);
    }
  },
);

test.serial('security 159: a provider that promises iss and leaves it out is refused (RFC 9207 §2.4)', async (t) => {
  other.reset();
  other.state.tampering.answer = (answer) => answer.delete('iss');
  const reader = newBrowser();
  await expectRefusal(t, reader, await walkToAnswer(reader, 'second'), 'Sign-in with Corp second did not work');
});

const ID_TOKENS: Record<string, import('../support/upstream_provider.ts').Tampering> = {
  'unsigned (alg none)': { signing: 'none' },
  'signed with the client secret (HS256)': { signing: 'HS256' },
  'signed with a key that is not published': { signing: 'unpublished-key' },
  'for another client': { claims: (claims) => ({ ...claims, aud: 'somebody-else' }) },
  'for several clients, made for another': { claims: (claims) => ({ ...claims, aud: [claims['aud'], 'x'], azp: 'x' }) },
  'of another issuer': { claims: (claims) => ({ ...claims, iss: 'https://honest.example' }) },
  expired: { claims: (claims) => ({ ...claims, iat: 1000, exp: 2000 }) },
  'with another nonce': { claims: (claims) => ({ ...claims, nonce: 'of an earlier sign-in' }) },
  'without a nonce': { claims: ({ nonce: _, ...claims }) => claims },
  'without a subject': { claims: ({ sub: _, ...claims }) => claims },
};
for (const [what, tampering] of Object.entries(ID_TOKENS)) {
  test.serial(`security 160: an ID token ${what} is refused`, async (t) => {
    idp.reset();
    idp.state.tampering = tampering;
    const reader = newBrowser();
    const accounts = await countRows(server, 'accounts', {});
    await expectRefusal(t, reader, await walkToAnswer(reader), 'Sign-in with Corp corp did not work');
    t.is(await countRows(server, 'accounts', {}), accounts);
  });
}

test.serial(
  'security 164: an error of the provider is shown escaped, and ends on a page that offers to begin again',
  async (t) => {
    idp.reset();
    idp.state.tampering.answer = (answer) => {
      answer.delete('code');
      answer.set('error', 'server_error');
      answer.set('error_description', '<script>alert(1)</script>');
    };
    const reader = newBrowser();
    const end = await reader.follow(await walkToAnswer(reader), { from: idp.issuer });
    t.is(end.status, 502);
    t.true(end.text.includes('server_error: &lt;script&gt;alert(1)&lt;/script&gt;'));
    t.false(end.text.includes('<script>alert'));
  },
);

test.serial('security 164: who says no at the provider is told so, and nothing has happened', async (t) => {
  idp.reset();
  idp.state.tampering.answer = (answer) => {
    answer.delete('code');
    answer.set('error', 'access_denied');
  };
  const reader = newBrowser();
  const end = await reader.follow(await walkToAnswer(reader), { from: idp.issuer });
  t.is(headingOf(end), 'You are not signed in');
  t.is(await whoIs(reader), null);
});

test.serial('security 164: no token of the provider is stored', async (t) => {
  idp.reset();
  const reader = newBrowser();
  await reader.follow(await walkToAnswer(reader), { from: idp.issuer });
  const columns = await server.services.db
    .builder('information_schema.columns')
    .select('table_name', 'column_name')
    .where('table_name', 'like', 'upstream%');
  t.deepEqual(
    columns.filter(({ column_name: name }) => /token|code|verifier|nonce/.test(name)),
    [],
  );
  t.false(server.lines.join('\n').includes('id_token'));
});

test('the page of a failure cannot be made to say what a stranger wrote', async (t) => {
  const page = await newBrowser().navigate(`${AUTH}/login/failed?outcome=eyJhbGciOiJub25lIn0.eyJkIjoiRVZJTCJ9.`);
  t.is(page.status, 400);
  t.is(headingOf(page), 'Please sign in again');
});

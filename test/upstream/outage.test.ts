import test from 'ava';
import { createBreaker } from '../../server/lib/breaker.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';
import { startFakeProvider } from '../support/upstream_provider.ts';
import {
  API,
  AUTH,
  browserOf,
  ENVIRONMENT,
  entryOf,
  headingOf,
  realmYaml,
  signIn,
  walkToAnswer,
  whoIs,
} from './setup.ts';

const [idp, gone, rotating] = [
  await startFakeProvider(),
  await startFakeProvider({ name: 'gone' }),
  await startFakeProvider({ name: 'rotating' }),
];
const server = await startTestServer();
await server.apply(
  realmYaml([entryOf(idp, 'corp'), entryOf(gone, 'gone'), entryOf(rotating, 'rotating')]),
  ENVIRONMENT,
);
test.after.always(() => server.close());
test.after.always(() => Promise.all([idp.close(), gone.close(), rotating.close()]));
const browser = () => browserOf(server, [idp, gone, rotating]);

test('R-84: the breaker opens after five failures in a row, and closes at the first success', (t) => {
  const clock = { now: 0 };
  const breaker = createBreaker({ now: () => clock.now });
  for (let failure = 0; failure < 4; failure++) breaker.note('a', false);
  t.true(breaker.admit('a'));
  breaker.note('a', true);
  for (let failure = 0; failure < 5; failure++) breaker.note('a', false);
  t.false(breaker.admit('a'));
  t.true(breaker.admit('b'), 'others are not concerned');
  clock.now = 30_001;
  t.true(breaker.admit('a'), 'one call is let through');
  t.false(breaker.admit('a'), 'and no other beside it');
  breaker.note('a', true);
  t.true(breaker.admit('a'));
});

const FAULTS = {
  'does not answer': { '/token': { delayMs: 20_000 } },
  'answers with a server error': { '/token': { status: 500 } },
  'answers with something that is no JSON': { '/token': { text: '<html>' } },
  'is too busy': { '/token': { status: 429, text: '{}' } },
} as const;
for (const [what, at] of Object.entries(FAULTS)) {
  test.serial(
    `R-84: a provider that ${what} gives a page within 5 s that offers another way, and sign-in here works`,
    async (t) => {
      idp.reset();
      const reader = browser();
      const answer = await walkToAnswer(reader);
      idp.state.tampering = { at };
      const account = await server.makeAccount();
      const begun = performance.now();
      const [page, local] = await Promise.all([
        reader.follow(answer, { from: idp.issuer }),
        server.browser().post(`${AUTH}${API}/login`, { email: account.email, password: PASSWORD }),
      ]);
      t.true(performance.now() - begun < 5000, `${performance.now() - begun} ms`);
      t.is(page.status, 503);
      t.is(headingOf(page), 'Corp corp does not answer');
      t.truthy(page.headers['retry-after']);
      t.is(local.status, 200);
      t.is(await whoIs(reader), null);
      idp.reset();
      await signIn(reader);
      t.truthy(await whoIs(reader), 'and once it is well again it works again');
    },
  );
}

test.serial('R-84: a provider that is gone costs readers nothing after a while, and is found again', async (t) => {
  gone.state.tampering = { at: { '/.well-known/openid-configuration': { status: 503 } } };
  for (let attempt = 0; attempt < 8; attempt++) {
    const page = await signIn(browser(), 'gone');
    t.is(page.status, 503);
  }
  t.is(gone.count('/.well-known/openid-configuration'), 5, 'it was left in peace');
  t.is((await server.browser().navigate(`${AUTH}/login`)).status, 200);
});

test.serial('R-84: an unknown key makes the key set be fetched at most once a minute', async (t) => {
  await signIn(browser(), 'rotating');
  await rotating.rotateKeys();
  const early = browser();
  await signIn(early, 'rotating');
  t.is(await whoIs(early), null, 'an unknown key is not asked for again within the minute');
  t.is(rotating.count('/jwks'), 1);
});

test.serial('R-84: once the minute is over the new key is fetched, and its ID tokens count', async (t) => {
  const [date, elapsed] = [Date.now, performance.now.bind(performance)];
  // The clocks of this process, which is the server's and the provider's.
  Date.now = () => date() + 61_000;
  performance.now = () => elapsed() + 61_000;
  t.teardown(() => Object.assign(Date, { now: date }) && Object.assign(performance, { now: elapsed }));
  const late = browser();
  await signIn(late, 'rotating');
  t.truthy(await whoIs(late));
  t.is(rotating.count('/jwks'), 2);
});

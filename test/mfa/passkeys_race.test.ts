// Ceremonies and counters over two nodes on one database.

import test from 'ava';
import { useKey } from '../support/authenticator.ts';
import { createBrowser } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { begin, PASSKEYS, passkeyReader } from './passkey_setup.ts';

const database = await createDatabase();
const one = await startTestServer({ database });
const other = await startTestServer({ database });
const NEWS = originOf('news');
test.before(async () => {
  await one.apply(REALM_YAML);
});
test.after.always(async () => {
  await other.close();
  await one.close();
  await database.drop();
});

const CEREMONIES = 100;
const ANSWERS = 50;

test('security 168, reliability R-26: one answer 50 times at once over two nodes, 100 times over: one sign-in each', async (t) => {
  const { account, key } = await passkeyReader(one);
  const counts = { right: 0, refused: 0, other: 0 };
  for (let round = 0; round < CEREMONIES; round++) {
    const browser = createBrowser({ ports: [one.port, other.port] });
    const { ceremony, options } = await begin(browser, 'sign-in');
    const response = useKey(key, options, NEWS);
    const cookies = browser.cookieHeader('news.test.localhost');
    const answers = await Promise.all(
      Array.from({ length: ANSWERS }, () =>
        browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response }, { cookies }),
      ),
    );
    t.is(answers.filter(({ status }) => status === 200).length, 1, `round ${round}`);
    for (const { status } of answers) counts[status === 200 ? 'right' : status === 401 ? 'refused' : 'other']++;
  }
  t.deepEqual(counts, { right: CEREMONIES, refused: CEREMONIES * (ANSWERS - 1), other: 0 });
  const { rows } = await one.services.db.builder.raw('select count(*)::int from sessions where account_id = ?', [
    account.id,
  ]);
  t.is(rows[0].count, CEREMONIES + 1);
});

test('security 168: of two uses with one count of a key, in two ceremonies at once, one is taken', async (t) => {
  const { key } = await passkeyReader(one, { signCount: 10 });
  for (let round = 0; round < 10; round++) {
    const signCount = 20 + round;
    const answers = await Promise.all(
      [one, other, one, other].map(async (node) => {
        const browser = node.browser();
        const { ceremony, options } = await begin(browser, 'sign-in');
        const response = useKey(key, options, NEWS, { signCount });
        return browser.post(`${NEWS}${PASSKEYS}/sign-in`, { ceremony, response });
      }),
    );
    t.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401, 401]);
  }
});

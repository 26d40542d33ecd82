// Many uses of one code or link at the same instant, over two nodes and by HTTP.

import test from 'ava';
import type { Answer } from '../support/browser.ts';
import { API, postJson } from '../support/raw.ts';
import { startTestServer } from '../support/server.ts';
import { NO_LIMITS, realmWith } from './setup.ts';

const first = await startTestServer({ yaml: realmWith(NO_LIMITS) });
const second = await startTestServer({ database: first.database });
test.after.always(async () => {
  await second.close();
  await first.close();
});
const ROUNDS = 50;
const AT_ONCE = 100;
const { db, challenges } = first.services;

/** 503 is overload before anything was touched; anything else from 500 on is a fault. */
const faults = (answers: readonly Answer[]) =>
  answers.filter(({ status }) => status >= 500 && status !== 503).map(({ text }) => text);
const won = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 200).length;
const storm = (path: string, body: object) =>
  Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) =>
      postJson(index % 2 === 0 ? first.port : second.port, `${API}${path}`, body),
    ),
  );

test.serial(
  `reliability R-26: of ${AT_ONCE} sign-ins with one code at once over two nodes one begins a session, in each of ${ROUNDS} rounds`,
  async (t) => {
    const account = await first.makeAccount();
    const of = {
      realmId: account.realmId,
      accountId: account.id,
      purpose: 'one-time-code',
      recipient: account.email,
    } as const;
    for (let round = 1; round <= ROUNDS; round++) {
      const { code } = await challenges.create(db, of);
      const answers = await storm('/login', { email: account.email, otp: code });
      t.is(won(answers), 1, `round ${round}`);
      t.deepEqual(faults(answers), []);
    }
    const [row] = await db.builder('sessions').where({ account_id: account.id }).count();
    t.is(Number(row?.['count']), ROUNDS);
  },
);

test.serial(
  `reliability R-26: of ${AT_ONCE} resets with one link at once over two nodes one sets the password, in each of ${ROUNDS} rounds`,
  async (t) => {
    const account = await first.makeAccount();
    const of = {
      realmId: account.realmId,
      accountId: account.id,
      purpose: 'reset-password',
      recipient: account.email,
    } as const;
    for (let round = 1; round <= ROUNDS; round++) {
      const { token } = await challenges.create(db, of);
      const password = `a long password ${round}`;
      const answers = await storm('/users/reset-password-with-token', {
        token,
        'new-password': password,
        'confirm-password': password,
      });
      t.is(won(answers), 1, `round ${round}`);
      t.deepEqual(faults(answers), []);
    }
    const events = await db.builder('audit_events').where({ account_id: account.id, type: 'password.reset' });
    t.is(events.length, ROUNDS);
  },
);

test.serial(
  `reliability R-27: of ${AT_ONCE} sign-ups with one code at once over two nodes one makes the account, in each of 20 rounds`,
  async (t) => {
    const realm = await first.realm();
    for (let round = 1; round <= 20; round++) {
      const recipient = `race-${round}-${process.pid}@example.com`;
      const { code } = await challenges.create(db, {
        realmId: realm.id,
        accountId: null,
        purpose: 'one-time-code',
        recipient,
      });
      const answers = await storm('/signup', { email: recipient, otp: code });
      t.is(won(answers), 1, `round ${round}`);
      t.deepEqual(faults(answers), []);
      t.is((await db.builder('accounts').where({ email_canonical: recipient })).length, 1);
    }
  },
);

// Many redemptions of one code at the same instant, over two nodes.

import test from 'ava';
import { type Answer, send } from '../support/browser.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { beginSession, countRows } from '../support/signed_in.ts';
import { issueDirectly, landingWith, liveSession, setsSession } from './flow.ts';

const first = await startTestServer();
const second = await startTestServer({ database: first.database });
test.after.always(async () => {
  await second.close();
  await first.close();
});
const ROUNDS = 50;
const AT_ONCE = 100;
/** What a request on a starved machine is turned away for (503), before it touched the code: it waited two seconds. */
const OVERLOAD = /KnexTimeoutError|canceling statement due to lock timeout/;

/** Answers that are none of these, and what the log says went wrong: a deadlock is a failure, overload is none. */
function failuresOf(answers: readonly Answer[], good: readonly number[]): string[] {
  const bad = answers.filter(({ status }) => !good.includes(status));
  const lines = [...first.lines, ...second.lines];
  const reasons = lines.filter((line) => line.includes('"err"') && !OVERLOAD.test(line));
  const others = bad.filter(({ status }) => status !== 503).map(({ status }) => String(status));
  return [...others, ...reasons];
}

const portOf = (index: number) => (index % 2 === 0 ? first.port : second.port);

test.serial(
  'security 5: of 100 redemptions at once over two nodes exactly one makes a session, in each of 50 rounds',
  async (t) => {
    const account = await first.makeAccount();
    const session = await beginSession(first, account, ['auth']);
    const live = await liveSession(first, session);
    for (let round = 1; round <= ROUNDS; round++) {
      const { code, flowCookie } = await issueDirectly(first, live);
      const ask = { headers: { Cookie: flowCookie } };
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, index) => send(portOf(index), landingWith(code), ask)),
      );
      t.is(answers.filter(setsSession).length, 1, `round ${round}`);
      t.deepEqual(failuresOf(answers, [303]), []);
      t.is(await countRows(first, 'domain_sessions', { session_id: session.id, host: HOSTS.news }), round);
    }
  },
);

test.serial(
  'security 5: a stranger who races the rightful browser never gets a session, and what the browser got is ended',
  async (t) => {
    const account = await first.makeAccount();
    const session = await beginSession(first, account, ['auth']);
    const live = await liveSession(first, session);
    for (let round = 1; round <= 10; round++) {
      const { code, flowCookie } = await issueDirectly(first, live);
      const isOwner = (index: number) => index % 4 < 2;
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          send(portOf(index), landingWith(code), isOwner(index) ? { headers: { Cookie: flowCookie } } : {}),
        ),
      );
      t.true(answers.filter(setsSession).length <= 1);
      t.false(
        answers.some((answer, index) => setsSession(answer) && !isOwner(index)),
        `round ${round}`,
      );
      t.deepEqual(failuresOf(answers, [303, 400]), []);
      t.is(await countRows(first, 'domain_sessions', { session_id: session.id, host: HOSTS.news }), 0);
    }
  },
);

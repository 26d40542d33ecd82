// decideRedeem, pure: every combination of facts, against the invariants of the flow.

import test from 'ava';
import { type CodeFacts, decideRedeem, type RedeemDecision } from '../../server/oauth/redeem.ts';

const FLAGS = [
  'isForThisHost',
  'isFlowOfThisBrowser',
  'hasMadeSession',
  'holdsItsSession',
  'isJustUsed',
  'isRestart',
  'isSilent',
] as const;
const STATES = ['fresh', 'expired', 'used'] as const;

const ALL: CodeFacts[] = STATES.flatMap((state) =>
  Array.from({ length: 2 ** FLAGS.length }, (_, bits) => {
    const flags = Object.fromEntries(FLAGS.map((flag, index) => [flag, (bits & (1 << index)) !== 0]));
    return { state, ...flags } as CodeFacts;
  }),
);
const DECIDED = ALL.map((facts) => ({ facts, decision: decideRedeem(facts) }));

/** Asserts that something holds for every combination that a decision was made for. */
const those = (...decisions: RedeemDecision[]) => DECIDED.filter(({ decision }) => decisions.includes(decision));
const where = (holds: (facts: CodeFacts) => boolean) => DECIDED.filter(({ facts }) => holds(facts));

test('the table has every combination, and every decision occurs in it', (t) => {
  t.is(new Set(ALL.map((facts) => JSON.stringify(facts))).size, 3 * 2 ** FLAGS.length);
  t.deepEqual([...new Set(DECIDED.map(({ decision }) => decision))].sort(), [
    'again',
    'back-anonymous',
    'cookies-refused',
    'create',
    'refuse',
    'replayed',
    'restart',
  ]);
});

test('security 1, 4: a session is created exactly from a fresh code of this host in the browser that started its flow', (t) => {
  for (const { facts, decision } of DECIDED) {
    const mayCreate = facts.state === 'fresh' && facts.isForThisHost && facts.isFlowOfThisBrowser;
    t.is(decision === 'create', mayCreate, JSON.stringify(facts));
  }
});

test('security 1: a code without the flow of this browser never creates, whether its flow was started again or not', (t) => {
  for (const { facts, decision } of where((facts) => !facts.isFlowOfThisBrowser))
    t.not(decision, 'create', JSON.stringify(facts));
});

test('security 7: a code of another host is refused whatever else is true', (t) => {
  for (const { decision } of where((facts) => !facts.isForThisHost)) t.is(decision, 'refuse');
  for (const { facts } of those('refuse')) t.false(facts.isForThisHost);
});

test('security 2: no flow is started a third time', (t) => {
  for (const { facts } of those('restart')) t.false(facts.isRestart, JSON.stringify(facts));
  for (const { facts } of those('cookies-refused', 'back-anonymous')) t.true(facts.isRestart, JSON.stringify(facts));
});

test('security 19: a silent flow ends on the page it came from, never on an error about cookies; another never goes back in silence', (t) => {
  for (const { facts } of those('back-anonymous')) t.true(facts.isSilent);
  for (const { facts } of those('cookies-refused')) t.false(facts.isSilent);
});

test('RFC 6749 §4.1.2: a replay is answered by ending a session, so only where a session was made', (t) => {
  for (const { facts } of those('replayed')) {
    t.is(facts.state, 'used');
    t.true(facts.hasMadeSession && facts.isForThisHost);
    t.false(
      facts.isJustUsed && (facts.holdsItsSession || facts.isFlowOfThisBrowser),
      'a rightful reader is never punished',
    );
  }
});

test('security 4: a stranger with a code that has made a session is always answered as a replay', (t) => {
  const strangers = where(
    (facts) =>
      facts.isForThisHost &&
      facts.state === 'used' &&
      facts.hasMadeSession &&
      !facts.isFlowOfThisBrowser &&
      !facts.holdsItsSession,
  );
  t.is(strangers.length, 8);
  for (const { decision } of strangers) t.is(decision, 'replayed');
});

test('security 6: the same browser with its session goes to its page again for a minute, later it is a replay', (t) => {
  const holders = where(
    (facts) => facts.isForThisHost && facts.state === 'used' && facts.hasMadeSession && facts.holdsItsSession,
  );
  t.is(holders.length, 16);
  for (const { facts, decision } of holders) t.is(decision, facts.isJustUsed ? 'again' : 'replayed');
  for (const { facts } of those('again')) t.true(facts.holdsItsSession && facts.isJustUsed && facts.state === 'used');
});

test('security 8: an expired code begins the flow again or ends it, and punishes nobody', (t) => {
  for (const { facts, decision } of where((facts) => facts.state === 'expired' && facts.isForThisHost)) {
    t.true(['restart', 'cookies-refused', 'back-anonymous'].includes(decision), JSON.stringify(facts));
  }
});

test('security 1: a code that a stranger has burnt lets the rightful reader start again, once', (t) => {
  const burnt = where((facts) => facts.isForThisHost && facts.state === 'used' && !facts.hasMadeSession);
  for (const { facts, decision } of burnt) {
    const ending = facts.isSilent ? 'back-anonymous' : 'cookies-refused';
    t.is(decision, facts.isRestart ? ending : 'restart', JSON.stringify(facts));
  }
});

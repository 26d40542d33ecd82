import test from 'ava';
import { asAccountId } from '../../server/lib/ids.ts';
import { decideLinking, type LinkingDecision, type LinkingFacts } from '../../server/upstream/linking.ts';

const A = asAccountId('1');
const B = asAccountId('2');
const nobody: LinkingFacts = { linked: null, isEmailProven: true, local: null, linkTo: null, signUp: 'open' };
const verified = { id: A, isEmailVerified: true };
const unverified = { id: A, isEmailVerified: false };
const signInFirst = { kind: 'refuse', reason: 'sign-in-first' } as const;

const ROWS: [what: string, facts: Partial<LinkingFacts>, decision: LinkingDecision][] = [
  ['somebody new', {}, { kind: 'create' }],
  ['somebody new without an address', { isEmailProven: null }, { kind: 'create' }],
  ['somebody new where sign-up is closed', { signUp: 'closed' }, { kind: 'refuse', reason: 'sign-up-closed' }],
  ['a known subject', { linked: B }, { kind: 'sign-in', accountId: B }],
  ['a known subject where sign-up is closed', { linked: B, signUp: 'closed' }, { kind: 'sign-in', accountId: B }],
  ["a known subject with somebody else's address", { linked: B, local: verified }, { kind: 'sign-in', accountId: B }],
  ['a proven address that is verified here', { local: verified }, { kind: 'connect', accountId: A }],
  ['a proven address that is not verified here', { local: unverified }, { kind: 'reclaim', accountId: A }],
  ['an address that is not proven, verified here', { isEmailProven: false, local: verified }, signInFirst],
  ['an address that is not proven, nor verified here', { isEmailProven: false, local: unverified }, signInFirst],
  ['connecting while signed in', { linkTo: A }, { kind: 'connect', accountId: A }],
  ['connecting with an address of another account', { linkTo: B, local: verified }, { kind: 'connect', accountId: B }],
  ['connecting what is connected', { linkTo: A, linked: A }, { kind: 'sign-in', accountId: A }],
  ['connecting what is connected with another account', { linkTo: A, linked: B }, { kind: 'refuse', reason: 'taken' }],
];
for (const [what, facts, decision] of ROWS) {
  test(`security 161: ${what}: ${decision.kind}`, (t) => {
    t.deepEqual(decideLinking({ ...nobody, ...facts }), decision);
  });
}

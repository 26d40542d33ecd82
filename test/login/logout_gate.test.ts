import test from 'ava';
import type { Origins } from '../../server/http/fetch_metadata.ts';
import { type LogoutGate, logoutGate } from '../../server/login/logout_gate.ts';

type Row = [from: Origins, isSubresource: boolean, isNavigation: boolean, acceptsHtml: boolean, expected: LogoutGate];

const TABLE: readonly Row[] = [
  ['same-origin', false, false, false, 'act'],
  ['same-origin', false, false, true, 'act'],
  ['same-origin', false, true, false, 'act'],
  ['same-origin', false, true, true, 'act'],
  ['typed', false, false, false, 'ask'],
  ['typed', false, false, true, 'ask'],
  ['typed', false, true, false, 'ask'],
  ['typed', false, true, true, 'ask'],
  ['foreign', false, false, false, 'refuse'],
  ['foreign', false, false, true, 'refuse'],
  ['foreign', false, true, false, 'ask'],
  ['foreign', false, true, true, 'ask'],
  ['unknown', false, false, false, 'act'],
  ['unknown', false, false, true, 'ask'],
  ['unknown', false, true, false, 'act'],
  ['unknown', false, true, true, 'ask'],
  // A part of a page never signs anybody out, whoever asks for it.
  ...(['same-origin', 'typed', 'foreign', 'unknown'] as const).flatMap((from) =>
    [false, true].flatMap((isNavigation) =>
      [false, true].map((acceptsHtml): Row => [from, true, isNavigation, acceptsHtml, 'refuse']),
    ),
  ),
];

for (const [from, isSubresource, isNavigation, acceptsHtml, expected] of TABLE) {
  const what = [
    isSubresource ? 'a part of a page' : isNavigation ? 'a page change' : 'a script',
    acceptsHtml ? 'that takes HTML' : 'that takes no HTML',
  ].join(' ');
  test(`security 67: sign-out asked by ${from}, ${what}${isSubresource && isNavigation ? ', navigating' : ''}: ${expected}`, (t) => {
    t.is(logoutGate({ from, isSubresource, isNavigation, acceptsHtml }), expected);
  });
}

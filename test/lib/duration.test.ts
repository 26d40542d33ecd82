// Durations as operators write them.

import test from 'ava';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../server/lib/duration.ts';

for (const [text, seconds] of [
  ['0s', 0],
  ['45s', 45],
  ['10m', 600],
  ['12h', 43_200],
  ['30d', 2_592_000],
  ['365d', 31_536_000],
  ['007s', 7],
  ['', null],
  ['s', null],
  ['10', null],
  ['10 m', null],
  [' 10m', null],
  ['10m ', null],
  ['10m\n', null],
  ['10M', null],
  ['1.5h', null],
  ['-1s', null],
  ['+1s', null],
  ['1e3s', null],
  ['1w', null],
  ['1h30m', null],
  ['1234567890s', null],
  ['١s', null],
] as const) {
  test(`${JSON.stringify(text)} is ${seconds === null ? 'no duration' : `${seconds} s`}`, (t) =>
    t.is(parseDuration(text), seconds));
}

for (const [seconds, text] of [
  [0, '0s'],
  [59, '59s'],
  [60, '1m'],
  [61, '61s'],
  [3600, '1h'],
  [5400, '90m'],
  [86_400, '1d'],
  [90_000, '25h'],
] as const) {
  test(`${seconds} s is written ${text}`, (t) => t.is(formatDuration(seconds), text));
}

test('what is written of a number of seconds reads as that number again', (t) => {
  fc.assert(
    fc.property(fc.nat(999_999_999), (seconds) => parseDuration(formatDuration(seconds)) === seconds),
    { seed: 1 },
  );
  t.pass();
});

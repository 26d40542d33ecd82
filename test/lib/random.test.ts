import test from 'ava';
import { createRandomNames, createRandomTexts } from '../../server/lib/random.ts';

for (const [title, make] of [
  ['a random text', createRandomTexts],
  ['a random name', createRandomNames],
] as const) {
  test(`${title} has the letters of base64url, as many as its bytes need, and does not come twice`, (t) => {
    const next = make(9);
    // More than are fetched from the system at once.
    const made = Array.from({ length: 1000 }, next);
    t.true(made.every((one) => /^[\w-]{12}$/.test(one)));
    t.is(new Set(made).size, made.length);
  });
}

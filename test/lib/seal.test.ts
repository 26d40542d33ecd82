// Sealed values: readable, unchangeable, for one purpose, under secrets that can be replaced.

import test from 'ava';
import { SignJWT, UnsecuredJWT } from 'jose';
import { createSealer, deriveKey } from '../../server/lib/seal.ts';

const OLD = 'old-secret-0123456789-abcdefghijklmnop';
const NEW = 'new-secret-0123456789-abcdefghijklmnop';
const sealerOf = (secrets: readonly string[] = [OLD], purpose = 'return') => createSealer({ secrets, purpose });
const HOUR = 3600;

test('what was sealed opens as it was', async (t) => {
  const sealer = sealerOf();
  t.deepEqual(await sealer.open(await sealer.seal({ p: '/x?ü', n: 1, l: ['a'], o: { k: null } }, null)), {
    p: '/x?ü',
    n: 1,
    l: ['a'],
    o: { k: null },
  });
  t.like(await sealer.open(await sealer.seal({ p: '/x' }, HOUR)), { p: '/x' });
});

test('a sealed value opens for its own purpose only', async (t) => {
  const token = await sealerOf([OLD], 'device').seal({ p: '/x' }, null);
  t.is(await sealerOf([OLD], 'return').open(token), null);
  t.not(Buffer.from(deriveKey(OLD, 'device')).toString('hex'), Buffer.from(deriveKey(OLD, 'return')).toString('hex'));
});

test('a sealed value opens under an older secret, and not once that one is gone', async (t) => {
  const token = await sealerOf([OLD]).seal({ p: '/x' }, null);
  t.like(await sealerOf([NEW, OLD]).open(token), { p: '/x' });
  t.is(await sealerOf([NEW]).open(token), null);
  const fresh = await sealerOf([NEW, OLD]).seal({ p: '/y' }, null);
  t.like(await sealerOf([NEW]).open(fresh), { p: '/y' }, 'the first secret signs');
});

test('security 14: not one character of a sealed value can be changed', async (t) => {
  const sealer = sealerOf();
  const token = await sealer.seal({ p: '/x' }, null);
  for (let index = 0; index < token.length; index++) {
    if (token[index] === '.') continue;
    // The last character of a part may hold unused bits: a change of the first bit of its six always counts.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const changed = alphabet[alphabet.indexOf(token[index]!) ^ 32];
    t.is(await sealer.open(`${token.slice(0, index)}${changed}${token.slice(index + 1)}`), null, `character ${index}`);
  }
});

test('security 14: an expired value, one of no sealer, and no value at all open to nothing', async (t) => {
  const sealer = sealerOf();
  t.is(await sealer.open(await sealer.seal({ p: '/x' }, -1)), null);
  for (const bad of [
    undefined,
    null,
    '',
    'x',
    'a.b.c',
    '..',
    'x'.repeat(8193),
    (await sealer.seal({ p: '/x' }, null)).slice(0, -1),
  ]) {
    t.is(await sealer.open(bad), null);
  }
});

test('RFC 8725 §3.1: the algorithm and type that a value claims are not believed', async (t) => {
  const sealer = sealerOf();
  const typ = 'causeway-return+jwt';
  const key = deriveKey(OLD, 'return');
  t.like(
    await sealer.open(await new SignJWT({ p: '/x' }).setProtectedHeader({ alg: 'HS256', typ }).sign(key)),
    { p: '/x' },
    'the table below is about the right key',
  );
  t.is(await sealer.open(new UnsecuredJWT({ p: '/x' }).encode()), null);
  t.is(await sealer.open(await new SignJWT({ p: '/x' }).setProtectedHeader({ alg: 'HS256' }).sign(key)), null);
  t.is(
    await sealer.open(await new SignJWT({ p: '/x' }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(key)),
    null,
  );
  const longer = new Uint8Array([...key, ...key]);
  t.is(await sealer.open(await new SignJWT({ p: '/x' }).setProtectedHeader({ alg: 'HS512', typ }).sign(longer)), null);
});

test('without a secret there is no sealer', (t) => {
  t.throws(() => sealerOf([]), { message: /at least one secret/ });
});

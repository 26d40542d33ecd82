// What we write in compact form is what jose reads.

import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import test from 'ava';
import { compactDecrypt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { encryptCompact, signCompact } from '../../server/lib/compact.ts';

const secret = createSecretKey(randomBytes(32));
const KEYS = {
  HS256: { privateKey: secret, publicKey: secret },
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const;

for (const alg of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
  test(`RFC 7515 §5.1: claims signed by ${alg} are verified by their key and by no other`, async (t) => {
    const { privateKey, publicKey } = KEYS[alg];
    const claims = { sub: 'x', n: 1, text: 'Zoë \u{1f600}', none: undefined };
    const token = await signCompact({ alg, typ: 'at+jwt', kid: 'k' }, claims, privateKey);
    const { payload, protectedHeader } = await jwtVerify(token, publicKey, { algorithms: [alg] });
    t.deepEqual(payload, { sub: 'x', n: 1, text: 'Zoë \u{1f600}' });
    t.deepEqual({ ...protectedHeader }, { alg, typ: 'at+jwt', kid: 'k' });
    const other = alg === 'HS256' ? createSecretKey(randomBytes(32)) : otherKey(alg);
    await t.throwsAsync(jwtVerify(token, other, { algorithms: [alg] }), {
      instanceOf: errors.JWSSignatureVerificationFailed,
    });
  });
}

function otherKey(alg: 'ES256' | 'EdDSA' | 'RS256') {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  return (alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519'))
    .publicKey;
}

test('RFC 7516 §5.1: what is encrypted opens with its key alone, and only unchanged', async (t) => {
  const key = randomBytes(32);
  const sealed = encryptCompact('Zoë \u{1f600}', key);
  t.deepEqual({ ...decodeProtectedHeader(sealed) }, { alg: 'dir', enc: 'A256GCM' });
  const { plaintext } = await compactDecrypt(sealed, key);
  t.is(new TextDecoder().decode(plaintext), 'Zoë \u{1f600}');
  await t.throwsAsync(compactDecrypt(sealed, randomBytes(32)), { instanceOf: errors.JWEDecryptionFailed });
  const parts = sealed.split('.');
  for (const index of [2, 3, 4]) {
    const part = parts[index] ?? '';
    const changed = parts.with(index, `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`).join('.');
    await t.throwsAsync(compactDecrypt(changed, key), { instanceOf: errors.JWEDecryptionFailed }, `part ${index}`);
  }
});

test('RFC 7518 §5.3: every encryption has an initialization vector of its own, of 96 bits, and a tag of 128', (t) => {
  const key = randomBytes(32);
  const parts = Array.from({ length: 1000 }, () => encryptCompact('x', key).split('.'));
  t.is(new Set(parts.map(([, , iv]) => iv)).size, 1000);
  t.true(parts.every(([, none, iv, , tag]) => none === '' && iv?.length === 16 && tag?.length === 22));
});

test('RFC 7518 §3.4: both numbers of an ES256 signature have 32 bytes, however many zeros they begin with', async (t) => {
  const { privateKey, publicKey } = KEYS.ES256;
  for (let nr = 0; nr < 600; nr++) {
    const token = await signCompact({ alg: 'ES256', typ: 'JWT' }, { nr }, privateKey);
    const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
    t.is(signature.length, 64);
    t.is((await jwtVerify(token, publicKey)).payload['nr'], nr);
  }
});

// Random secrets, their form and their stored hashes.

import test from 'ava';
import {
  createTaggedToken,
  createToken,
  hashToken,
  isSameHash,
  isTaggedToken,
  parseToken,
} from '../../server/lib/token.ts';

test('security 8: a token is 256 bits as 43 characters of base64url, and never comes twice', (t) => {
  const tokens = Array.from({ length: 5000 }, createToken);
  t.is(new Set(tokens).size, 5000);
  for (const token of tokens) {
    t.regex(token, /^[A-Za-z0-9_-]{43}$/);
    t.is(Buffer.from(token, 'base64url').length, 32);
    t.is<string | null, string>(parseToken(token), token);
  }
});

test('what has not the form of a token is none', (t) => {
  const good = createToken();
  for (const bad of [
    undefined,
    null,
    '',
    'dummy',
    good.slice(1),
    `${good}A`,
    `${good.slice(1)}=`,
    `${good.slice(1)}+`,
    `${good.slice(1)}/`,
    `${good} `,
    `${good}\n`,
    ` ${good.slice(1)}`,
    `${good.slice(1)}é`,
  ]) {
    t.is(parseToken(bad), null, String(bad));
  }
});

test('security 8: what is stored is the SHA-256 of the token', (t) => {
  t.is(hashToken('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('hashes are the same only when every byte is, whatever their lengths', (t) => {
  const hash = hashToken('abc');
  const other = Buffer.from(hash);
  t.true(isSameHash(hash, other));
  other[31]! ^= 1;
  t.false(isSameHash(hash, other));
  t.false(isSameHash(hash, hash.subarray(0, 31)));
  t.false(isSameHash(hash, Buffer.alloc(0)));
});

test('a secret for developers begins with its tag and ends with a checksum; whoever makes one up has not the form of one', (t) => {
  for (const tag of ['cwa', 'cwr', 'cwi', 'cws'] as const) {
    const token = createTaggedToken(tag);
    t.regex(token, new RegExp(`^${tag}_[A-Za-z0-9_-]{49}$`));
    t.true(isTaggedToken(tag, token));
    for (const bad of [
      '',
      `${tag}_`,
      `${tag}_${createToken()}`,
      `${tag}_${createToken()}AAAAAA`,
      `${token}A`,
      token.slice(0, -1),
      ` ${token}`,
      `${token}\n`,
      token.replace(tag, 'cwx'),
      `${token.slice(0, 10)}${token[10] === 'A' ? 'B' : 'A'}${token.slice(11)}`,
    ])
      t.false(isTaggedToken(tag, bad), bad);
    t.false(isTaggedToken(tag === 'cwa' ? 'cwr' : 'cwa', token));
  }
});

// bcrypt in the shapes in which it is handed down, and argon2 with any parameters. Both by libraries that work on threads of
// their own: at cost 12 bcrypt takes a quarter of a second, which no event loop may stand still for (reliability R-60).

import { createHash, createHmac } from 'node:crypto';
import argon2 from 'argon2';
import bcrypt from 'bcrypt';
import type { Family } from './foreign_hash.ts';

const MODULAR = String.raw`\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}`;
const MOST_ARGON2_KIB = 262_144;
const MOST_ARGON2_PASSES = 32;
const MOST_ARGON2_LANES = 16;

type Variant = { name: string; prefix: string; prepare(password: string): string };

const VARIANTS: readonly Variant[] = [
  { name: 'bcrypt', prefix: '', prepare: (password) => password },
  // WordPress 6.8: a digest first, because bcrypt reads 72 bytes only.
  {
    name: 'wordpress-bcrypt',
    prefix: '$wp',
    prepare: (password) => createHmac('sha384', 'wp-sha384').update(password.trim()).digest('base64'),
  },
  {
    name: 'django-bcrypt-sha256',
    prefix: 'bcrypt_sha256$',
    prepare: (password) => createHash('sha256').update(password).digest('hex'),
  },
];

export const bcryptFamilies: readonly Family[] = VARIANTS.map(({ name, prefix, prepare }) => {
  const form = new RegExp(`^${prefix.replaceAll('$', '\\$')}${MODULAR}$`);
  return {
    name,
    accepts: (stored) => form.test(stored),
    // The letter tells which old mistake the maker was free of; the library takes 2b for all that are sound.
    verify: (stored, password) =>
      bcrypt.compare(prepare(password), stored.slice(prefix.length).replace(/^\$2[ay]/, '$2b')),
  };
});

const ARGON2_FORM =
  /^\$argon2(?:id|i|d)\$v=(?:16|19)\$(?=[^$]*m=(\d{1,7}))(?=[^$]*t=(\d{1,3}))(?=[^$]*p=(\d{1,3}))[mtp=,0-9]+\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{16,172}$/;

export const argon2Phc: Family = {
  name: 'argon2',
  accepts(stored) {
    const [, memory, passes, lanes] = (ARGON2_FORM.exec(stored) ?? []).map(Number);
    if (memory === undefined || passes === undefined || lanes === undefined) return false;
    return memory <= MOST_ARGON2_KIB && passes <= MOST_ARGON2_PASSES && lanes <= MOST_ARGON2_LANES;
  },
  verify: (stored, password) => argon2.verify(stored, password),
};

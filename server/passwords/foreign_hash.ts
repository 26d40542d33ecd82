// Password hashes of other systems: which family a stored hash belongs to, and whether a password is right for it.
// The forms are in README.md. Whatever is stored, nothing here throws and nothing costs more than the bounds of its family:
// a hash comes from a file that somebody else wrote.

import { argon2Phc, bcryptFamilies } from './foreign_bcrypt.ts';
import { ldapDigest, saltedDigest } from './foreign_digest.ts';
import { aspnet, djangoPbkdf2, phcPbkdf2, werkzeugPbkdf2 } from './foreign_pbkdf2.ts';
import { phpass } from './foreign_phpass.ts';
import { djangoScrypt, firebaseScrypt, phcScrypt, werkzeugScrypt } from './foreign_scrypt.ts';

/** One way of hashing passwords, as some system writes it. */
export type Family = {
  /** What the family is called in reports. */
  name: string;
  /** Whether a stored text is of this family and within its bounds. */
  accepts(stored: string): boolean;
  /** Whether a password, as UTF-8, is right. Asked only for what is accepted. */
  verify(stored: string, password: string): Promise<boolean>;
};

const FAMILIES: readonly Family[] = [
  ...bcryptFamilies,
  argon2Phc,
  phcScrypt,
  werkzeugScrypt,
  djangoScrypt,
  firebaseScrypt,
  phcPbkdf2,
  djangoPbkdf2,
  werkzeugPbkdf2,
  aspnet,
  phpass,
  ldapDigest,
  saltedDigest,
];
const LONGEST_HASH = 1024;

/** The family of a stored hash; null for none that we know, or one that would cost too much to verify. */
export function findFamily(stored: string): Family | null {
  if (stored.length > LONGEST_HASH) return null;
  return FAMILIES.find((family) => family.accepts(stored)) ?? null;
}

/**
 * Whether a password is right for a hash of any family. It was hashed there as it was typed there, so what is typed now is
 * tried as it comes and, where that is not the same, in the composed form.
 */
export async function verifyForeign(stored: string, password: string): Promise<boolean> {
  const family = findFamily(stored);
  if (!family) return false;
  try {
    for (const candidate of new Set([password, password.normalize('NFC')]))
      if (await family.verify(stored, candidate)) return true;
  } catch {
    // A hash that its own library cannot read is right for nobody.
  }
  return false;
}

/** A hash that costs as much as this one to verify and is nobody's: its digest, at the end in every form, is overwritten. */
export function standInFor(stored: string): string {
  return stored.replace(/[A-Za-z0-9./+]{12}(=*)$/, 'aaaaaaaaaaaa$1');
}

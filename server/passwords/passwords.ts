// Password hashing: argon2id, never more at once than configured. The hashing pool is shared with DNS, files and WebCrypto, so an
// uncapped sign-in storm stalls everything else. The queue is bounded too: who would wait too long is refused at once and told
// when to come back.

import { createAdmission } from './admission.ts';
import { argon2id, isCurrent } from './argon2id.ts';
import type { BreachedPasswords } from './breached.ts';
import { createCommonPasswords } from './common.ts';
import { standInFor, verifyForeign } from './foreign_hash.ts';
import { lowerPoolPriority } from './thread_priority.ts';

export { type BreachedPasswords, createBreachedPasswords } from './breached.ts';
export { standInFor } from './foreign_hash.ts';
export { type HashParameters, hashParametersSchema, toStoredHash } from './stored_form.ts';

export const LONGEST_PASSWORD = 1024;

export type Passwords = ReturnType<typeof createPasswords>;

/**
 * Hashing with admission.
 * @param options concurrency: hashes at the same time; isBreached: asks a list of leaked passwords, if there is one to ask
 */
export function createPasswords(options: { concurrency: number; isBreached?: BreachedPasswords | null }) {
  const common = createCommonPasswords();
  const { admit, load } = createAdmission(options);
  // Verified against when there is no account, so that a stranger's sign-in takes as long as a wrong password.
  const nobody = argon2id.hash('nobody has this password');
  // That has started the threads.
  lowerPoolPriority();

  /** The hash of a new password, as a PHC string. @throws AppError unavailable when too many are waiting */
  const hash = (password: string, signal?: AbortSignal): Promise<string> =>
    admit(() => argon2id.hash(normalise(password)), signal);

  /**
   * Whether a password matches a stored hash, ours or another system's; with null (nobody, or no password set) it is false.
   * `isOutdated` tells that the hash was made elsewhere or with weaker parameters and should be made again.
   * Every no takes as long as any other: one argon2id verification and, where the realm has foreign hashes, one of theirs.
   * @param more alike: a hash as the foreign ones of the realm are, null where it has none
   */
  async function verify(
    stored: string | null,
    password: string,
    more: { signal?: AbortSignal | undefined; alike?: string | null } = {},
  ): Promise<{ isRight: boolean; isOutdated: boolean }> {
    const isForeign = stored !== null && !isCurrent(stored);
    const first = isForeign
      ? () => verifyForeign(stored, password)
      : async () => argon2id.verify(stored ?? (await nobody), normalise(password));
    const isRight = (await admit(first, more.signal)) && stored !== null;
    if (isRight) return { isRight, isOutdated: isForeign };
    const alike = more.alike ?? null;
    if (isForeign) await admit(async () => argon2id.verify(await nobody, normalise(password)), more.signal);
    else if (alike !== null) await admit(() => verifyForeign(standInFor(alike), password), more.signal);
    return { isRight: false, isOutdated: false };
  }

  /**
   * What is wrong with a new password, if anything: its length in characters, or that it is easily guessed (NIST SP
   * 800-63B-4 §3.1.1.2: no composition rules, but a list of refused ones).
   * @param rules context: words that belong to the person or the site (ASVS 6.2.11)
   */
  async function checkNew(
    password: string,
    rules: { minimum: number; context: readonly string[] },
  ): Promise<PasswordFault | null> {
    if (password === '') return 'missing';
    if (password.length > LONGEST_PASSWORD) return 'too-long';
    const normal = normalise(password);
    if ([...normal].length < rules.minimum) return 'too-short';
    if (common.isMadeOf(normal, rules.context) || (await common.isCommon(normal))) return 'common';
    return (await options.isBreached?.(normal)) ? 'breached' : null;
  }

  return { hash, verify, checkNew, load };
}

export type PasswordFault = 'missing' | 'too-short' | 'too-long' | 'common' | 'breached';

// One form for a letter and its accent, whichever keyboard typed it; the one place where it is decided.
function normalise(password: string): string {
  return password.normalize('NFC');
}

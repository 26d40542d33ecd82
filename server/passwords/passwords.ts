// Password hashing: argon2id with the OWASP parameters (19 MiB, 2 passes, 1 lane), never more at once than configured. The
// hashing pool is shared with DNS, files and WebCrypto, so an uncapped sign-in storm stalls everything else. The queue is
// bounded too: who would wait too long is refused at once and told when to come back.

import argon2 from 'argon2';
import PQueue from 'p-queue';
import { AppError } from '../http/errors.ts';

const PARAMETERS = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Some 4 s of work for one core: more would keep a reader waiting without a word. */
const LONGEST_QUEUE_PER_CORE = 200;
const RETRY_AFTER_SECONDS = 3;
export const LONGEST_PASSWORD = 1024;

export type Passwords = ReturnType<typeof createPasswords>;

/** Hashing with admission. @param options concurrency: hashes at the same time */
export function createPasswords(options: { concurrency: number }) {
  const queue = new PQueue({ concurrency: options.concurrency });
  const longestQueue = LONGEST_QUEUE_PER_CORE * options.concurrency;
  // Verified against when there is no account, so that a stranger's sign-in takes as long as a wrong password.
  const nobody = argon2.hash('nobody has this password', PARAMETERS);

  async function admit<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (queue.size >= longestQueue)
      throw new AppError('unavailable', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        detail: { reason: 'hashing queue full' },
      });
    return queue.add(work, signal ? { signal } : {}) as Promise<T>;
  }

  /** The hash of a new password, as a PHC string. @throws AppError unavailable when too many are waiting */
  const hash = (password: string, signal?: AbortSignal): Promise<string> =>
    admit(() => argon2.hash(normalise(password), PARAMETERS), signal);

  /**
   * Whether a password matches a stored hash; with null (nobody, or no password set) it takes as long and is false.
   * `isOutdated` tells that the hash was made with weaker parameters and should be made again.
   */
  async function verify(
    stored: string | null,
    password: string,
    signal?: AbortSignal,
  ): Promise<{ isRight: boolean; isOutdated: boolean }> {
    const against = stored ?? (await nobody);
    const matches = await admit(() => argon2.verify(against, normalise(password)), signal);
    const isRight = matches && stored !== null;
    return { isRight, isOutdated: isRight && isOutdated(against) };
  }

  /** Waiting and running, for metrics. */
  const load = () => ({ waiting: queue.size, running: queue.pending });

  return { hash, verify, load };
}

export type PasswordFault = 'missing' | 'too-short' | 'too-long';

/** Checks a new password by length alone (NIST SP 800-63B-4 §3.1.1.2: no composition rules), in characters. */
export function checkNewPassword(password: string, minimum: number): PasswordFault | null {
  if (password === '') return 'missing';
  if (password.length > LONGEST_PASSWORD) return 'too-long';
  return [...normalise(password)].length < minimum ? 'too-short' : null;
}

/** The library compares the numbers alone, so another variant with the same numbers is told apart here. */
function isOutdated(hash: string): boolean {
  return !hash.startsWith('$argon2id$') || argon2.needsRehash(hash, PARAMETERS);
}

// One form for a letter and its accent, whichever keyboard typed it.
function normalise(password: string): string {
  return password.normalize('NFC');
}

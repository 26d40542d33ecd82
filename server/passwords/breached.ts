// Asks a service whether a password is in a known leak, by k-anonymity: the range interface of Pwned Passwords, which is told
// the first five hex digits of a SHA-1 and answers with all hashes that begin so. An operator may run a copy of it. A service
// that is slow or down never keeps anybody from a new password.

import { hash } from 'node:crypto';
import { createBreaker } from '../lib/breaker.ts';

const PATIENCE_MS = 1000;
const PREFIX_LENGTH = 5;
const SERVICE = 'breached-passwords';

/** Whether a password has leaked; false as well when nobody could be asked. */
export type BreachedPasswords = (password: string) => Promise<boolean>;

/** @param options url: what stands before the five digits; fetch: guarded; onDown: is told of every failure, never of the password */
export function createBreachedPasswords(options: {
  url: string;
  fetch: typeof globalThis.fetch;
  onDown(error: unknown): void;
}): BreachedPasswords {
  const breaker = createBreaker();
  const base = options.url.replace(/\/$/, '');

  async function findRange(prefix: string): Promise<string> {
    const answer = await options.fetch(`${base}/${prefix}`, {
      // Padding hides, from who sees only sizes, which range was asked for.
      headers: { 'Add-Padding': 'true', Accept: 'text/plain', 'User-Agent': 'Causeway' },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    return answer.text();
  }

  return async (password) => {
    const digest = hash('sha1', password, 'hex').toUpperCase();
    if (!breaker.admit(SERVICE)) return false;
    try {
      const range = await findRange(digest.slice(0, PREFIX_LENGTH));
      breaker.note(SERVICE, true);
      return holds(range, digest.slice(PREFIX_LENGTH));
    } catch (error) {
      breaker.note(SERVICE, false);
      options.onDown(error);
      return false;
    }
  };
}

/** Lines of `SUFFIX:count`; those with the count 0 are padding. */
function holds(range: string, suffix: string): boolean {
  return range.split('\n').some((line) => {
    const [found = '', count = ''] = line.trim().split(':');
    return found.toUpperCase() === suffix && Number(count) > 0;
  });
}

// argon2id with the OWASP parameters (19 MiB, 2 passes, 1 lane) by the faster of two libraries that read each other's hashes.
// `argon2` comes compiled for the oldest x86-64 (SSE2 alone); `@node-rs/argon2` looks at the processor when it starts and uses
// AVX2 or AVX-512. It is optional: where npm has no binary of it for a machine, `argon2` does the work. Figures: DECISIONS.md 75.

import portable from 'argon2';

export type Argon2id = {
  /** Which npm package this is. */
  readonly library: string;
  /** A new hash, as a PHC string. */
  hash(password: string): Promise<string>;
  /** Whether a password is right; false as well for what is no hash at all: a broken row must not break the sign-in. */
  verify(stored: string, password: string): Promise<boolean>;
};

const COSTS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const PARAMETERS = { type: portable.argon2id, ...COSTS } as const;
/** The order in which `argon2` writes them: stored hashes are compared as text (`accounts/bulk_store.ts`). */
const WRITTEN = 'm=19456,p=1,t=2';

export const portableArgon2id: Argon2id = {
  library: 'argon2',
  hash: (password) => portable.hash(password, PARAMETERS),
  verify: (stored, password) => portable.verify(stored, password).catch(() => false),
};

/** The fast library, or null where it does not load. */
export const fastArgon2id: Argon2id | null = await loadFast();

/** What hashes here. */
export const argon2id: Argon2id = fastArgon2id ?? portableArgon2id;

async function loadFast(): Promise<Argon2id | null> {
  const fast = await import('@node-rs/argon2').catch(() => null);
  if (!fast) return null;
  // Its numbers of the variants are those of RFC 9106, as are the other library's.
  const parameters = { algorithm: PARAMETERS.type, ...COSTS };
  return {
    library: '@node-rs/argon2',
    hash: async (password) => (await fast.hash(password, parameters)).replace(/m=\d+,t=\d+,p=\d+/, WRITTEN),
    verify: (stored, password) => fast.verify(stored, password).catch(() => false),
  };
}

/** Whether a hash is as new ones are. The library compares the numbers alone, so other variants are told apart here. */
export function isCurrent(stored: string): boolean {
  try {
    return stored.startsWith('$argon2id$') && !portable.needsRehash(stored, PARAMETERS);
  } catch {
    return false;
  }
}

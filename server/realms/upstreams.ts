// The providers that a realm signs in with, as stored with the realm. What their settings mean is for server/upstream/; here
// are names for pages, and secrets that are encrypted because they must be used again.

import type { Cipher } from '../lib/cipher.ts';
import { hashToken } from '../lib/token.ts';

/** A secret as stored. */
export type StoredSecret = {
  encrypted: string;
  /** Tells whether a file holds another one; secrets of providers are random, so this gives nothing away. */
  sha256: string;
  /** The variable of the environment that the realm file took it from. */
  variable: string | null;
};

export type StoredUpstream = {
  /** Unique in the realm; what addresses name it by. */
  id: string;
  /** Row of the table of providers. */
  provider: string;
  /** As readers see it. */
  name: string;
  settings: Record<string, unknown>;
  secrets: Readonly<Record<string, StoredSecret>>;
};

/** A secret as a realm file gives it, or as it is stored already. */
export type SecretDraft = { plain: string; variable: string | null } | StoredSecret;
export type UpstreamDraft = Omit<StoredUpstream, 'secrets'> & { secrets: Readonly<Record<string, SecretDraft>> };

/** The form in which a realm's providers are stored. */
export function encryptUpstreams(cipher: Cipher, drafts: readonly UpstreamDraft[]): StoredUpstream[] {
  return drafts.map((draft) => {
    const secrets = Object.entries(draft.secrets).map(([key, secret]) => [key, encryptSecret(cipher, secret)] as const);
    return { ...draft, secrets: Object.fromEntries(secrets) };
  });
}

/** A secret as it is stored. */
export function encryptSecret(cipher: Cipher, secret: SecretDraft): StoredSecret {
  if (!('plain' in secret)) return secret;
  const { plain, variable } = secret;
  return { encrypted: cipher.encrypt(plain), sha256: digestOf(plain), variable };
}

/** Whether a secret of a file is the stored one. */
export function isSameSecret(stored: StoredSecret | undefined, secret: SecretDraft): boolean {
  return stored !== undefined && stored.sha256 === ('plain' in secret ? digestOf(secret.plain) : secret.sha256);
}

const digestOf = (plain: string) => hashToken(plain).toString('hex');

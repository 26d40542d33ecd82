// Secrets that must be used again (of other providers, of second factors) as they are stored: encrypted under CAUSEWAY_SECRET
// (RFC 7516, direct encryption with AES-256-GCM), one key per purpose. The newest secret encrypts, all decrypt.

import { compactDecrypt } from 'jose';
import { encryptCompact } from './compact.ts';
import { deriveKey } from './seal.ts';

export type Cipher = ReturnType<typeof createCipher>;

/** @param options secrets: newest first, asked for at first use; purpose: a fixed name */
export function createCipher(options: { secrets: () => readonly string[]; purpose: string }) {
  const keys = () => options.secrets().map((secret) => deriveKey(secret, options.purpose));

  /** The stored form of a text. */
  function encrypt(text: string): string {
    const [key] = keys();
    if (!key) throw new Error('CAUSEWAY_SECRET is not set: it encrypts what is stored');
    return encryptCompact(text, key);
  }

  /** The text of a stored form. @throws Error when none of the secrets opens it */
  async function decrypt(stored: string): Promise<string> {
    for (const key of keys()) {
      const opened = await compactDecrypt(stored, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      }).catch(() => null);
      if (opened) return new TextDecoder().decode(opened.plaintext);
    }
    throw new Error(
      'CAUSEWAY_SECRET does not open a stored secret. Add the one that it was stored with: CAUSEWAY_SECRET=new,old',
    );
  }

  return { encrypt, decrypt };
}

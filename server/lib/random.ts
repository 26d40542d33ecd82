// Random bytes from the system's generator, fetched many at a time: asking for each few of them costs more than they do.

import { randomFillSync } from 'node:crypto';

const FETCHED_AT_ONCE = 256;

/**
 * @param length bytes of each text
 * @returns makes random texts in base64url; what has been given out is wiped from memory
 */
export function createRandomTexts(length: number): () => string {
  const bytes = Buffer.alloc(length * FETCHED_AT_ONCE);
  let at = bytes.length;
  return () => {
    if (at === bytes.length) {
      randomFillSync(bytes);
      at = 0;
    }
    const from = at;
    at += length;
    const text = bytes.toString('base64url', from, at);
    bytes.fill(0, from, at);
    return text;
  };
}

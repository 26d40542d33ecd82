// Random bytes from the system's generator, fetched many at a time: asking for each few of them costs more than they do.

import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const FETCHED_AT_ONCE = 256;

/**
 * @param length bytes that are needed at a time
 * @param use takes bytes that nobody else was given, and copies what it keeps: they are wiped from memory after it
 */
function createRandom<T>(length: number, use: (bytes: Buffer) => T): () => T {
  const bytes = Buffer.alloc(length * FETCHED_AT_ONCE);
  let at = bytes.length;
  return () => {
    if (at === bytes.length) {
      randomFillSync(bytes);
      at = 0;
    }
    const taken = bytes.subarray(at, at + length);
    at += length;
    const made = use(taken);
    taken.fill(0);
    return made;
  };
}

/** @returns makes random bytes. @param length how many at a time */
export const createRandomBytes = (length: number): (() => Buffer) =>
  createRandom(length, (bytes) => Buffer.from(bytes));

/** @returns makes random texts in base64url. @param length bytes of each of them */
export const createRandomTexts = (length: number): (() => string) =>
  createRandom(length, (bytes) => bytes.toString('base64url'));

/**
 * Names by which something can be told apart, and which need not be secret: cheaper than texts that must.
 * @param length bytes of each of them, a multiple of 3 so that each is whole in base64url
 */
export function createRandomNames(length: number): () => string {
  const bytes = Buffer.alloc(length * FETCHED_AT_ONCE);
  const letters = (length / 3) * 4;
  let [text, at] = ['', 0];
  return () => {
    if (at === text.length) {
      text = randomFillSync(bytes).toString('base64url');
      at = 0;
    }
    at += letters;
    return text.slice(at - letters, at);
  };
}

/** A new UUID of version 7 (RFC 9562 §5.7): by time, so that rows that are made together lie together. */
export const createUuid: () => string = createRandom(16, (bytes) => v7({ random: bytes }));

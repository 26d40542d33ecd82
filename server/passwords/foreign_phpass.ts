// phpass, the portable hashes of WordPress (`$P$`), phpBB (`$H$`) and Drupal 7 (`$S$`, SHA-512): a digest over itself and the
// password, 2^n times. Drupal marks hashes that were made over an older md5 with a U in front.

import { hash as digestOnce } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isSame } from './foreign_bytes.ts';
import type { Family } from './foreign_hash.ts';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM =
  /^(U?)\$(?:[PH]\$([5-9A-I])([./0-9A-Za-z]{8})([./0-9A-Za-z]{22})|S\$([5-9A-I])([./0-9A-Za-z]{8})([./0-9A-Za-z]{43}))$/;
/** A millisecond or so: then whoever else waits for the event loop has a turn (reliability R-60). */
const ROUNDS_A_TURN = 1000;

function read(stored: string) {
  const [, upgraded = '', md5Cost, md5Salt, md5Hash, shaCost, shaSalt, shaHash] = FORM.exec(stored) ?? [];
  const [cost, salt, hash] = [md5Cost ?? shaCost, md5Salt ?? shaSalt, md5Hash ?? shaHash];
  if (cost === undefined || salt === undefined || hash === undefined) return null;
  const rounds = 2 ** ALPHABET.indexOf(cost);
  return { digest: md5Cost ? 'md5' : 'sha512', rounds, salt, hash, isOverMd5: upgraded === 'U' };
}

export const phpass: Family = {
  name: 'phpass',
  accepts: (stored) => read(stored) !== null,
  async verify(stored, password) {
    const hash = read(stored);
    if (!hash) return false;
    const typed = Buffer.from(hash.isOverMd5 ? digestOnce('md5', password, 'hex') : password);
    let digest = digestOnce(hash.digest, Buffer.concat([Buffer.from(hash.salt), typed]), 'buffer');
    for (let round = 0; round < hash.rounds; round++) {
      digest = digestOnce(hash.digest, Buffer.concat([digest, typed]), 'buffer');
      if (round % ROUNDS_A_TURN === ROUNDS_A_TURN - 1) await nextTurn();
    }
    // Drupal keeps the first 43 characters.
    return isSame(Buffer.from(encode(digest).slice(0, hash.hash.length)), Buffer.from(hash.hash));
  },
};

/** Three bytes to four characters, the least significant bits first. */
function encode(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = Math.min(3, bytes.length - at);
    const value = bytes.readUIntLE(at, left);
    for (let sign = 0; sign <= left; sign++) text += ALPHABET.charAt((value >> (6 * sign)) & 63);
  }
  return text;
}

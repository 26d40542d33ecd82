// Which bodies are read in front of the general way: small forms that are brought in the usual manner. Whatever is unusual about
// one is left unread; what was read goes on to the general way, if that has to judge (http/exchange.ts).

import { FORM, isContentType } from '../http/body.ts';

/** Bytes: several times what a client sends that redeems a code. */
const LARGEST = 8192;
const LENGTH = /^[1-9]\d{0,3}$/;

/** Whether a request brings a small form whose length is told, neither compressed nor in chunks. Bodies are read by that alone. */
export function bringsSmallForm(raw: readonly string[]): boolean {
  let [type, length] = ['', ''];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    // Most other names differ in their length already.
    if (name.length !== 12 && name.length !== 14 && name.length !== 16 && name.length !== 17) continue;
    const value = raw[index + 1] ?? '';
    switch (name.toLowerCase()) {
      case 'content-type':
        if (type !== '') return false;
        type = value;
        break;
      case 'content-length':
        if (length !== '') return false;
        length = value;
        break;
      case 'content-encoding':
      case 'transfer-encoding':
        return false;
    }
  }
  return LENGTH.test(length) && Number(length) <= LARGEST && isContentType(type, FORM);
}

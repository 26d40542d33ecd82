// What the request line or the header section of a request breaks, though Node's parser lets it pass. Requests that wire.ts has read
// itself (whole_request.ts) are in a form that has none of these, but for their length and their Host.

import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from './errors.ts';

/** Characters of a request target. */
export const LONGEST_TARGET = 8192;
/** Node passes over what lies beyond 1,000 without a word: a second Host, or the proxy that vouches for an address. */
const MOST_HEADERS = 200;
/** RFC 3986 §3.2.2, §3.2.3: what may stand in a Host. Proxies name their groups of servers there, underscores and all. */
const HOST_FORM = /^(?:\[[\w.:~!$&'()*+,;=-]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::\d*)?$/;

/** RFC 9112 §3.2: whether a value may stand in a Host line. */
export const isHostField = (value: string): boolean => HOST_FORM.test(value);

export type ProtocolFault = { code: ErrorCode; text: string };

/** Null when there is none. */
export function findProtocolFault({ url = '', rawHeaders }: IncomingMessage): ProtocolFault | null {
  if (url.length > LONGEST_TARGET) return { code: 'uri_too_long', text: 'The address is too long.' };
  if (rawHeaders.length > 2 * MOST_HEADERS)
    return { code: 'headers_too_large', text: `Send at most ${MOST_HEADERS} header lines.` };
  let [hosts, host, coding] = [0, '', ''];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    // Most names differ in their length already.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts++;
      host = rawHeaders[index + 1] ?? '';
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      coding += `${coding && ','}${rawHeaders[index + 1]}`;
    }
  }
  // RFC 9112 §3.2: a server MUST answer 400 to no Host line, to more than one, and to one with an invalid value.
  if (hosts !== 1) return { code: 'invalid_request', text: 'Send one Host header.' };
  if (!isHostField(host)) return { code: 'invalid_request', text: 'The Host header is not a host name.' };
  // RFC 9112 §3.2.2: the absolute form is for proxies; its authority could contradict Host.
  if (!url.startsWith('/')) return { code: 'invalid_request', text: 'Ask for a path.' };
  // RFC 9112 §3.2.1: no form of a target has a fragment; some readers would cut it off, others keep it.
  if (url.includes('#')) return { code: 'invalid_request', text: 'The address of a request has no fragment.' };
  // RFC 9112 §6.1: a transfer coding that is not understood SHOULD be answered 501, and chunked MUST NOT be applied twice.
  if (coding !== '' && coding.toLowerCase() !== 'chunked')
    return { code: 'not_implemented', text: 'The body may be sent in chunks, and not be coded in another way.' };
  return null;
}

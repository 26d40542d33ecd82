// A request as bytes that hold it whole and nothing else, in the form that nearly all have. Where two parsers could read anything
// about it differently, it is not read here: that is left to Node's parser, with its limits and refusals.

/** Bytes of a head, as Node permits them. */
export const LARGEST_HEAD = 16 * 1024;
const MOST_HEADERS = 100;

export type RequestRead = {
  readonly method: string;
  readonly url: string;
  /** Names and values in turns. */
  readonly rawHeaders: readonly string[];
  /** Where the body begins, and how many bytes of it are still to come. */
  readonly bodyAt: number;
  readonly missing: number;
  /** Whether the connection is to stay open. */
  readonly isKept: boolean;
};

const SPACE = 0x20;
const HEAD_END = '\r\n\r\n';
/** A method and the beginning of a path, or as much of them as is there. */
const START = /^(?:[A-Z]{1,7}$|[A-Z]{3,7} (?:$|\/))/;
const LONGEST_START = 9;
/** Names of headers that change how a request is framed or answered. */
const FRAMING = new Set(['expect', 'upgrade', 'transfer-encoding']);
/**
 * RFC 9112 §3 to §5 without their exceptions: a target that begins with a slash and has the characters of RFC 3986 §2, names of
 * letters and hyphens and the like (RFC 9110 §5.6.2), one space or none before a value and none behind it, no control character.
 */
const HEAD =
  /^([A-Z]{3,7}) (\/[\w\-.~:/?[\]@!$&'()*+,;=%]*) HTTP\/1\.1\r\n((?:[\w!#$%&'*+\-.^`|~]+: ?(?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\r\n)+)\r\n/;
const LENGTH = /^(?:0|[1-9]\d{0,6})$/;

/**
 * @param bytes what was read of a connection at once, where a request begins
 * @returns null when its head is not all there, when more is there than this request, or when anything about its frame is unusual
 */
export function readRequest(bytes: Buffer): RequestRead | null {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, LARGEST_HEAD));
  const found = HEAD.exec(text);
  if (!found) return null;
  const [head, method = '', url = '', lines = ''] = found;
  const rawHeaders: string[] = [];
  let [length, connection] = ['', ''];
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at);
    const colon = lines.indexOf(':', at);
    const name = lines.slice(at, colon);
    const value = lines.slice(lines.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1, end);
    rawHeaders.push(name, value);
    at = end + 2;
    // Most other names differ in their length already.
    switch (name.length) {
      case 6:
      case 7:
      case 17:
        if (FRAMING.has(name.toLowerCase())) return null;
        break;
      case 10:
        if (name.toLowerCase() !== 'connection') break;
        if (connection !== '') return null;
        connection = value.toLowerCase();
        if (connection !== 'keep-alive' && connection !== 'close') return null;
        break;
      case 14:
        if (name.toLowerCase() !== 'content-length') break;
        if (length !== '' || !LENGTH.test(value)) return null;
        length = value;
        break;
    }
  }
  if (rawHeaders.length > 2 * MOST_HEADERS || (length !== '' && method !== 'POST')) return null;
  const missing = head.length + Number(length) - bytes.length;
  if (missing < 0) return null;
  return { method, url, rawHeaders, bodyAt: head.length, isKept: connection !== 'close', missing };
}

/** Whether more of a head may make these bytes a request that can be read here. */
export const isBeginning = (bytes: Buffer): boolean =>
  bytes.length < LARGEST_HEAD && START.test(bytes.toString('latin1', 0, LONGEST_START)) && !bytes.includes(HEAD_END);

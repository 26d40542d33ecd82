// Calls to addresses that a client or an operator wrote down (security 173): https alone, to public addresses alone. The name
// is resolved once, every address is judged, and the connection goes to a judged one, so that a name which changes its answer
// (DNS rebinding) gains nothing. Redirects are not followed, answers are cut off at 1 MB, everything ends after 5 s.

import { Resolver } from 'node:dns/promises';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isLoopbackHost } from '../lib/url.ts';

export const OUTGOING_TIMEOUT_MS = 5000;
export const LONGEST_ANSWER = 1_048_576;

/** A call that was never made, because of where it would have gone. */
export class OutgoingRefused extends Error {}

/** Addresses of a name, A and AAAA. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;
export type GuardedFetch = typeof globalThis.fetch;

// Public by their range, and yet the cloud's own: the machine agent of Azure answers here.
const METADATA = new Set(['168.63.129.16']);

/** Whether an address is one of the public internet, as far as its range tells. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || METADATA.has(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // RFC 4291 §2.4: what is handed out so far is 2000::/3; mapped, translated and tunnelled forms hide another address.
  return parsed.kind() === 'ipv4' || ((parsed as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1;
}

/**
 * A `fetch` that reaches only where it may. It takes a string body, sends no cookies, and never follows: a 3xx is an answer.
 * @param options allowLoopback: also http and https to loopback names and addresses (trying things on one machine)
 * @throws OutgoingRefused by the returned function, before anything is sent
 */
export function createGuardedFetch(options: {
  allowLoopback: boolean;
  resolve?: Resolve;
  timeoutMs?: number;
}): GuardedFetch {
  const resolve = options.resolve ?? resolveName;

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const timeout = AbortSignal.timeout(options.timeoutMs ?? OUTGOING_TIMEOUT_MS);
    const signal = init.signal ? AbortSignal.any([timeout, init.signal]) : timeout;
    const addresses = await unlessAborted(findAddresses(url, { ...options, resolve, signal }), signal);
    return call(url, init, { addresses, signal });
  };
}

async function findAddresses(
  url: URL,
  options: { allowLoopback: boolean; resolve: Resolve; signal: AbortSignal },
): Promise<readonly string[]> {
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new OutgoingRefused(`scheme ${url.protocol} is not used`);
  if (url.username || url.password) throw new OutgoingRefused('the URL carries credentials');
  const name = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isLoopbackHost(url.hostname.replace(/\.$/, ''))) {
    if (!options.allowLoopback) throw new OutgoingRefused('the host is this machine');
    // RFC 6761 §6.3: such names mean this machine whatever a resolver says.
    return isIP(name) ? [name] : ['127.0.0.1'];
  }
  if (url.protocol !== 'https:') throw new OutgoingRefused('only https is used');
  const addresses = isIP(name) ? [name] : await options.resolve(name, options.signal);
  if (addresses.length === 0) throw new Error(`${name} has no address`);
  // One bad address among good ones is no accident.
  if (!addresses.every(isPublicAddress)) throw new OutgoingRefused('the host has an address that is not public');
  return addresses;
}

/** Asks the name servers itself: the system's look-up would block a thread of those that hash passwords. */
const resolveName: Resolve = async (name, signal) => {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

function call(
  url: URL,
  init: RequestInit,
  to: { addresses: readonly string[]; signal: AbortSignal },
): Promise<Response> {
  const body = init.body == null ? null : Buffer.from(String(init.body));
  const headers = new Headers(init.headers);
  if (body && !headers.has('Content-Type'))
    headers.set(
      'Content-Type',
      init.body instanceof URLSearchParams ? 'application/x-www-form-urlencoded' : 'text/plain;charset=UTF-8',
    );
  if (body) headers.set('Content-Length', String(body.length));
  if (!headers.has('Accept')) headers.set('Accept', '*/*');
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request: ClientRequest = send(
      url,
      // agent false: no connection is kept, so none is ever reused for a name that has been judged anew.
      {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(headers),
        agent: false,
        signal: to.signal,
        lookup: lookupIn(to.addresses),
      },
      (response) => {
        readAnswer(response).then(resolve, (error: unknown) => {
          request.destroy();
          reject(error);
        });
      },
    );
    request.on('error', (error) => reject(to.signal.aborted ? (to.signal.reason as Error) : error));
    request.end(body ?? undefined);
  });
}

/** A look-up that knows one answer: the addresses that were judged. */
function lookupIn(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, options, done) => {
    if (options.all) done(null, known);
    else done(null, known[0]?.address ?? '', known[0]?.family ?? 4);
  };
}

async function readAnswer(response: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new Error(`the answer is longer than ${LONGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  const status = response.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, values] of Object.entries(response.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  // RFC 9110 §15: these have no content, and the Response class refuses any.
  const isEmpty = [204, 205, 304].includes(status);
  return new Response(isEmpty ? null : Buffer.concat(chunks), { status, headers });
}

/** The result, or the reason of the signal if that comes first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

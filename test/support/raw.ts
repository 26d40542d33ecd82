// Requests that no browser sends: bytes written to the socket as they are, JSON posts without cookies, and a realm whose
// limits on tries stay out of the way of tests that are about something else.

import { connect } from 'node:net';
import { type Answer, type Ask, send } from './browser.ts';
import { HOSTS, originOf, REALM_YAML } from './server.ts';

export const API = `${originOf('news')}/api/auth/v1`;
export const AUTH = originOf('auth');

/** The usual realm without practical limits on tries. */
export const UNLIMITED_YAML = REALM_YAML.replace(
  'signup: open',
  'signup: open, sign_up_per_address: 1000000/1h, sign_in_per_account: 1000000/1h, sign_in_per_device: 1000000/1h, sign_in_per_address: 1000000/1h, sign_in_per_realm: 1000000/1h',
);

/** POSTs a JSON body, without cookies; a string is sent as it is. */
export function postJson(port: number, url: string, body: unknown, more: Ask = {}): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return send(port, url, {
    method: 'POST',
    ...more,
    headers: { 'Content-Type': 'application/json', ...more.headers },
    body: text,
  });
}

/** Writes bytes to a connection of its own and returns everything that came back until the server closed it. */
export function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    // A reset after the answer is a close like any other.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

/** The statuses of all answers in what a connection received. */
export function statusesIn(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

/** The bodies of all answers that have arrived whole. */
export function bodiesIn(text: string): string[] {
  const bodies: string[] = [];
  for (let rest = text; ; ) {
    const end = rest.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, Math.max(end, 0)))?.[1] ?? Number.NaN);
    if (end < 0 || !(rest.length >= end + 4 + length)) return bodies;
    bodies.push(rest.slice(end + 4, end + 4 + length));
    rest = rest.slice(end + 4 + length);
  }
}

/** The lines of a well-formed request to a site, without the empty line that ends its header. */
export function headOf(method: string, path: string, more: readonly string[] = [], host: string = HOSTS.news): string {
  return [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...more, ''].join('\r\n');
}

/** Waits until something is so, by asking again at every turn of the event loop; the test's own time limit ends it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Asks again as long as a busy server sends the request away undone (503), as its `Retry-After` invites to. */
export async function insist(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 || answer.headers['retry-after'] === undefined) return answer;
  }
}

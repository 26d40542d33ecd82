// What every answer of the session-sharing API has in common, and the exact shapes of contract.md §2.

import type { ExecutionContext } from 'ava';
import type { Account } from '../../server/accounts/accounts.ts';
import type { Answer } from '../support/browser.ts';
import { originOf } from '../support/server.ts';

export const NEWS = originOf('news');
export const AUTH = originOf('auth');
export const API = '/api/auth/v1';

/** Keys of `user`, in the order in which they are sent. */
export const USER_KEYS = [
  'id',
  'name',
  'email',
  'username',
  'created-at',
  'updated-at',
  'avatar-url',
  'avatar-s3-key',
  'first-name',
  'last-name',
  'slug',
  'communication-email',
  'phone-number',
  'login-phone-number',
  'metadata',
  'verification-status',
  'is-tfa-enabled',
];

/** The `user` of an account that has nothing but name and address. */
export function plainUser(account: Account & { email: string }) {
  return {
    id: Number(account.id),
    name: account.name,
    email: account.email,
    username: account.username,
    'created-at': account.createdAt.getTime(),
    'updated-at': account.updatedAt.getTime(),
    'avatar-url': null,
    'avatar-s3-key': null,
    'first-name': null,
    'last-name': null,
    slug: null,
    'communication-email': null,
    'phone-number': null,
    'login-phone-number': null,
    metadata: null,
    'verification-status': null,
    'is-tfa-enabled': false,
  };
}

/** A JSON object with that status, not to be stored, whose length is declared. */
export function isJson(t: ExecutionContext, answer: Answer, status: number): Record<string, unknown> {
  t.is(answer.status, status, answer.text);
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
  t.is(answer.headers['cache-control'], 'no-store');
  t.is(answer.headers['x-content-type-options'], 'nosniff');
  t.is(Number(answer.headers['content-length']), Buffer.byteLength(answer.text));
  const body: unknown = answer.json();
  t.true(typeof body === 'object' && body !== null && !Array.isArray(body), answer.text);
  return body as Record<string, unknown>;
}

/** A success: JSON, and no `error` key that a client could take for a failure. */
export function isSuccess(t: ExecutionContext, answer: Answer): Record<string, unknown> {
  const body = isJson(t, answer, 200);
  t.false('error' in body);
  return body;
}

/** A failure: byte for byte the message in both places, whichever of them a client reads. */
export function isFailure(t: ExecutionContext, answer: Answer, status: number, wanted?: string | RegExp): string {
  const { message } = isJson(t, answer, status);
  t.is(typeof message, 'string');
  t.is(answer.text, JSON.stringify({ message, error: { message } }));
  if (typeof wanted === 'string') t.is(message, wanted);
  if (wanted instanceof RegExp) t.regex(String(message), wanted);
  return String(message);
}

/** Values of the cookies that an answer sets or clears; cleared ones are empty. */
export function cookiesSet(answer: Answer): Record<string, string> {
  const pairs = answer.cookies.map((line) => line.split(';', 1)[0] ?? '');
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** Asserts that the credential of this host is cleared. */
export function isCleared(t: ExecutionContext, answer: Answer) {
  for (const name of ['qt-auth', '__Host-qt-auth']) {
    t.true(
      answer.cookies.includes(`${name}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`),
      answer.cookies.join('\n'),
    );
  }
}

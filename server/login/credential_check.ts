// The credential check of a realm: an endpoint of an older user base, described in the words of QuickBlox's custom identity
// provider, is asked about somebody whom the realm does not know. Who passes becomes an account and is never asked about again.

import type { AdoptedPerson } from '../accounts/accounts.ts';
import { parseEmail, parseUsername } from '../accounts/accounts.ts';
import { isCleanText } from '../http/text.ts';
import { fillTemplate, readTemplate } from '../lib/template.ts';
import type { CredentialCheck } from '../realms/realms.ts';

/** The whole sign-in must be answered within 5 s; hashing takes its share of them. */
const PATIENCE_MS = 3000;
const LARGEST_ANSWER_BYTES = 64 * 1024;
const LONGEST_FIELD = 200;

export type Checked =
  | { ok: true; person: AdoptedPerson }
  /** The endpoint says no. */
  | { ok: false; reason: 'refused' }
  /** It says nothing that can be used; for the operator. */
  | { ok: false; reason: 'failed'; why: string };

/** Asks about a login and a password. Never throws. @param fetch guarded against server-side request forgery */
export async function checkElsewhere(
  check: CredentialCheck,
  given: { login: string; password: string },
  fetch: typeof globalThis.fetch,
): Promise<Checked> {
  const email = parseEmail(given.login)?.address;
  try {
    const response = await fetch(...requestOf(check, { ...given, email }));
    if (response.status >= 500 || (response.status >= 300 && response.status < 400))
      return { ok: false, reason: 'failed', why: `status ${response.status}` };
    if (!response.ok) {
      await response.body?.cancel();
      return { ok: false, reason: 'refused' };
    }
    return toPerson(check, JSON.parse(await readLimited(response)), given);
  } catch (error) {
    return {
      ok: false,
      reason: 'failed',
      why: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'unknown',
    };
  }
}

/** QuickBlox: underscores of header names become hyphens; GET uses query parameters, POST body parameters. */
function requestOf(check: CredentialCheck, values: Record<string, string | undefined>): [string, RequestInit] {
  const fill = (map: Record<string, string>) =>
    Object.entries(map).map(([name, text]) => [name, fillTemplate(text, values)] as const);
  const headers = Object.fromEntries(fill(check.headers).map(([name, value]) => [name.replaceAll('_', '-'), value]));
  const params = new URLSearchParams(Object.fromEntries(fill(check.params)));
  const url = new URL(check.url);
  const isPost = check.method === 'POST';
  if (!isPost) for (const [name, value] of params) url.searchParams.set(name, value);
  const init: RequestInit = {
    method: check.method,
    headers: { Accept: 'application/json', ...headers },
    redirect: 'manual',
    signal: AbortSignal.timeout(PATIENCE_MS),
  };
  return [url.href, isPost ? { ...init, body: params } : init];
}

async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LARGEST_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toPerson(
  { response: map, email_is_verified }: CredentialCheck,
  answer: unknown,
  given: { login: string; password: string },
): Checked {
  const read = (template: string | undefined) => {
    const text = template === undefined ? null : readTemplate(template, answer);
    return text !== null && text.trim() !== '' && text.length <= LONGEST_FIELD && isCleanText(text)
      ? text.trim()
      : null;
  };
  const uid = read(map.uid);
  if (uid === null) return { ok: false, reason: 'failed', why: 'the answer holds no uid' };
  const typed = parseEmail(given.login);
  const told = parseEmail(read(map.email) ?? '');
  // The address that was typed is the one that signs in next time; another one in the answer is somebody else's.
  if (typed && told && typed.canonical !== told.canonical)
    return { ok: false, reason: 'failed', why: 'the answer is about another e-mail address' };
  const email = told ?? typed;
  const username = typed ? null : parseUsername(given.login);
  if (!typed && !username) return { ok: false, reason: 'failed', why: 'what was typed cannot be a user name here' };
  const person = {
    email,
    isEmailVerified: email_is_verified && told !== null,
    username: username && { username: username.username, canonical: username.canonical },
    name: read(map.full_name),
    firstName: read(map.first_name),
    lastName: read(map.last_name),
    phoneNumber: read(map.phone),
    password: given.password,
    uid,
  };
  return { ok: true, person };
}

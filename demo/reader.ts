/**
 * Who is reading? What a publisher's own server asks Causeway before it renders a page, and the two plain links that
 * sign a reader in and out without any script. contract.md §2 (`GET /users/me`, `GET /logout`) and §3.1 (authorize).
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { AUTH_PREFIX } from './auth_proxy.ts';

/** As much of the signed-in person as these pages show. */
export type Reader = { name: string };

export type AskReader = {
  /** Where Causeway listens, e.g. `http://127.0.0.1:8080`. */
  causeway: string;
  /** The public host of this site, e.g. `news.localhost:8081`: Causeway knows realm and client by it. */
  host: string;
  /** The page request that is being answered. */
  request: IncomingMessage;
  /** A sign-in server that is slow must not make the newspaper slow: after this many milliseconds we go on without. */
  timeoutMs?: number;
};

/**
 * Asks Causeway whose browser this is, by passing the browser's cookies on.
 * Gives null for an anonymous reader, and also when no sound answer came in time: the page is then shown as to anybody.
 */
export async function findReader({ causeway, host, request, timeoutMs = 1_500 }: AskReader): Promise<Reader | null> {
  const { cookie } = request.headers;
  if (cookie === undefined) return null;
  const headers: Record<string, string> = {
    host, // fetch() would not let us set this one, hence node:http
    cookie,
    accept: 'application/json',
    'user-agent': request.headers['user-agent'] ?? '',
    'x-forwarded-for': request.socket.remoteAddress ?? '',
  };
  try {
    return await getReader(new URL(`${AUTH_PREFIX}users/me`, causeway), headers, AbortSignal.timeout(timeoutMs));
  } catch {
    return null;
  }
}

/** One GET; null unless it is a 200 with a user. Throws on network faults, on abort and on anything but JSON. */
async function getReader(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Reader | null> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  httpRequest(url, { headers, signal }, resolve).once('error', reject).end();
  const answer = await promise;
  let body = '';
  for await (const chunk of answer.setEncoding('utf8')) body += chunk;
  return answer.statusCode === 200 ? presentReader(JSON.parse(body)) : null;
}

/** Takes the shown name out of a `users/me` answer: name, else user name, else a plain word. */
function presentReader(body: { user?: { name?: string | null; username?: string | null } }): Reader | null {
  if (!body.user) return null;
  return { name: body.user.name || body.user.username || 'reader' };
}

/**
 * The address behind "Sign in". It lies on the site's own host; Causeway takes the reader to the sign-in page and back.
 * @param clientId the client of this site, e.g. `news`
 * @param pageUrl absolute address of the page the reader is on, and comes back to
 */
export function signInLink(clientId: string, pageUrl: string): string {
  const query = new URLSearchParams({
    client_id: clientId,
    // Must equal a registered address byte for byte. It is a page of Causeway on this host, it sets the cookie here.
    redirect_uri: new URL(`${AUTH_PREFIX}oauth/token`, pageUrl).href,
    callback_uri: pageUrl,
    response_type: 'code',
  });
  return `${AUTH_PREFIX}oauth/authorize?${query}`;
}

/** The address behind "Sign out": ends the session on every site of the realm, then shows `pageUrl` again. */
export function signOutLink(pageUrl: string): string {
  return `${AUTH_PREFIX}logout?${new URLSearchParams({ 'redirect-url': pageUrl })}`;
}

// `GET /users/me` in front of everything else: every page view of every site asks it. Answered here only where nothing has to be
// written or cleared: nobody's cookie, or a credential of somebody who is signed in. All the rest, and whatever is unusual about
// a request, goes the general way (app.ts), whose answer is the same letter by letter (test/bridgekeeper/session_check.test.ts).

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Accounts, Remembered, SignedIn, SignedInMemory } from '../accounts/accounts.ts';
import type { Clients } from '../clients/clients.ts';
import { ID_BYTES } from '../http/access_log.ts';
import { ERRORS } from '../http/errors.ts';
import { standardHeaderPairs } from '../http/headers.ts';
import type { Host, PlainToken } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { createRandomTexts } from '../lib/random.ts';
import { parseToken } from '../lib/token.ts';
import { parseHost } from '../lib/url.ts';
import type { Realms } from '../realms/realms.ts';
import type { Presented } from '../sessions/sessions.ts';
import { presentFailure, presentMe } from './present.ts';

export const ME_PATH = '/api/auth/v1/users/me';
const JSON_TYPE = 'application/json; charset=utf-8';
const TOKEN = '([A-Za-z0-9_-]{43})';
const TOKEN_COOKIE = new RegExp(`(?:^|; ?)qt-auth=${TOKEN}(?:;|$)`);
const COMPANION_COOKIE = new RegExp(`(?:^|; ?)__Host-qt-auth=${TOKEN}(?:;|$)`);
const NAME = 'qt-auth';

/** What of a request counts here. Undefined is what was not sent. */
type Asked = {
  host: string | undefined;
  cookie: string | undefined;
  header: string | undefined;
  proxySecret: string | undefined;
  forwardedHost: string | undefined;
};
type Answer = { body: string; length: string };
type Single = Extract<Presented, { kind: 'cookie' | 'header' }>;

const SIGNED_OUT = toAnswer(presentFailure({ code: 'unauthenticated', description: ERRORS.unauthenticated.text }));

/**
 * @param options answerRest: the general way; count: is told of every answer given here
 * @returns answers a request, whatever it asks for
 */
export function createSessionCheck(options: {
  realms: Pick<Realms, 'peekSite'>;
  clients: Pick<Clients, 'peekForHost' | 'peekHostOfProxySecret'>;
  memory: SignedInMemory;
  accounts: Pick<Accounts, 'findSignedIn'>;
  /** Is told whom a credential has turned out to be of. */
  reader: { noteFound(request: IncomingMessage, signedIn: SignedIn | null): void };
  answerRest(request: IncomingMessage, response: ServerResponse): unknown;
  log: Log;
  count(answer: 'signed-in' | 'signed-out'): void;
}) {
  const { realms, clients, memory, accounts, reader, answerRest, log, count } = options;
  const headers = [...standardHeaderPairs().flat(), 'Content-Type', JSON_TYPE];
  const nextId = createRandomTexts(ID_BYTES);

  return function answerRequest(request: IncomingMessage, response: ServerResponse): unknown {
    if (request.url !== ME_PATH || request.method !== 'GET') return answerRest(request, response);
    const asked = readAsked(request.rawHeaders);
    const host = asked && findHost(asked);
    if (!asked || !host) return answerRest(request, response);
    if (!asked.cookie?.includes(NAME) && asked.header === undefined) return answer(response, host, null);
    const presented = readPresented(asked);
    if (!presented) return answerRest(request, response);
    const known = memory.peek(presented, host);
    return known ? answer(response, host, answerOf(known)) : find(request, response, presented, host);
  };

  async function find(request: IncomingMessage, response: ServerResponse, presented: Single, host: Host) {
    try {
      const found = await accounts.findSignedIn(presented, host);
      // Somebody who has to be noted as seen, or whose cookie has to be cleared; they are not looked for twice.
      if (!found || found.session.isSeenStale) {
        reader.noteFound(request, found);
        answerRest(request, response);
        return;
      }
      answer(response, host, toAnswer(presentMe(found)));
    } catch {
      // Whatever is wrong is wrong there too, and is told as everywhere.
      answerRest(request, response);
    }
  }

  /** @param signedIn what a reader is told who is signed in */
  function answer(response: ServerResponse, host: Host, signedIn: Answer | null): void {
    const { body, length } = signedIn ?? SIGNED_OUT;
    const id = nextId();
    response.writeHead(signedIn ? 200 : ERRORS.unauthenticated.status, [
      ...headers,
      'X-Request-Id',
      id,
      'Content-Length',
      length,
    ]);
    response.end(body);
    count(signedIn ? 'signed-in' : 'signed-out');
    if (log.isLevelEnabled('debug'))
      log.debug({ request: id, method: 'GET', route: 'bridgekeeper.me', host, status: response.statusCode });
  }

  /** The host that was asked, if its realm and client are in memory and readers may be signed in there. */
  function findHost(asked: Asked): Host | null {
    const host = parseHost(asked.host);
    if (asked.proxySecret !== undefined) {
      const own = clients.peekHostOfProxySecret(asked.proxySecret);
      if (!own || parseHost(asked.forwardedHost || asked.host) !== own) return null;
      return isOpen(own) ? own : null;
    }
    return host && isOpen(host) ? host : null;
  }

  function isOpen(host: Host): boolean {
    const site = realms.peekSite(host);
    return site?.domain.role === 'auth' || (site != null && clients.peekForHost(host) != null);
  }
}

/** The credential of a request, where it is one beyond doubt; anything else is looked at more closely. */
function readPresented({ cookie, header }: Asked): Single | null {
  if (header !== undefined) {
    const token = parseToken(header);
    return token && !cookie?.includes(NAME) ? { kind: 'header', token } : null;
  }
  // Twice the name in all, once in each form: more may be a tossed cookie.
  const first = cookie?.indexOf(NAME) ?? -1;
  const second = cookie?.indexOf(NAME, first + 1) ?? -1;
  if (!cookie || second < 0 || cookie.includes(NAME, second + 1)) return null;
  const token = TOKEN_COOKIE.exec(cookie)?.[1] as PlainToken | undefined;
  const companion = COMPANION_COOKIE.exec(cookie)?.[1] as PlainToken | undefined;
  return token && companion ? { kind: 'cookie', token, companion } : null;
}

/** Null when the request has something about it that the general way must judge. */
function readAsked(raw: readonly string[]): Asked | null {
  const asked: Asked = {
    host: undefined,
    cookie: undefined,
    header: undefined,
    proxySecret: undefined,
    forwardedHost: undefined,
  };
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const field = FIELDS[name.length]?.[name.toLowerCase()];
    if (field === undefined) continue;
    const value = raw[index + 1] ?? '';
    if (field === 'destination') {
      // Loaded as a part of a page; see guardRoute.
      if (value !== 'empty' && value !== 'document') return null;
    } else if (asked[field] !== undefined) return null;
    else asked[field] = value;
  }
  return asked;
}

/** The headers that count, by the length of their names: most others differ in that already. */
const FIELDS: readonly (Readonly<Record<string, keyof Asked | 'destination'>> | undefined)[] = (() => {
  const names = {
    host: 'host',
    cookie: 'cookie',
    'x-qt-auth': 'header',
    'x-causeway-proxy-secret': 'proxySecret',
    'x-forwarded-host': 'forwardedHost',
    'sec-fetch-dest': 'destination',
  } as const;
  const table: Record<string, keyof Asked | 'destination'>[] = [];
  for (const [name, field] of Object.entries(names)) {
    table[name.length] ??= Object.create(null) as Record<string, keyof Asked | 'destination'>;
    Object.assign(table[name.length] as object, { [name]: field });
  }
  return table;
})();

function answerOf(known: Remembered): Answer {
  known.answer ??= toAnswer(presentMe(known.signedIn));
  return known.answer;
}

function toAnswer(value: unknown): Answer {
  const body = JSON.stringify(value);
  return { body, length: String(Buffer.byteLength(body)) };
}

// `GET /users/me` in front of everything else: every page view of every site asks it. Answered here only where nothing has to be
// cleared: nobody's cookie, or a credential of somebody who is signed in.

import type { IncomingMessage } from 'node:http';
import {
  type Accounts,
  type Remembered,
  type SignedIn,
  type SignedInMemory,
  unpackReader,
} from '../accounts/accounts.ts';
import { ERRORS } from '../http/errors.ts';
import type { RepeatedHead, WriteRepeatedHead } from '../http/headers.ts';
import type { Log } from '../lib/log.ts';
import type { FrontRequest } from './front.ts';
import { hasCredential, readPresented, type SinglePresented } from './front_request.ts';
import { presentFailure, presentMe } from './present.ts';

export const ME_PATH = '/api/auth/v1/users/me';
/** Pure ASCII is written without being looked at letter by letter. */
const ASCII = /^[\x20-\x7e]*$/;

type Body = NonNullable<Remembered['answer']>;

const SIGNED_OUT = toBody(presentFailure({ code: 'unauthenticated', description: ERRORS.unauthenticated.text }));
const HEAD = {
  constant: ['Content-Type', 'application/json; charset=utf-8'],
  names: ['X-Request-Id', 'Content-Length'],
};

/**
 * @param options headOf: makes what writes one head again and again; count: is told of every answer given here;
 *   reader: is told whom a credential has turned out to be of
 */
export function createSessionCheck(options: {
  memory: Pick<SignedInMemory, 'peek'>;
  accounts: Pick<Accounts, 'findSignedIn'>;
  reader: { noteFound(request: IncomingMessage, signedIn: SignedIn | null): void };
  general(front: FrontRequest): void;
  headOf(head: RepeatedHead): WriteRepeatedHead;
  nextId(): string;
  log: Log;
  count(answer: 'signed-in' | 'signed-out'): void;
}) {
  const { memory, accounts, reader, general, headOf, nextId, log, count } = options;
  const kinds = {
    'signed-in': { status: 200, writeHead: headOf({ ...HEAD, status: 200 }) },
    'signed-out': { status: 401, writeHead: headOf({ ...HEAD, status: 401 }) },
  } as const;

  return function checkSession(front: FrontRequest): unknown {
    if (!hasCredential(front.asked)) return answer(front, 'signed-out', SIGNED_OUT);
    const presented = readPresented(front.asked);
    if (!presented) return general(front);
    const known = memory.peek(presented, front.place.site.domain.host);
    return known ? answer(front, 'signed-in', bodyOf(known)) : find(front, presented);
  };

  async function find(front: FrontRequest, presented: SinglePresented) {
    let found: SignedIn | null;
    try {
      found = await accounts.findSignedIn(presented, front.place.site.domain.host);
    } catch {
      // Whatever is wrong is wrong there too, and is told as everywhere.
      return general(front);
    }
    // Their cookie has to be cleared; they are not looked for twice.
    if (!found) {
      reader.noteFound(front.request, null);
      return general(front);
    }
    return answer(front, 'signed-in', toBody(presentMe(found)));
  }

  function answer({ response, place }: FrontRequest, kind: keyof typeof kinds, body: Body): void {
    const { status, writeHead } = kinds[kind];
    const id = nextId();
    writeHead(response, [id, body.bytes]);
    response.end(body.text, body.isAscii ? 'latin1' : 'utf8');
    count(kind);
    if (log.isLevelEnabled('debug')) {
      const { host } = place.site.domain;
      log.debug({ request: id, method: 'GET', route: 'bridgekeeper.me', host, status });
    }
  }
}

function bodyOf(known: Remembered): Body {
  known.answer ??= toBody(presentMe(unpackReader(known.packed)));
  return known.answer;
}

function toBody(value: unknown): Body {
  const text = JSON.stringify(value);
  return { text, bytes: String(Buffer.byteLength(text)), isAscii: ASCII.test(text) };
}

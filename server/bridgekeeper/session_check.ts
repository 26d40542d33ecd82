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
import type { Log } from '../lib/log.ts';
import type { FrontAnswer, FrontRequest, WriteAnswer } from './front.ts';
import { hasCredential, readPresented, type SinglePresented } from './front_request.ts';
import { presentFailure, presentMe } from './present.ts';

export const ME_PATH = '/api/auth/v1/users/me';
const JSON_TYPE = 'application/json; charset=utf-8';
/** Pure ASCII is written without being looked at letter by letter. */
const ASCII = /^[\x20-\x7e]*$/;

const SIGNED_OUT = toAnswer(
  ERRORS.unauthenticated.status,
  presentFailure({ code: 'unauthenticated', description: ERRORS.unauthenticated.text }),
);

/** @param options count: is told of every answer given here; reader: is told whom a credential has turned out to be of */
export function createSessionCheck(options: {
  memory: Pick<SignedInMemory, 'peek'>;
  accounts: Pick<Accounts, 'findSignedIn'>;
  reader: { noteFound(request: IncomingMessage, signedIn: SignedIn | null): void };
  general(front: FrontRequest): void;
  write: WriteAnswer;
  log: Log;
  count(answer: 'signed-in' | 'signed-out'): void;
}) {
  const { memory, accounts, reader, general, write, log, count } = options;

  return function checkSession(front: FrontRequest): unknown {
    if (!hasCredential(front.asked)) return answer(front, SIGNED_OUT);
    const presented = readPresented(front.asked);
    if (!presented) return general(front);
    const known = memory.peek(presented, front.place.site.domain.host);
    return known ? answer(front, answerOf(known)) : find(front, presented);
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
    return answer(front, toAnswer(200, presentMe(found)));
  }

  function answer({ response, place }: FrontRequest, given: FrontAnswer): void {
    const id = write(response, given);
    count(given === SIGNED_OUT ? 'signed-out' : 'signed-in');
    if (log.isLevelEnabled('debug')) {
      const { host } = place.site.domain;
      log.debug({ request: id, method: 'GET', route: 'bridgekeeper.me', host, status: given.status });
    }
  }
}

function answerOf(known: Remembered): FrontAnswer {
  known.answer ??= toAnswer(200, presentMe(unpackReader(known.packed)));
  return known.answer;
}

function toAnswer(status: number, value: unknown): FrontAnswer {
  const body = JSON.stringify(value);
  const headers = ['Content-Type', JSON_TYPE, 'Content-Length', String(Buffer.byteLength(body))];
  return { status, headers, body, isAscii: ASCII.test(body) };
}

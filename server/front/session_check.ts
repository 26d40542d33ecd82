// `GET /users/me` in front of everything else: every page view of every site asks it. Answered here only where nothing has to be
// cleared: nobody's cookie, or a credential of somebody who is signed in.

import {
  type Accounts,
  type Remembered,
  type SignedIn,
  type SignedInMemory,
  unpackReader,
} from '../accounts/accounts.ts';
import { presentFailure, presentMe } from '../bridgekeeper/bridgekeeper.ts';
import { ERRORS } from '../http/errors.ts';
import { hasWaited } from '../http/failures.ts';
import { type ReadyJson, readyJson, type SendJson } from '../http/json_answer.ts';
import type { Log } from '../lib/log.ts';
import type { FrontRequest } from './front.ts';
import { hasCredential, readPresented, type SinglePresented } from './request.ts';

export const ME_PATH = '/api/auth/v1/users/me';

const SIGNED_OUT = readyJson(presentFailure({ code: 'unauthenticated', description: ERRORS.unauthenticated.text }));

/**
 * @param options senderOf: makes what sends JSON with a status; count: is told of every answer given here
 */
export function createSessionCheck(options: {
  memory: Pick<SignedInMemory, 'peek'>;
  accounts: Pick<Accounts, 'findSignedIn'>;
  general(front: FrontRequest): void;
  senderOf(status: number): SendJson;
  log: Log;
  count(answer: 'signed-in' | 'signed-out'): void;
}) {
  const { memory, accounts, general, senderOf, log, count } = options;
  const kinds = {
    'signed-in': { status: 200, send: senderOf(200) },
    'signed-out': { status: 401, send: senderOf(401) },
  } as const;

  return function checkSession(front: FrontRequest): unknown {
    if (!hasCredential(front.asked)) return answer(front, 'signed-out', SIGNED_OUT);
    const presented = readPresented(front.asked);
    if (!presented) return general(front);
    const known = memory.peek(presented, front.place.site.domain.host);
    return known ? answer(front, 'signed-in', answerOf(known)) : find(front, presented);
  };

  async function find(front: FrontRequest, presented: SinglePresented) {
    const startedAt = performance.now();
    let found: SignedIn | null;
    try {
      found = await accounts.findSignedIn(presented, front.place.site.domain.host);
    } catch (error) {
      // Whatever is wrong is wrong there too, and is told as everywhere.
      if (hasWaited(error, startedAt)) front.failure = { error };
      return general(front);
    }
    // Their cookie has to be cleared; they are not looked for twice.
    if (!found) {
      front.found = null;
      return general(front);
    }
    return answer(front, 'signed-in', readyJson(presentMe(found)));
  }

  function answer({ peer, place }: FrontRequest, kind: keyof typeof kinds, answered: ReadyJson): void {
    const { status, send } = kinds[kind];
    const id = send(peer, answered);
    count(kind);
    if (log.isLevelEnabled('debug')) {
      const { host } = place.site.domain;
      log.debug({ request: id, method: 'GET', route: 'bridgekeeper.me', host, status });
    }
  }
}

function answerOf(known: Remembered): ReadyJson {
  known.answer ??= readyJson(presentMe(unpackReader(known.packed)));
  return known.answer;
}

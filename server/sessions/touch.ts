// Notes that sessions are in use: `last_seen_at`, and with it the idle limit, once a minute and session at most. All that are used
// in one turn of the event loop are noted by one statement, which waits for no lock and for no disk.
//
// Whoever asks waits for it, so that an answer to a reader has moved their idle limit. But it is no condition of the answer: while
// PostgreSQL cannot write (disk full, a primary that is read-only, a standby that does not confirm) reading goes on (reliability
// What was not noted is noted at the session's next request, because it still counts as not seen.

import type { Database } from '../db/database.ts';
import type { Host } from '../lib/ids.ts';
import { inOneTurn } from '../lib/one_turn.ts';
import type { LiveSession } from './sessions.ts';
import * as store from './store.ts';

/** Longest that an answer waits. */
const PATIENCE_MS = 250;
/** Statements under way at once: while they hang, the other connections stay free for reading. */
const MOST_UNDER_WAY = 3;
const TELL_EVERY_MS = 60_000;

/**
 * Notes that a session is used on a host.
 * @returns the seconds in which it is neither over nor to be noted again; null when it was not noted: another request is just
 *   doing it or has done it, it is locked by somebody who changes it, or PostgreSQL does not write
 */
export type Touch = (session: Pick<LiveSession, 'id'>, host: Host) => Promise<number | null>;

/** @param options onFail: is told why sessions could not be noted, once a minute at most */
export function createTouch(options: { db: Database; onFail(error: unknown): void }): Touch {
  const { db, onFail } = options;
  let underWay = 0;
  let toldAt = Number.NEGATIVE_INFINITY;

  const write = inOneTurn((used: readonly store.UsedSession[]) => {
    const none = used.map(() => null);
    return underWay < MOST_UNDER_WAY ? writeSoon(used, none) : Promise.resolve(none);
  });

  async function writeSoon(used: readonly store.UsedSession[], none: readonly null[]) {
    underWay++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly null[]>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, none);
    });
    const written = store.touchSessions(db, used).catch((error: unknown) => {
      tell(error);
      return none;
    });
    const done = written.finally(() => {
      underWay--;
      clearTimeout(timer);
    });
    return Promise.race([done, late]);
  }

  function tell(error: unknown) {
    const now = performance.now();
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    onFail(error);
  }

  return ({ id }, host) => write({ id, host });
}

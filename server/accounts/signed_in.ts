// Who holds a credential on a host, the question of every page view: from memory where that may answer, else in one round trip
// that all who wait in the same turn of the event loop share. A session that nobody has noted as seen for a minute is noted on the
// way (sessions/touch.ts), which is a statement of its own: the reading one costs a third more if it writes, even for those
// who are noted already, is sent again when its connection broke, and works where PostgreSQL may only read.

import type { Database } from '../db/database.ts';
import type { Host, TokenHash } from '../lib/ids.ts';
import { inOneTurn } from '../lib/one_turn.ts';
import { hashToken, isSameHash } from '../lib/token.ts';
import type { Presented, Sessions } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';
import { unpackReader } from './packed_reader.ts';
import type { SignedInMemory } from './signed_in_memory.ts';
import * as store from './store.ts';

type Single = Extract<Presented, { kind: 'cookie' | 'header' }>;

/** @returns who holds a credential: null for anything but a live session of an enabled account */
export function createSignedInSearch(options: {
  db: Database;
  sessions: Pick<Sessions, 'touch'>;
  memory?: SignedInMemory;
}) {
  const { db, sessions, memory } = options;
  const find = inOneTurn((asked: readonly { tokenHash: TokenHash; host: Host }[]) => store.findSignedIn(db, asked));

  return async function findSignedIn(presented: Presented, host: Host): Promise<SignedIn | null> {
    switch (presented.kind) {
      case 'none':
      case 'broken':
        return null;
      case 'header':
      case 'cookie':
        return look(presented, host, { isUse: true });
      case 'both': {
        // Two identities in one request are nobody's: no silent precedence, and no use of either.
        const cookie = { kind: 'cookie', ...presented.cookie } as const;
        const [byCookie, byHeader] = await Promise.all([
          look(cookie, host, { isUse: false }),
          look({ kind: 'header', token: presented.header }, host, { isUse: false }),
        ]);
        if (!byCookie || byCookie.account.id !== byHeader?.account.id) return null;
        return byCookie.session.isSeenStale ? look(cookie, host, { isUse: true }) : byCookie;
      }
      default:
        return presented satisfies never;
    }
  };

  async function look(presented: Single, host: Host, { isUse }: { isUse: boolean }): Promise<SignedIn | null> {
    const known = memory?.find(presented, host);
    if (known) return known;
    // Taken before the read can be sent.
    const mark = memory?.markRead();
    const found = await find({ tokenHash: hashToken(presented.token), host });
    if (!found) return null;
    const { companionHash } = found;
    if (presented.kind === 'cookie' && !isSameHash(companionHash, hashToken(presented.companion))) return null;
    const read = unpackReader(found.packed);
    const signedIn = isUse && read.session.isSeenStale ? await noteUse(read, host) : read;
    if (mark) memory?.keep(presented, host, signedIn, mark);
    return signedIn;
  }

  async function noteUse({ account, session }: SignedIn, host: Host): Promise<SignedIn> {
    const trueForSeconds = await sessions.touch(session, host);
    const isSeenStale = trueForSeconds === null;
    return { account, session: isSeenStale ? session : { ...session, isSeenStale, trueForSeconds } };
  }
}

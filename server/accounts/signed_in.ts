// Who holds a credential on a host, the question of every page view: from memory where that may answer, else in one round trip
// that all who wait in the same turn of the event loop share.

import type { Database } from '../db/database.ts';
import type { Host, TokenHash } from '../lib/ids.ts';
import { inOneTurn } from '../lib/one_turn.ts';
import { hashToken, isSameHash } from '../lib/token.ts';
import type { Presented } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';
import type { SignedInMemory } from './signed_in_memory.ts';
import * as store from './store.ts';

/** @returns who holds a credential: null for anything but a live session of an enabled account */
export function createSignedInSearch(options: { db: Database; memory?: SignedInMemory }) {
  const { db, memory } = options;
  const read = inOneTurn((asked: readonly { tokenHash: TokenHash; host: Host }[]) => store.findSignedIn(db, asked));

  return async function findSignedIn(presented: Presented, host: Host): Promise<SignedIn | null> {
    switch (presented.kind) {
      case 'none':
      case 'broken':
        return null;
      case 'header': {
        const known = memory?.find(presented, host);
        return known ?? look(presented, host);
      }
      case 'cookie': {
        const known = memory?.find(presented, host);
        return known ?? look(presented, host);
      }
      case 'both': {
        // Two identities in one request are nobody's: no silent precedence.
        const [byCookie, byHeader] = await Promise.all([
          findSignedIn({ kind: 'cookie', ...presented.cookie }, host),
          findSignedIn({ kind: 'header', token: presented.header }, host),
        ]);
        return byCookie && byHeader && byCookie.account.id === byHeader.account.id ? byCookie : null;
      }
      default:
        return presented satisfies never;
    }
  };

  async function look(
    presented: Extract<Presented, { kind: 'cookie' | 'header' }>,
    host: Host,
  ): Promise<SignedIn | null> {
    // Taken before the read can be sent.
    const mark = memory?.markRead();
    const found = await read({ tokenHash: hashToken(presented.token), host });
    if (!found) return null;
    const { signedIn, companionHash } = found;
    if (presented.kind === 'cookie' && !isSameHash(companionHash, hashToken(presented.companion))) return null;
    if (mark) memory?.keep(presented, host, signedIn, mark);
    return signedIn;
  }
}

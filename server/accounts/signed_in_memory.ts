// Who is signed in, kept in memory while this node holds its lease (db/lease.ts): a page view then costs no round trip, and a
// sign-out still counts everywhere at once. An entry lives a minute at most, so that a session in use is noted as seen.

import { hash } from 'node:crypto';
import type { Lease } from '../db/lease.ts';
import type { ReadyJson } from '../http/json_answer.ts';
import type { Host } from '../lib/ids.ts';
import { createLeasedMemory, type ReadMark } from '../lib/leased_memory.ts';
import type { Presented } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';
import { packReader, unpackReader } from './packed_reader.ts';

type Mark = ReturnType<Lease['markRead']>;
type Single = Extract<Presented, { kind: 'cookie' | 'header' }>;

/** One reader on one host, as read at a moment of the lease's clock. */
export type Remembered = {
  /** By packReader. */
  readonly packed: string;
  readonly readAt: number;
  /** What the hot route answers; made by it when first asked. */
  answer: ReadyJson | null;
};

export type SignedInMemory = ReturnType<typeof createSignedInMemory>;

/** @param options most: entries at most; 0 keeps nothing */
export function createSignedInMemory(options: {
  lease: Pick<Lease, 'hold' | 'isLive' | 'now' | 'markRead' | 'mayKeep'>;
  most: number;
}) {
  const { lease, most } = options;
  const memory = createLeasedMemory<Remembered, Mark>(options);

  /** What is known of a credential and may be answered at this moment; null when the database must be asked. */
  const peek = (presented: Single, host: Host): Remembered | null =>
    most === 0 ? null : memory.peek(nameOf(presented, host));

  /** The reader as a read of this moment would find them. */
  function find(presented: Single, host: Host): SignedIn | null {
    const known = peek(presented, host);
    if (!known) return null;
    const { account, session } = unpackReader(known.packed);
    const passed = (lease.now() - known.readAt) / 1000;
    const { ageSeconds, trueForSeconds, ...rest } = session;
    return {
      account,
      session: { ...rest, ageSeconds: ageSeconds + passed, trueForSeconds: trueForSeconds - passed },
    };
  }

  /** Keeps what a read found, unless it may have become untrue meanwhile. */
  function keep(presented: Single, host: Host, signedIn: SignedIn, mark: ReadMark<Mark>): void {
    if (most === 0) return;
    const { account, session } = signedIn;
    memory.keep(nameOf(presented, host), {
      value: { packed: packReader(signedIn), readAt: mark.at, answer: null },
      keys: [`account ${account.id}`, `domain-session ${session.domainSessionId}`],
      trueForSeconds: session.trueForSeconds,
      mark,
    });
  }

  return { peek, find, keep, markRead: memory.markRead, count: memory.count };
}

/** The credential itself stays nowhere: entries are known by its SHA-256, as in the database; each of its bytes is a letter. */
function nameOf(presented: Single, host: Host): string {
  const companion = presented.kind === 'cookie' ? presented.companion : '';
  return hash('sha256', `${host}\n${presented.token}\n${companion}`, 'binary');
}

// The side of whoever changes something that nodes keep in memory: after the commit it waits until no node can answer with
// what was true before. The protocol and its proof are in lease.ts.

import type { Log } from '../lib/log.ts';
import { createSteadyClock } from '../lib/steady_clock.ts';
import type { Queryable, Row } from './database.ts';
import type { Invalidation } from './lease_state.ts';
import type { Notifications } from './notify.ts';
import { readStatement } from './statement.ts';

/** How long a lease lasts by the database's clock. */
export const LEASE_MS = 2000;
export const WORDS_CHANNEL = 'causeway_lease_words';
/** Words of other nodes that came before somebody waited for them. */
const MOST_WORDS = 20_000;

// `for share` waits for a renewal under way and then sees what it wrote. Rows of a life of the server that has just begun are
// not believed: a standby that was promoted may lack some.
const FIND_HOLDERS = readStatement(
  'lease.find_holders',
  `with holders as materialized (
     select id::text, extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as left_ms
       from lease_nodes where expires_at > clock_timestamp() for share)
   select (select json_agg(json_build_object('seq', seq::text, 'key', key)) from invalidations where xid = $1::text::xid8) as made,
          exists (select from lease_incarnations where name = causeway_incarnation()
                    and seen_at < clock_timestamp() - make_interval(secs => $2)) as is_settled, id, left_ms
     from (select) one left join holders on true`,
);

export type Settlement = ReturnType<typeof createSettlement>;

/**
 * @param options run: reads on a connection of its own; self: the node of this process, told without a message, if it is one
 */
export function createSettlement(options: {
  run: Queryable['run'];
  notifications: Notifications;
  log: Log;
  self?: { id: string; hear(invalidation: Invalidation): void };
  now?: () => number;
}) {
  const { run, notifications, log, self } = options;
  const now = options.now ?? createSteadyClock();
  const words = createWords();
  notifications.listen(WORDS_CHANNEL, {
    onMessage(payload) {
      const [from = '', ...seqs] = payload.split(' ');
      for (const seq of seqs) words.add(from, seq);
    },
    // A word that was missed costs waiting until the lease is over, and nothing else.
    onGap: () => undefined,
  });

  /**
   * Waits until no node answers from memory what a committed transaction has made untrue.
   * @param xid of the transaction, as the notice of causeway_invalidate() told it
   */
  async function settle(xid: string): Promise<void> {
    const whole = now() + LEASE_MS;
    let rows: Row[];
    try {
      rows = await run(FIND_HOLDERS, [xid, LEASE_MS / 1000]);
    } catch (error) {
      log.warn({ err: error }, 'lease: holders unknown, waiting until every lease has run out');
      return words.sleep(whole - now());
    }
    const readAt = now();
    const made = (rows[0]?.['made'] ?? []) as Invalidation[];
    for (const invalidation of made) self?.hear(invalidation);
    // Rolled back, or so long ago that it was swept.
    if (made.length === 0) return;
    if (rows[0]?.['is_settled'] !== true) return words.sleep(whole - now());
    const others = rows.filter((row) => row['id'] !== null && row['id'] !== self?.id);
    await Promise.all(
      others.flatMap((row) => made.map(({ seq }) => words.wait(String(row['id']), seq, readAt + leftOf(row) - now()))),
    );
  }

  return { settle };
}

/** A lease that another server's clock has written may seem to last for longer than any does. */
const leftOf = (row: Row): number => Math.min(Number(row['left_ms']), LEASE_MS);

/** The words of other nodes: who said which sequence number, kept for those who wait and for those who are about to. */
function createWords() {
  const said = new Map<string, Set<string>>();
  const waiting = new Map<string, Set<() => void>>();

  function add(node: string, seq: string) {
    const nodes = said.get(seq) ?? new Set();
    said.set(seq, nodes.add(node));
    if (said.size > MOST_WORDS) said.delete(said.keys().next().value ?? '');
    for (const wake of waiting.get(`${node} ${seq}`) ?? []) wake();
  }

  /** Until the node says it, or the time is over. */
  function wait(node: string, seq: string, most: number): Promise<void> {
    if (said.get(seq)?.has(node)) return Promise.resolve();
    const name = `${node} ${seq}`;
    return new Promise((resolve) => {
      const group = waiting.get(name) ?? new Set();
      const wake = () => {
        clearTimeout(timer);
        group.delete(wake);
        if (group.size === 0) waiting.delete(name);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, most) + 1);
      waiting.set(name, group.add(wake));
    });
  }

  return { add, wait, sleep: (most: number) => wait('', '', most) };
}

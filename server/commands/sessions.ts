// `causeway sessions end`: signs people out on every domain; their next request anywhere finds nothing.

import { validate as isUuid } from 'uuid';
import { deleteFamiliesBefore } from '../oauth/oauth.ts';
import type { Realm } from '../realms/realms.ts';
import { type CommandContext, CommandFailed, UsageFault } from './context.ts';
import { confirm, isTerminal } from './terminal.ts';

const WHY = { reason: 'operator', address: null } as const;
/** Sessions ended in one transaction: short enough that nobody's sign-in waits for it. */
const BATCH = 500;

/** The sessions of an account, one session, or every session of the realm. */
export type Which = { email: string } | { id: string } | { all: true };

/** Ends the sessions of an account, one session, or all of a realm, and prints how many. @throws CommandFailed */
export async function endSessions(context: CommandContext, slug: string, which: Which): Promise<void> {
  const realm = await context.getRealm(slug);
  const count = await endWhich(context, realm, which);
  // What somebody else has just ended counts as ended, too.
  await context.db.settled();
  context.print(count === 1 ? '1 session ended' : `${count} sessions ended`);
}

async function endWhich(context: CommandContext, realm: Realm, which: Which): Promise<number> {
  if ('email' in which) return endOfAccount(context, realm, which.email);
  if ('id' in which) return endOne(context, realm, which.id);
  return inBatches(() => endBatch(context, realm, null));
}

/**
 * After a restore: ends the sessions, codes and tokens of a realm, or of every realm, that began before a moment. What was
 * revoked or used up since the backup is in it as if it had not been (security 200).
 */
export async function endBefore(context: CommandContext, slug: string | undefined, before: Date): Promise<void> {
  const { db, realms, audit, print } = context;
  const slugs = slug === undefined ? (await realms.listStored(db)).map((stored) => stored.slug) : [slug];
  for (const one of slugs) {
    const realm = await context.getRealm(one);
    // Codes go with their sessions; tokens with offline access outlive those, so families are ended by themselves.
    const sessions = await inBatches(() => endBatch(context, realm, before));
    const families = await inBatches(() =>
      db.transaction((q) => deleteFamiliesBefore(q, realm.id, { before, limit: BATCH })),
    );
    await audit.record(db, {
      type: 'grants.ended',
      realmId: realm.id,
      detail: { before: before.toISOString(), count: families },
    });
    print(
      `${one}: ${sessions} ${sessions === 1 ? 'session' : 'sessions'} ended, and the tokens of ${families} ${families === 1 ? 'grant' : 'grants'} besides`,
    );
  }
}

async function inBatches(endOne: () => Promise<number>): Promise<number> {
  let count = 0;
  for (let ended = BATCH; ended === BATCH; count += ended) ended = await endOne();
  return count;
}

async function endOfAccount(
  { db, openAccounts, sessions }: CommandContext,
  realm: Realm,
  email: string,
): Promise<number> {
  const account = await openAccounts().findByEmail(db, realm.id, email);
  if (!account) throw new CommandFailed(`Realm ${realm.slug} has no account with the address ${email}.`);
  return db.transaction((q) => sessions.revokeAllOf(q, { realmId: realm.id, accountId: account.id }, WHY));
}

async function endOne({ db, sessions }: CommandContext, realm: Realm, id: string): Promise<number> {
  const session = isUuid(id) ? await sessions.findIn(db, realm.id, id) : null;
  if (!session) {
    await db.settled();
    throw new CommandFailed(`Realm ${realm.slug} has no session ${id}.`);
  }
  return Number(await sessions.end(session, WHY));
}

async function endBatch({ db, sessions }: CommandContext, realm: Realm, before: Date | null): Promise<number> {
  return db.transaction(async (q) => {
    const batch = await sessions.listIn(q, realm.id, { limit: BATCH, before });
    for (const session of batch) await sessions.revoke(q, session, WHY);
    return batch.length;
  });
}

/** The moment that an operator wrote. @throws UsageFault when it is none, or leaves the time zone to be guessed */
export function parseMoment(text: string): Date {
  const isWhole = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/.test(text);
  const moment = new Date(text);
  if (!isWhole || Number.isNaN(moment.getTime()))
    throw new UsageFault(`--before ${text}: write date, time and time zone, such as 2026-01-31T04:00:00Z`);
  return moment;
}

/** Asks whether everybody is to be signed out. @throws UsageFault when there is nobody to ask, CommandFailed on a no */
export async function demandConfirmation(slug: string | undefined): Promise<void> {
  if (!isTerminal()) {
    throw new UsageFault('sessions end --all signs everybody out; add --yes to say that this is meant');
  }
  if (
    !(await confirm(slug === undefined ? 'Sign everybody out of every realm?' : `Sign everybody out of realm ${slug}?`))
  )
    throw new CommandFailed('Nothing was ended.');
}

// `causeway sessions end`: signs people out on every domain; their next request anywhere finds nothing.

import { validate as isUuid } from 'uuid';
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
  context.print(count === 1 ? '1 session ended' : `${count} sessions ended`);
}

async function endWhich(context: CommandContext, realm: Realm, which: Which): Promise<number> {
  if ('email' in which) return endOfAccount(context, realm, which.email);
  if ('id' in which) return endOne(context, realm, which.id);
  let count = 0;
  for (let ended = BATCH; ended === BATCH; count += ended) ended = await endBatch(context, realm);
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
  if (!session) throw new CommandFailed(`Realm ${realm.slug} has no session ${id}.`);
  return Number(await db.transaction((q) => sessions.revoke(q, session, WHY)));
}

async function endBatch({ db, sessions }: CommandContext, realm: Realm): Promise<number> {
  return db.transaction(async (q) => {
    const batch = await sessions.listIn(q, realm.id, BATCH);
    for (const session of batch) await sessions.revoke(q, session, WHY);
    return batch.length;
  });
}

/** Asks whether everybody is to be signed out. @throws UsageFault when there is nobody to ask, CommandFailed on a no */
export async function demandConfirmation(slug: string): Promise<void> {
  if (!isTerminal()) {
    throw new UsageFault('sessions end --all signs everybody out; add --yes to say that this is meant');
  }
  if (!(await confirm(`Sign everybody out of realm ${slug}?`))) throw new CommandFailed('Nothing was ended.');
}

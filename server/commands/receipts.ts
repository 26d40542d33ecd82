// `causeway sessions receipts`: for each session that ended before its time, the sites that were signed out with it and what
// they answered when they were told (OpenID Connect Back-Channel Logout).

import { validate as isUuid } from 'uuid';
import { listReceipts, type Receipt } from '../oidc/oidc.ts';
import type { Realm } from '../realms/realms.ts';
import { type CommandContext, CommandFailed } from './context.ts';

const HEAD = ['SESSION', 'ENDED', 'CLIENT', 'STATE', 'TRIES', 'LAST TRY', 'LAST ANSWER'];

/** Prints receipts as a table, latest session first. @throws CommandFailed for an unknown realm or account */
export async function showReceipts(
  context: CommandContext,
  of: { realm: string; email?: string; session?: string },
): Promise<void> {
  const realm = await context.getRealm(of.realm);
  const receipts = await listReceipts(context.db, realm.id, await chooseReceipts(context, realm, of));
  if (receipts.length === 0) return context.print('No receipts.');
  for (const line of presentTable([HEAD, ...receipts.map(presentReceipt)])) context.print(line);
}

async function chooseReceipts(
  { db, openAccounts }: CommandContext,
  realm: Realm,
  of: { email?: string; session?: string },
) {
  if (of.session !== undefined) {
    if (!isUuid(of.session)) throw new CommandFailed(`${of.session} is not the id of a session.`);
    return { sessionId: of.session };
  }
  if (of.email === undefined) return {};
  const account = await openAccounts().findByEmail(db, realm.id, of.email);
  if (!account) throw new CommandFailed(`Realm ${realm.slug} has no account with the address ${of.email}.`);
  return { accountId: account.id };
}

function presentReceipt(receipt: Receipt): string[] {
  const answer = receipt.lastError ?? (receipt.lastStatus === null ? '-' : `HTTP ${receipt.lastStatus}`);
  return [
    receipt.sessionId,
    presentTime(receipt.createdAt),
    receipt.clientId,
    receipt.state,
    String(receipt.attempts),
    receipt.triedAt ? presentTime(receipt.triedAt) : '-',
    answer,
  ];
}

const presentTime = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

/** Columns of equal width, two spaces apart. */
function presentTable(rows: readonly string[][]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

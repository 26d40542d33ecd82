// Table consents: what an account allowed a client.

import type { Queryable } from '../db/database.ts';
import { readStatement } from '../db/statement.ts';
import { type AccountId, asClientRowId, type ClientRowId } from '../lib/ids.ts';

export type Consenting = { accountId: AccountId; clientRowId: ClientRowId };

// All that wait in one turn of the event loop are asked about at once.
const FIND_CONSENTS = readStatement(
  'oauth.find_consents',
  `select asked.nr::int, k.scopes from unnest($1::bigint[], $2::bigint[]) with ordinality as asked(account_id, client_row_id, nr)
     join consents k on k.account_id = asked.account_id and k.client_row_id = asked.client_row_id`,
);

/** What each account allows each client, in the order asked; null for nothing. */
export async function findConsents(q: Queryable, asked: readonly Consenting[]): Promise<(string[] | null)[]> {
  const values = [asked.map((one) => one.accountId), asked.map((one) => one.clientRowId)];
  const found: (string[] | null)[] = asked.map(() => null);
  for (const row of await q.run(FIND_CONSENTS, values)) found[Number(row['nr']) - 1] = row['scopes'] as string[];
  return found;
}

/** Remembers what an account allows a client, added to what it allowed before. */
export async function putConsent(
  q: Queryable,
  accountId: AccountId,
  clientRowId: ClientRowId,
  scopes: readonly string[],
): Promise<void> {
  await q
    .builder('consents')
    .insert({ account_id: accountId, client_row_id: clientRowId, scopes: [...scopes] })
    .onConflict(['account_id', 'client_row_id'])
    .merge({
      scopes: q.builder.raw('array(select distinct unnest(consents.scopes || excluded.scopes) order by 1)'),
      updated_at: q.builder.raw('causeway_now()'),
    });
}

export async function listConsents(
  q: Queryable,
  accountId: AccountId,
): Promise<{ clientRowId: ClientRowId; clientId: string; name: string; scopes: string[]; since: Date }[]> {
  const rows = await q
    .builder('consents as k')
    .join('clients as c', 'c.id', 'k.client_row_id')
    .select('c.id', 'c.client_id', 'c.name', 'k.scopes', 'k.created_at')
    .where('k.account_id', accountId)
    .orderBy('c.name');
  return rows.map((row) => ({
    clientRowId: asClientRowId(String(row.id)),
    clientId: row.client_id,
    name: row.name,
    scopes: row.scopes,
    since: row.created_at,
  }));
}

/** Withdraws a consent: it is forgotten, and every token that the client holds for the account is gone. */
export async function deleteConsent(q: Queryable, accountId: AccountId, clientRowId: ClientRowId): Promise<boolean> {
  await q.builder('token_families').where({ account_id: accountId, client_row_id: clientRowId }).delete();
  return (await q.builder('consents').where({ account_id: accountId, client_row_id: clientRowId }).delete()) === 1;
}

/** Ends every token family of an account; the consents stay. */
export async function deleteFamiliesOf(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('token_families').where({ account_id: accountId }).delete();
}

// The plan of the statement behind `GET /users/me`, run once for a reader in the middle of the table.

import '../server/accounts/accounts.ts';
import pg from 'pg';
import { listStatements } from '../server/db/statement.ts';
import { hashToken } from '../server/lib/token.ts';
import { generatedToken } from './generation.ts';
import { HOSTS, type Stage } from './stage.ts';

export async function findEnteredPlan(stage: Stage, sessions: number): Promise<string> {
  const statement = listStatements().find(({ name }) => name === 'accounts.find_signed_in');
  if (!statement) throw new Error('the statement has another name now');
  const hash = hashToken(generatedToken('news', 'token', Math.floor(sessions / 2))).toString('hex');
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  try {
    await client.query(`prepare asked as ${statement.text}`);
    const run = `explain (analyze, buffers, costs off, summary off) execute asked (array['\\x${hash}'::bytea], array['${HOSTS.news}'])`;
    await client.query(run);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(run);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  } finally {
    await client.end();
  }
}

// No table: whether PostgreSQL answers at all.

import { isUnavailable, type Queryable } from '../db/database.ts';
import { readStatement } from '../db/statement.ts';

const PING = readStatement('ops.ping', 'select 1');

/** What `/readyz` says of the database. */
export async function findDatabaseState(q: Queryable): Promise<'ready' | 'database not available' | 'not ready'> {
  try {
    await q.run(PING, []);
    return 'ready';
  } catch (error) {
    return isUnavailable(error) ? 'database not available' : 'not ready';
  }
}

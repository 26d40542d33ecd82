// The migrated database that test files clone: a clone takes some 50 ms, running all migrations takes longer.

import pg from 'pg';
import { migrate } from '../../server/db/migrate.ts';

// Tests move the database's clock by a row; the server's code is the same as in production.
const MOVABLE_CLOCK = `
  create table test_clock (moved_by interval not null);
  insert into test_clock values ('0');
  create or replace function causeway_now() returns timestamptz language sql stable
    as $$ select now() + (select moved_by from test_clock) $$;
`;

/** Makes the template database on a server and returns its name. */
export async function prepareTemplate(url: string): Promise<string> {
  const name = `causeway_template_${process.pid}`;
  await administer(url, `create database ${name}`);
  const own = withDatabase(url, name);
  await migrate(own);
  await administer(own, MOVABLE_CLOCK);
  return name;
}

export async function dropTemplate(url: string, name: string): Promise<void> {
  await administer(url, `drop database if exists ${name} with (force)`);
}

/** Runs one statement outside any pool. */
export async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** The same server, another database. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

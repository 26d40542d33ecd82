// Hot statements as named text constants: PostgreSQL parses and plans each once per connection.

export type Statement = {
  /** Unique, `<feature>.<verb>`; also the name of the prepared statement. */
  readonly name: string;
  readonly text: string;
  /**
   * A read may be sent again on a fresh connection when its own broke; a write never is. Of writes only so many are under way
   * (database.ts); a note writes, too, but its commit waits neither for the disk nor for a standby: it takes no place from them.
   */
  readonly kind: 'read' | 'write' | 'note';
};

const registry = new Map<string, Statement>();

/** Declares a statement that changes nothing. */
export function readStatement(name: string, text: string): Statement {
  return register({ name, text, kind: 'read' });
}

/** Declares a statement that writes. */
export function writeStatement(name: string, text: string): Statement {
  return register({ name, text, kind: 'write' });
}

/** Declares a statement that writes without waiting for the disk or a standby. */
export function noteStatement(name: string, text: string): Statement {
  return register({ name, text, kind: 'note' });
}

/** Every declared statement, for the test that prepares each against the migrated schema. */
export function listStatements(): readonly Statement[] {
  return [...registry.values()];
}

function register(statement: Statement): Statement {
  if (registry.has(statement.name)) throw new Error(`two statements are named ${statement.name}`);
  registry.set(statement.name, Object.freeze(statement));
  return statement;
}

/** A moment as JavaScript counts it, in whole milliseconds since 1970, where it leaves PostgreSQL inside JSON. */
export const millisecondsOf = (column: string): string => `trunc(extract(epoch from ${column}) * 1000)::bigint`;

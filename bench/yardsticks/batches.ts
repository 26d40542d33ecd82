// What the yardsticks over PostgreSQL share: everything that waits in one turn of the event loop becomes one statement.

import pg from 'pg';

export type Batch<In, Out> = (item: In) => Promise<Out>;

/** Gathers items until the turn ends and a connection is free, and runs them together; answers are found by position. */
export function createBatch<In, Out>(
  connections: readonly pg.Client[],
  run: (connection: pg.Client, items: readonly In[]) => Promise<readonly Out[]>,
): Batch<In, Out> {
  type Waiting = { item: In; resolve(value: Out): void; reject(error: unknown): void };
  const free = [...connections];
  let waiting: Waiting[] = [];
  let isScheduled = false;

  function schedule() {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      const connection = waiting.length > 0 ? free.pop() : undefined;
      if (!connection) return;
      const taken = waiting;
      waiting = [];
      run(
        connection,
        taken.map(({ item }) => item),
      )
        .then(
          (answers) => taken.forEach(({ resolve }, index) => void resolve(answers[index] as Out)),
          (error) => taken.forEach(({ reject }) => void reject(error)),
        )
        .finally(() => {
          free.push(connection);
          schedule();
        });
    });
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}

export async function connectAll(count: number): Promise<pg.Client[]> {
  const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: process.env['DATABASE_URL'] }));
  await Promise.all(clients.map((client) => client.connect()));
  return clients;
}

// A database for whoever changes things and is no node: an operator's command. Its changes wait for the nodes as a node's do.

import type { Log } from '../lib/log.ts';
import { type Database, openDatabase } from './database.ts';
import { openNotifications } from './notify.ts';
import { createSettlement } from './settlement.ts';

/**
 * Opens the pool, and, once something was changed that nodes may have in memory, the connection on which they say that they
 * have forgotten it.
 * @returns start: opens that connection before anything was changed, so that the first change waits no longer than the others
 */
export function openChanger(options: {
  url: string;
  poolSize: number;
  applicationName: string;
  namedStatements: boolean;
  log: Log;
}): { db: Database; start(): Promise<void>; close(): Promise<void> } {
  const notifications = openNotifications(options);
  let started: Promise<void> | null = null;
  const start = () => {
    started ??= notifications.start();
    return started;
  };
  const db = openDatabase({
    ...options,
    changes: {
      begin: () => void start(),
      settle: async (xid) => {
        await start();
        await settlement.settle(xid);
      },
      settleAll: async () => {
        await start();
        await settlement.settleAll();
      },
    },
  });
  const settlement = createSettlement({ run: db.run, notifications, log: options.log });

  async function close() {
    await started;
    await notifications.close();
    await db.close();
  }

  return { db, start, close };
}

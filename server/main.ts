// Start: configuration → database → server (and, without DATABASE_URL, the demo); SIGTERM and Ctrl-C close in reverse.

import { processConfig } from './config.ts';
import { createLog } from './lib/log.ts';
import { releaseMemory } from './lib/memory.ts';
import { followPrimary, processIndex, startProcesses } from './processes.ts';
import { type RunningServer, startServer } from './start.ts';

async function main(closers: (() => Promise<void>)[]): Promise<void> {
  const config = processConfig();
  const index = processIndex();
  const closeAll = closeOnSignals(closers, index === null);
  if (config.databaseUrl === null) {
    // Packages that only the demo needs are not installed in production.
    const { startDemo } = await import('../demo/start.ts');
    return startDemo({ config, closers });
  }
  const log = createLog({ level: config.logLevel });
  if (index === null && config.processes > 1) {
    closers.push((await startProcesses({ count: config.processes, log })).close);
    return;
  }
  const secrets = config.secrets.map((secret) => secret.reveal());
  const server: RunningServer = await startServer({
    // Each process has a private port of its own: what it says of itself is not what another one would say.
    config: config.opsPort ? { ...config, opsPort: config.opsPort + (index ?? 0) } : config,
    databaseUrl: config.databaseUrl.reveal(),
    secrets,
    log,
    settle: releaseMemory,
  });
  closers.push(server.close);
  log.info({ port: server.port, host: config.host, opsPort: server.opsPort }, 'listening');
  if (index !== null) followPrimary(closeAll);
}

/** @returns closes everything, as a signal does. Ctrl-C reaches every process of a terminal: workers leave it to the first one. */
function closeOnSignals(closers: (() => Promise<void>)[], isFirst: boolean): () => void {
  let isClosing = false;
  async function closeAll() {
    // A second signal is an order to leave at once.
    if (isClosing) process.exit(1);
    isClosing = true;
    for (const close of closers.reverse()) await close();
    process.exit(0);
  }
  process.on('SIGTERM', () => void closeAll());
  process.on('SIGINT', () => void (isFirst && closeAll()));
  process.on('SIGHUP', () => void (isFirst && closeAll()));
  return () => void closeAll();
}

// Imported, it begins nothing: the build of the image has it compiled.
if (import.meta.main ?? true) {
  const closers: (() => Promise<void>)[] = [];
  main(closers).catch(async (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    for (const close of closers.reverse()) await close();
    process.exit(1);
  });
}

// The server as a process of its own: `node server/main.ts` with exactly the given environment.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder that `npm start` is run in. */
export const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'server/main.ts');
export const PROCESS_SECRET = 'k7Jq2-Zp9xW4vR8tY1mN6bC3sD5fG0hL';

export type ServerProcess = {
  child: ChildProcess;
  /** Everything on standard output and standard error so far. */
  output(): string;
  /** Resolves once it serves; rejects when it ends before. */
  listening: Promise<{ port: number; opsPort: number | null }>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
};

/** What `npm start` gives to `node`, in ROOT. */
export function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  return scripts.start.split(' ').slice(1);
}

/** Starts the server; PORT is a free one unless given. @param args of node */
export function spawnServer(env: Record<string, string>, args: readonly string[] = [MAIN]): ServerProcess {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      PORT: '0',
      CAUSEWAY_SECRET: PROCESS_SECRET,
      CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1',
      ...env,
    },
  });
  let text = '';
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  );
  const listening = new Promise<{ port: number; opsPort: number | null }>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const line = text.split('\n').find((one) => one.includes('"msg":"listening"') && one.endsWith('}'));
      if (line) resolve(JSON.parse(line) as { port: number; opsPort: number | null });
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.stdout?.on('error', () => undefined);
    void ended.then(() => reject(new Error(`ended before it served: ${text}`)));
  });
  listening.catch(() => undefined);
  return { child, output: () => text, listening, ended };
}

export type Nodes = { ports: readonly number[]; kill(): Promise<void> };

/** Two servers started at the same moment with the same environment, both serving. `kill` ends both without warning. */
export async function spawnNodes(env: Record<string, string>): Promise<Nodes> {
  const servers = [spawnServer(env), spawnServer(env)];
  async function kill() {
    for (const { child } of servers) child.kill('SIGKILL');
    await Promise.all(servers.map(({ ended }) => ended));
  }
  try {
    const listening = await Promise.all(servers.map((server) => server.listening));
    return { ports: listening.map(({ port }) => port), kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

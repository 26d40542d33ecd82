// Processes that are measured: each pinned to one core (Linux: taskset), its output in a file, what it uses read from /proc,
// stopped by its own id.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export type Measured = { port: number; pid: number; stop(): Promise<void> };
/** Cores by number: the load generator and PostgreSQL share one, what is measured has the other. */
export const CORES = { load: '1', server: '0', both: '0,1' } as const;

const START_TIMEOUT_MS = 30_000;
/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Whether the system tells what a process has used. */
export const hasProcessorTime = process.platform === 'linux';
export const canPin = process.platform === 'linux' && spawnSync('taskset', ['--version']).status === 0;

/** Puts this process, and what it starts from now on, on the core of the load. */
export function pinSelf(): void {
  if (canPin) spawnSync('taskset', ['-acp', CORES.load, String(process.pid)]);
}

/**
 * Starts a Node program and waits until it has said on which port it listens: `listening PORT`, or Causeway's log line.
 * @param options args: after `node`; cores: as for taskset
 */
export async function startMeasured(options: {
  name: string;
  args: readonly string[];
  env: Record<string, string>;
  folder: string;
  cwd?: string;
  cores?: string;
}): Promise<Measured> {
  const file = join(options.folder, `${options.name}-${started++}.out`);
  const output = openSync(file, 'w');
  const pinned = canPin ? ['taskset', '-c', options.cores ?? CORES.server] : [];
  const [command = '', ...args] = [...pinned, process.execPath, ...options.args];
  const child = spawn(command, args, {
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...options.env },
    cwd: options.cwd ?? join(import.meta.dirname, '..'),
  });
  closeSync(output);
  const stopOnExit = () => void child.kill('SIGKILL');
  process.once('exit', stopOnExit);
  const stop = async () => {
    process.off('exit', stopOnExit);
    await stopChild(child);
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const port = portIn(readFileSync(file, 'utf8'));
    if (port !== null) return { port, pid: child.pid as number, stop };
    await wait(50);
  }
  await stop();
  throw new Error(`${options.name} did not start:\n${readFileSync(file, 'utf8').slice(-3000)}`);
}
let started = 0;

function portIn(text: string): number | null {
  const port = /^listening (\d+)$/m.exec(text)?.[1] ?? /"port":(\d+)[^\n]*"msg":"listening"/.exec(text)?.[1] ?? null;
  return port === null ? null : Number(port);
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(kill);
}

/** Processor time that a process and its children have taken so far, all threads, in seconds. 0 where there is no /proc. */
export function cpuSeconds(pid: number): number {
  if (!hasProcessorTime) return 0;
  return [pid, ...childrenOf(pid)].reduce((sum, id) => {
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}

/** Resident memory of a process and its children in bytes. 0 where there is no /proc. */
export function residentBytes(pid: number): number {
  if (!hasProcessorTime) return 0;
  return [pid, ...childrenOf(pid)].reduce(
    (sum, id) => sum + Number(readFileSync(`/proc/${id}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES,
    0,
  );
}

function childrenOf(pid: number): number[] {
  const direct = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}

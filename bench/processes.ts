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
export const pinSelf = (): void => pin(process.pid, CORES.load);

/** Puts a process, and what it starts from now on, on some cores. */
export function pin(pid: number, cores: string): void {
  if (canPin) spawnSync('taskset', ['-acp', cores, String(pid)]);
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
  // User and system time are the 12th and 13th field; then those of children that have ended.
  return [pid, ...childrenOf(pid)].reduce(
    (sum, id) =>
      sum +
      statusOf(id)
        .slice(11, 15)
        .reduce((all, field) => all + Number(field), 0) /
        TICKS_PER_SECOND,
    0,
  );
}

/** The process that started one; null where there is no /proc. */
export const parentOf = (pid: number): number | null => (hasProcessorTime ? Number(statusOf(pid)[1]) : null);

/** Fields of /proc/…/stat after the name, which stands in parentheses and may hold spaces. */
const statusOf = (pid: number): string[] =>
  readProcess(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');

/** Resident memory of a process and its children in bytes. 0 where there is no /proc. */
export function residentBytes(pid: number): number {
  if (!hasProcessorTime) return 0;
  return [pid, ...childrenOf(pid)].reduce(
    (sum, id) => sum + Number(readProcess(id, 'statm').split(' ')[1] ?? 0) * PAGE_BYTES,
    0,
  );
}

function childrenOf(pid: number): number[] {
  const direct = readProcess(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}

/** A file of /proc about a process; empty when that has ended meanwhile. */
function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

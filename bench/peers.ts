// Peers are installed by the benchmark, never with Causeway: their folder has a manifest and a lock file of its own.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, 'peers');

/** Installs what the lock file says, if it is not there. */
export function installPeers(say: (line: string) => void): void {
  const wanted = versions();
  const isThere = Object.entries(wanted).every(([name, version]) => installedVersion(name) === version);
  if (isThere) return;
  say('Installing the peers into bench/peers/node_modules …');
  const installed = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: FOLDER,
    encoding: 'utf8',
    timeout: 300_000,
    shell: process.platform === 'win32',
  });
  if (installed.status !== 0) throw new Error(`the peers could not be installed:\n${installed.stderr}`);
}

/** The version of each. */
export function versions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return manifest.dependencies;
}

function installedVersion(name: string): string | null {
  const file = join(FOLDER, 'node_modules', name, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : null;
}

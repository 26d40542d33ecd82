// A server with a realm, a folder for files, and the import command as a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { startTestServer } from '../support/server.ts';

export const FIXTURES = join(import.meta.dirname, 'fixtures');
const COMMAND = join(import.meta.dirname, '../../server/commands/causeway.ts');

// More processes than that at once only wait for each other.
const processes = new PQueue({ concurrency: 2 });

export type Ran = { code: number | null; stdout: string; stderr: string };

export async function startImports() {
  const server = await startTestServer({ yaml: UNLIMITED_YAML });
  const folder = await mkdtemp(join(tmpdir(), 'causeway-import-'));
  const { db } = server.services;

  /** Writes a file into the folder. @returns its path */
  async function file(name: string, content: string | Buffer): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  function start(path: string, options: readonly string[] = []): { child: ChildProcess; ended: Promise<Ran> } {
    const child = spawn(process.execPath, [COMMAND, 'users', 'import', path, '--realm', 'test', ...options], {
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
        DATABASE_URL: server.database.url,
        CAUSEWAY_SECRET: 'only for tests: 0123456789 abcdefghijklmnop',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err]: [string[], string[]] = [[], []];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => out.push(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => err.push(text));
    const ended = new Promise<Ran>((resolve) => {
      child.on('close', (code) => resolve({ code, stdout: out.join(''), stderr: err.join('') }));
    });
    return { child, ended };
  }

  const run = (path: string, options: readonly string[] = []): Promise<Ran> =>
    processes.add(() => start(path, options).ended);

  const accountOf = (email: string) => db.builder('accounts').where({ email_canonical: email }).first();
  const countOf = async (like: string): Promise<number> =>
    Number((await db.builder('accounts').whereLike('email_canonical', like).count({ n: '*' }))[0]?.['n']);
  const signIn = async (email: string, password: string): Promise<number> =>
    (await postJson(server.port, `${API}/login`, { email, password })).status;
  /** The lines of the report on a file. */
  const rejectsOf = async (path: string) =>
    (await readFile(`${path}.rejects.jsonl`, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { line: number; kind: string; reason: string });

  async function close() {
    await server.close();
    await rm(folder, { recursive: true });
  }

  return { server, db, folder, file, start, run, accountOf, countOf, signIn, rejectsOf, close };
}

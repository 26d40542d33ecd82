// Runs the sample calls of the documents with the real curl, and the same calls once more with Node's http and the header set
// that curl sends: Host, User-Agent, Accept, and with data the form type unless -H names another. A machine without curl runs
// the second alone, so nothing is skipped there.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { send } from '../support/browser.ts';

export type Shown = { status: number; headers: Record<string, string>; cookies: Record<string, string>; body: string };
export type Way = { name: string; run(port: number, args: readonly string[]): Promise<Shown> };

const run = promisify(execFile);

/** The ways to run a sample here: curl if there is one, and Node always. */
export const WAYS: readonly Way[] = [
  ...(hasCurl() ? [{ name: 'curl', run: runCurl }] : []),
  { name: 'the same headers', run: runLikeCurl },
];

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** curl with the arguments of the document; added is only where to connect, and that the head is shown. */
async function runCurl(port: number, args: readonly string[]): Promise<Shown> {
  const own = [
    '--silent',
    '--show-error',
    '--include',
    '--http1.1',
    '--noproxy',
    '*',
    '--connect-to',
    `::127.0.0.1:${port}`,
  ];
  const { stdout } = await run('curl', [...own, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' },
  });
  const end = stdout.indexOf('\r\n\r\n');
  const [first = '', ...lines] = stdout.slice(0, end).split('\r\n');
  const pairs = lines.map(
    (line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const,
  );
  return shownOf(Number(first.split(' ')[1]), pairs, stdout.slice(end + 4));
}

async function runLikeCurl(port: number, args: readonly string[]): Promise<Shown> {
  const headers: Record<string, string> = { 'User-Agent': 'curl/8.7.1', Accept: '*/*' };
  let [url, method, body]: [string, string | undefined, string | undefined] = ['', undefined, undefined];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--request') method = args[++i];
    else if (arg === '-H') {
      const line = args[++i] ?? '';
      headers[line.slice(0, line.indexOf(':'))] = line.slice(line.indexOf(':') + 1).trim();
    } else if (arg === '--data-raw') body = args[++i];
    else if (arg === '--compressed') headers['Accept-Encoding'] = 'deflate, gzip, br, zstd';
    else url = arg;
  }
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  if (body !== undefined && !isTyped) headers['Content-Type'] = 'application/x-www-form-urlencoded';
  if (body !== undefined) headers['Content-Length'] = String(Buffer.byteLength(body));
  const answer = await send(port, url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers,
    ...(body !== undefined && { body }),
  });
  const pairs = Object.entries(answer.headers).flatMap(([name, value]) =>
    [value ?? ''].flat().map((one) => [name, one] as const),
  );
  return shownOf(answer.status, pairs, answer.text);
}

function shownOf(status: number, pairs: readonly (readonly [string, string])[], body: string): Shown {
  const cookieLines = pairs
    .filter(([name]) => name.toLowerCase() === 'set-cookie')
    .map(([, line]) => line.split(';', 1)[0] ?? '');
  return {
    status,
    headers: Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value])),
    cookies: Object.fromEntries(
      cookieLines.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    ),
    body,
  };
}

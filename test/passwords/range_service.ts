// A service of leaked passwords on loopback, with the range interface of Pwned Passwords.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const digestOf = (password: string) => createHash('sha1').update(password).digest('hex').toUpperCase();

/** Starts one that knows these passwords. `answerWith` makes it fail from now on. */
export async function startRangeService(leaked: readonly string[]) {
  const lines = new Map<string, string[]>();
  const asked: { path: string; padding: string | undefined }[] = [];
  let failing: number | 'never' | null = null;
  const add = (password: string, count: number) => {
    const digest = digestOf(password);
    const prefix = digest.slice(0, 5);
    lines.set(prefix, [...(lines.get(prefix) ?? []), `${digest.slice(5)}:${count}`]);
  };
  for (const password of leaked) add(password, 17);

  const listener = createServer((request, response) => {
    asked.push({ path: request.url ?? '', padding: request.headers['add-padding'] as string | undefined });
    if (failing === 'never') return;
    const range = lines.get((request.url ?? '').split('/').at(-1) ?? '') ?? [];
    response.writeHead(failing ?? 200, { 'Content-Type': 'text/plain' });
    response.end(['0'.repeat(35).concat(':3'), ...range].join('\r\n'));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;

  async function close() {
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  }
  return {
    origin: `http://127.0.0.1:${port}`,
    asked,
    padWith: (password: string) => add(password, 0),
    answerWith(how: number | 'never') {
      failing = how;
    },
    close,
  };
}

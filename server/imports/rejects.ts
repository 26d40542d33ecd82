// The report beside a file that is imported: one JSON line for each record that did not become an account or change one, with
// its line and why. Never anything of the record itself: it may hold a password hash.

import { open } from 'node:fs/promises';

export type Reject = { line: number; kind: 'rejected' | 'skipped'; reason: string };
export type Rejects = Awaited<ReturnType<typeof openRejects>>;

/** Opens the report and cuts off what a killed run wrote after its last batch. @param kept bytes that stand */
export async function openRejects(path: string, kept: number) {
  const file = await open(path, kept > 0 ? 'r+' : 'w', 0o600).catch(() => open(path, 'w', 0o600));
  // Who took the report away has read it.
  let end = Math.min(kept, (await file.stat()).size);
  await file.truncate(end);

  /** Writes after what is kept; a batch that is tried again overwrites itself. @returns the end of the report then */
  async function write(rejects: readonly Reject[]): Promise<number> {
    if (rejects.length === 0) return end;
    const bytes = Buffer.from(rejects.map((reject) => `${JSON.stringify(reject)}\n`).join(''));
    await file.write(bytes, 0, bytes.length, end);
    return end + bytes.length;
  }

  const keep = (bytes: number) => {
    end = bytes;
  };
  const bytes = () => end;

  return { write, keep, bytes, close: () => file.close() };
}

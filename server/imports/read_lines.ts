// A file of JSON lines, read piece by piece: one value a line, in UTF-8. A line that cannot be read is a faulty record and
// the next one counts again; one that is too long is passed over without being kept.

import type { ReadStream } from 'node:fs';
import type { FileRecord } from './read.ts';

const LONGEST_LINE = 1_048_576;
const NEWLINE = 0x0a;

export async function* readJsonLines(source: ReadStream): AsyncGenerator<FileRecord[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let kept: Buffer[] = [];
  let length = 0;
  let line = 0;

  function take(): FileRecord | null {
    line++;
    const bytes = Buffer.concat(kept);
    const isTooLong = length > LONGEST_LINE;
    [kept, length] = [[], 0];
    if (isTooLong) return { line, fault: `the line is longer than ${LONGEST_LINE} bytes` };
    let text: string;
    try {
      text = decoder.decode(bytes).trim();
    } catch {
      return { line, fault: 'the line is not UTF-8' };
    }
    if (text === '') return null;
    try {
      return { line, value: JSON.parse(text) as unknown };
    } catch {
      return { line, fault: 'the line is not a whole JSON value' };
    }
  }

  const keep = (piece: Buffer) => {
    length += piece.length;
    if (length <= LONGEST_LINE) kept.push(piece);
    else kept = [];
  };

  for await (const chunk of source as AsyncIterable<Buffer>) {
    const records: FileRecord[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      const record = take();
      if (record) records.push(record);
    }
    if (start < chunk.length) keep(chunk.subarray(start));
    yield records;
  }
  const last = length > 0 ? take() : null;
  if (last) yield [last];
}

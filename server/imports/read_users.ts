// The users of a large JSON file (Keycloak's and Firebase's exports), read piece by piece: the elements of `users`, at the top
// or in each of a list of realms. Nothing else of the file is kept.

import type { ReadStream } from 'node:fs';
import { JSONParser } from '@streamparser/json';
import type { FileRecord } from './read.ts';

export async function* readUsers(source: ReadStream): AsyncGenerator<FileRecord[]> {
  let records: FileRecord[] = [];
  let count = 0;
  let fault: Error | null = null;
  const parser = new JSONParser({ paths: ['$.users.*', '$.*.users.*'], keepStack: false });
  parser.onValue = ({ value }) => void records.push({ line: ++count, value });
  parser.onError = (error) => {
    fault = error;
  };
  const take = (): FileRecord[] => {
    const taken = records;
    records = [];
    return taken;
  };
  for await (const chunk of source as AsyncIterable<Buffer>) {
    parser.write(chunk);
    yield take();
    // What follows a fault cannot be told apart any more.
    if (fault) break;
  }
  if (!fault && !parser.isEnded) parser.end();
  if (fault) yield [{ line: count + 1, fault: 'the file is not whole JSON from here on', isLast: true }];
}

// JSON that is ready to be sent, for answers in front of Koa: made once, and sent under a head that differs in little.

import type { ServerResponse } from 'node:http';
import { createRepeatedHead, type WriteHead } from './headers.ts';

export type ReadyJson = {
  readonly text: string;
  readonly bytes: string;
  /** Pure ASCII is sent without being looked at letter by letter. */
  readonly isAscii: boolean;
};

const ASCII = /^[\x20-\x7e]*$/;
const HEAD = {
  constant: ['Content-Type', 'application/json; charset=utf-8'],
  names: ['X-Request-Id', 'Content-Length'],
} as const;

export function readyJson(value: unknown): ReadyJson {
  const text = JSON.stringify(value);
  return { text, bytes: String(Buffer.byteLength(text)), isAscii: ASCII.test(text) };
}

/** Sends one. @returns the id of the request */
export type SendJson = (response: ServerResponse, answer: ReadyJson) => string;

/** What sends JSON with that status and the headers that every answer has. */
export function createJsonSender(options: { status: number; writeHead: WriteHead; nextId(): string }): SendJson {
  const { status, nextId } = options;
  const writeHead = createRepeatedHead(options.writeHead, { ...HEAD, status });
  return (response, { text, bytes, isAscii }) => {
    const id = nextId();
    writeHead(response, [id, bytes]);
    response.end(text, isAscii ? 'latin1' : 'utf8');
    return id;
  };
}

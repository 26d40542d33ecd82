// JSON that is ready to be sent, for answers in front of Koa: made once, and sent under a head that differs in little.

import type { Content, Peer } from './exchange.ts';
import { createHead } from './headers.ts';

export type ReadyJson = Content & { readonly bytes: string };

export function readyJson(value: unknown): ReadyJson {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  return { text, bytes: String(bytes), isAscii: bytes === text.length };
}

/** Sends one. @returns the id of the request */
export type SendJson = (peer: Peer, answer: ReadyJson) => string;

/** What sends JSON with that status and the headers that every answer has. @param options nextId: names requests */
export function createJsonSender({ status, nextId }: { status: number; nextId(): string }): SendJson {
  const head = createHead({
    status,
    constant: ['Content-Type', 'application/json; charset=utf-8'],
    names: ['X-Request-Id', 'Content-Length'],
  });
  return (peer, answer) => {
    const id = nextId();
    peer.send(head, [id, answer.bytes], NO_COOKIES, answer);
    return id;
  };
}

const NO_COOKIES: readonly string[] = [];

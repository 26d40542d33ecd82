// A request in front of the general way: what arrived, and how it is answered or left to that way. It may have been taken off the
// wire as it came (wire.ts) or been read by Node (below), as one that came in pieces or with something unusual about it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { noteBody } from './arrived_body.ts';
import type { Head } from './headers.ts';

/** What is sent under a head. */
export type Content = {
  readonly text: string;
  /** Pure ASCII is sent without being looked at letter by letter. */
  readonly isAscii: boolean;
};

/** Whoever has asked. Each request is either answered or left, once. */
export type Peer = {
  /** Of the connection; undefined when that is gone. */
  address(): string | undefined;
  /** The body; fails when it does not arrive whole. */
  readBody(): Promise<Buffer>;
  /** @param values of the head's names; cookies: whole `Set-Cookie` values */
  send(head: Head, values: readonly string[], cookies: readonly string[], content: Content): void;
  /**
   * Leaves the request to the general way.
   * @param note is called with it as that way sees it, before it is judged there
   * @returns false when there is nobody left who could be answered: then no way sees it
   */
  leave(note: (request: IncomingMessage) => void): boolean;
};

export type Exchange = {
  readonly method: string;
  readonly url: string;
  /** Names and values in turns, as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
};

/** Answers a request in front of the general way, at once or later, or leaves it. @returns false when it is not one of these */
export type AnswerInFront = (exchange: Exchange) => boolean;
export type AnswerGenerally = (request: IncomingMessage, response: ServerResponse) => unknown;

/** One that Node has read. */
export function exchangeByNode(
  request: IncomingMessage,
  response: ServerResponse,
  answerGenerally: AnswerGenerally,
): Exchange {
  let body: Promise<Buffer> | undefined;
  const peer: Peer = {
    address: () => request.socket.remoteAddress,
    readBody: () => {
      body ??= readBody(request);
      return body;
    },
    send(head, values, cookies, { text, isAscii }) {
      response.writeHead(head.status, head.list(values, cookies));
      response.end(text, isAscii ? 'latin1' : 'utf8');
    },
    leave(note) {
      if (body) noteBody(request, body);
      note(request);
      answerGenerally(request, response);
      return true;
    },
  };
  return { method: request.method ?? '', url: request.url ?? '', rawHeaders: request.rawHeaders, peer };
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    // A connection that ends before the body is an error too.
    request.on('error', reject);
  });
}

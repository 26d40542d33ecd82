// Requests taken off the wire. Node's HTTP server spends on a request and its answer several times what a session check takes. So a
// request that arrives whole, in the usual form (whole_request.ts), is first offered to what answers in front (front/front.ts), and its answer is
// written to the socket as one text. All others are handed to Node's parser, byte by byte as they came.
//
// Who reads a connection must be beyond doubt at every byte, or somebody's body could be taken for another's request. So: a connection
// is ours between requests alone, that is before its first one, and after one that Node was handed whole, of which Node itself says
// that it is complete, and whose answer has ended with the connection kept. A head that comes in pieces is waited for shortly, before
// anybody has read a byte of it. At the first doubt the connection is Node's until it ends; what is answered in front is answered there
// too, from Node's own reading of it.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type AnswerGenerally, type AnswerInFront, exchangeByNode, type Peer } from './exchange.ts';
import { KEEP_ALIVE_SECONDS } from './headers.ts';
import { findProtocolFault } from './protocol_fault.ts';
import { isBeginning, type RequestRead, readRequest } from './whole_request.ts';

type Note = (request: IncomingMessage) => void;
/** A request that Node has read and the general way answers, or has answered. */
type InNode = { request: IncomingMessage; response: ServerResponse };
/** What Node is being handed. `isJudged`: what answers in front has left it; seen: what Node made of it */
type Handed = { isJudged: boolean; note: Note; seen: InNode | null };
type Connection = { closeIdle(): void; destroy(): void };

const NO_NOTE: Note = () => undefined;
/** For the rest of a head, in time from its first piece and in pieces. */
const PATIENCE_MS = 500;
const MOST_PIECES = 12;
/** As Node adds: who is told that a connection is kept so long, and uses it to the last moment, shall not find it closed. */
const KEEP_ALIVE_MS = (KEEP_ALIVE_SECONDS + 1) * 1000;

export type Wire = ReturnType<typeof takeOffTheWire>;

/**
 * Takes the connections of a server that Node would read.
 * @param options firstHeadMs: how long a connection may be open before its first head is whole, whoever reads it; refuse: answers
 *   what cannot be read
 */
export function takeOffTheWire(
  server: Server,
  options: {
    answerInFront: AnswerInFront;
    answerGenerally: AnswerGenerally;
    refuse(error: NodeJS.ErrnoException, socket: Socket): void;
    firstHeadMs: number;
  },
) {
  const { answerInFront, answerGenerally, refuse, firstHeadMs } = options;
  const byNode = server.listeners('connection');
  server.removeAllListeners('connection');
  const connections = new Set<Connection>();
  let isDraining = false;
  let isQuiet = false;
  let answering = 0;
  let onSettled: (() => void) | null = null;
  let handed: Handed | null = null;
  /** Connections whose first head Node waits for, and what ends the wait. Node's own limit would begin only now. */
  const awaited = new Map<Socket, NodeJS.Timeout>();
  /** Connections that Node reads no more, whose parser it has given to another one: nothing of these may reach it. */
  const tunnels = new WeakSet<Socket>();
  // RFC 9112 §9.6: who has said all that it wants to say may still wait for the answer.
  Object.assign(server, { httpAllowHalfOpen: true });

  server.on('connection', connect);
  server.on('request', (request, response) => {
    noteHead(request);
    // RFC 9112 §9.6: who is told so sends nothing more on this connection.
    if (isDraining) response.shouldKeepAlive = false;
    if (handed) {
      handed.seen = { request, response };
      handed.note(request);
    }
    // What is handed over whole was looked at here before.
    const isLeft = handed ? handed.isJudged : findProtocolFault(request) !== null;
    if (isLeft || !answerInFront(exchangeByNode(request, response, answerGenerally)))
      answerGenerally(request, response);
  });
  server.on('checkExpectation', noteHead);
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    noteHead(request);
    tunnels.add(socket);
  });

  /** A head has arrived whole. */
  function noteHead({ socket }: IncomingMessage): void {
    if (awaited.size === 0) return;
    clearTimeout(awaited.get(socket));
    awaited.delete(socket);
  }

  function connect(socket: Socket): void {
    /** Node's reader of this connection, once it has been given it. */
    let read: ((bytes: Buffer) => void) | null = null;
    /** Tells Node that nothing more comes. */
    let endInNode: (() => void) | null = null;
    let isNodes = false;
    let inNode: InNode | null = null;
    /** Bytes of the body that Node's request still lacks. */
    let missing = 0;
    /** What is being answered in front, or stands until the reader of its answer goes on. */
    let isBusy = false;
    let asked: { request: RequestRead; bytes: Buffer } | null = null;
    let held: Buffer | null = null;
    /** The beginning of a head, waiting for its rest. */
    let piece: { bytes: Buffer; pieces: number; timer: NodeJS.Timeout } | null = null;
    const openedAt = performance.now();
    let hasAsked = false;
    let hasEnded = false;

    const peer: Peer = {
      address: () => socket.remoteAddress,
      readBody: async () => asked?.bytes.subarray(asked.request.bodyAt) ?? Buffer.alloc(0),
      send(head, values, cookies, { text, isAscii }) {
        const isKept = asked?.request.isKept === true && !isDraining && !hasEnded;
        const message = head.text(values, cookies, isKept) + text;
        settle();
        if (!socket.writable) return;
        const isTaken = socket.write(message, isAscii ? 'latin1' : 'utf8');
        if (!isKept) socket.destroySoon();
        else if (isTaken) goOn();
        else socket.once('drain', goOn);
      },
      leave(note) {
        const left = asked;
        settle();
        if (!left || socket.destroyed) return false;
        isBusy = false;
        hand(left.bytes, left.request, { isJudged: true, note });
        goOn();
        return true;
      },
    };

    function arrive(bytes: Buffer): void {
      if (isBusy) {
        held = held ? Buffer.concat([held, bytes]) : bytes;
        socket.pause();
      } else if (isNodes) read?.(bytes);
      else if (missing > 0) continueBody(bytes);
      else if (piece) join(piece, bytes);
      else begin(bytes, null);
    }

    /** @param before the beginning of these bytes, if they came in pieces */
    function begin(bytes: Buffer, before: typeof piece): void {
      const request = isOurs() ? readRequest(bytes) : null;
      const pieces = (before?.pieces ?? 0) + 1;
      if (!request && pieces < MOST_PIECES && isOurs() && isBeginning(bytes)) {
        piece = { bytes, pieces, timer: before?.timer ?? setTimeout(giveUp, PATIENCE_MS) };
        return;
      }
      dropPiece();
      if (!request) giveToNode(bytes);
      else if (request.missing > 0 || isDraining) hand(bytes, request, { isJudged: false, note: NO_NOTE });
      else offer(bytes, request);
    }

    /** A head with many cookies comes in several packets, mostly right after each other. */
    const join = (before: NonNullable<typeof piece>, bytes: Buffer): void =>
      begin(Buffer.concat([before.bytes, bytes]), before);

    /** Whoever is slower is waited for by Node. */
    function giveUp(): void {
      if (piece && !socket.destroyed) giveToNode(piece.bytes);
      piece = null;
    }

    function giveToNode(bytes: Buffer): void {
      isNodes = true;
      const readByNode = readerOfNode();
      if (!hasAsked) awaited.set(socket, setTimeout(refuseLate, firstHeadMs - (performance.now() - openedAt)));
      hasAsked = true;
      readByNode(bytes);
    }

    function refuseLate(): void {
      awaited.delete(socket);
      refuse(Object.assign(new Error('a head without an end'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
    }

    function offer(bytes: Buffer, request: RequestRead): void {
      isBusy = true;
      hasAsked = true;
      asked = { request, bytes };
      answering++;
      const { method, url, rawHeaders } = request;
      if (!answerInFront({ method, url, rawHeaders, peer })) peer.leave(NO_NOTE);
    }

    /** Whether a request begins here, and the answers to all before it have been written. */
    const isOurs = () =>
      !inNode || (inNode.request.complete && inNode.response.writableEnded && inNode.response.shouldKeepAlive);

    /** Hands a request to Node, which must find in these bytes the beginning of one and, where its body is there, its end. */
    function hand(bytes: Buffer, request: RequestRead, how: Omit<Handed, 'seen'>): void {
      const readByNode = readerOfNode();
      const now: Handed = { ...how, seen: null };
      handed = now;
      try {
        readByNode(bytes);
      } finally {
        handed = null;
      }
      hasAsked = true;
      missing = request.missing;
      inNode = now.seen;
      isNodes = !isRightlyFramed();
      const { seen } = now;
      seen?.response.once('close', () => {
        if (inNode === seen) inNode = null;
      });
    }

    function continueBody(bytes: Buffer): void {
      missing -= bytes.length;
      read?.(bytes);
      isNodes = !isRightlyFramed();
    }

    const isRightlyFramed = () => inNode !== null && missing >= 0 && inNode.request.complete === (missing === 0);

    function readerOfNode(): (bytes: Buffer) => void {
      if (read) return read;
      socket.setTimeout(0);
      socket.off('timeout', onTimeout);
      socket.off('data', arrive);
      const endsBefore = socket.listeners('end');
      for (const give of byNode) give.call(server, socket);
      const readers = socket.listeners('data');
      const ends = socket.listeners('end').filter((end) => !endsBefore.includes(end));
      if (readers.length === 0 || ends.length === 0) throw new Error('Node has changed how it reads a connection.');
      socket.removeAllListeners('data');
      // Node stops to read past us when somebody else listens.
      socket.on('data', arrive);
      // Node would end a connection of which it knows no request, though one is being answered in front.
      for (const end of ends) socket.off('end', end as () => void);
      endInNode = () => {
        if (!tunnels.has(socket)) for (const end of ends) end.call(socket);
      };
      read = (bytes) => {
        if (!tunnels.has(socket)) for (const reader of readers) reader.call(socket, bytes);
      };
      return read;
    }

    function settle(): void {
      asked = null;
      answering--;
      tellSettled();
    }

    function goOn(): void {
      isBusy = false;
      if (!read && socket.timeout !== KEEP_ALIVE_MS) socket.setTimeout(KEEP_ALIVE_MS);
      if (held) {
        const bytes = held;
        held = null;
        socket.resume();
        arrive(bytes);
      }
      if (hasEnded && !isBusy) end();
    }

    function onTimeout(): void {
      // Still being answered. Who does not take the answer is as idle as who asks nothing.
      if (asked) return;
      if (hasAsked) socket.destroy();
      else refuse(Object.assign(new Error('nothing was asked'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
    }

    function onEnd(): void {
      hasEnded = true;
      if (!isBusy) end();
    }

    /** Nothing more comes: what was asked is answered, and that ends the connection. */
    function end(): void {
      const tellNode = endInNode;
      endInNode = null;
      if (inNode) inNode.response.shouldKeepAlive = false;
      if (dropPiece())
        refuse(Object.assign(new Error('a head without an end'), { code: 'HPE_INVALID_EOF_STATE' }), socket);
      else if (tellNode) tellNode();
      else if (!read) socket.end();
    }

    function onClose(): void {
      connections.delete(connection);
      clearTimeout(awaited.get(socket));
      awaited.delete(socket);
      dropPiece();
      tellSettled();
    }

    /** @returns whether there was one */
    function dropPiece(): boolean {
      if (!piece) return false;
      clearTimeout(piece.timer);
      piece = null;
      return true;
    }

    const connection = {
      closeIdle: () => {
        if (!read && hasAsked && !isBusy && !piece) socket.destroy();
      },
      destroy: () => void socket.destroy(),
    };
    connections.add(connection);
    socket.setTimeout(firstHeadMs);
    socket.on('timeout', onTimeout);
    socket.on('end', onEnd);
    // A connection that breaks is closed by Node, and nobody is left to be told.
    socket.on('error', () => undefined);
    socket.on('close', onClose);
    socket.on('data', arrive);
  }

  const isSettled = () => answering === 0 && (isQuiet || connections.size === 0);
  function tellSettled(): void {
    if (isDraining && isSettled()) onSettled?.();
  }

  /**
   * Every answer from now on is the last one of its connection. Those on which nothing is asked stay open for a while: a request may be on
   * its way, and closing before it would be an error to who sent it. A proxy that asks for readiness sends none after that.
   * @returns when nothing is being answered in front any more, and that while is over or no connection is left
   */
  async function drain(quietMs: number): Promise<void> {
    isDraining = true;
    const timer = setTimeout(() => {
      isQuiet = true;
      tellSettled();
    }, quietMs);
    await new Promise<void>((resolve) => {
      onSettled = resolve;
      tellSettled();
    });
    clearTimeout(timer);
    for (const connection of connections) connection.closeIdle();
  }

  /** Ends every connection, whatever it is about, and the wait for their answers. */
  function destroy(): void {
    for (const connection of connections) connection.destroy();
    onSettled?.();
  }

  return { drain, destroy };
}

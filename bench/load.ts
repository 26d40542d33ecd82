// The load generator: keep-alive HTTP/1.1 over raw sockets, one request in flight on each connection, never pipelined. What a
// connection asks is a conversation, a generator that is handed every answer and throws at a wrong one, which fails the run.

import { connect, type Socket } from 'node:net';
import { cpuSeconds, hasProcessorTime } from './processes.ts';

export type Answer = { status: number; head: string; body: string };
/** Yields requests, gets answers; calls `done` when an operation is complete. `index` counts the connections. */
export type Conversation = (index: number, done: () => void) => Generator<Buffer, void, Answer>;
export type Target = {
  port: number;
  pid: number;
  conversation: Conversation;
  connections?: number;
  /** A process besides the server whose work counts: that of a database. */
  alsoPid?: number | null;
  /** What a connection waits on average before it asks again; without it, nothing. */
  restMs?: number;
};
/** What was measured of one target in one round. `cpu`: seconds of processor time that the counted processes took. */
export type Sample = { operations: number; seconds: number; cpu: number; latencies: Float64Array };

/** The longest that all connections may take for a first operation. */
const ENTRY_SECONDS = 120;
const MOST_LATENCIES = 500_000;
const READ_BUFFER = 16_384;

/** A request as bytes. `lines` are whole header lines. */
export function request(line: string, host: string, lines: readonly string[] = [], body = ''): Buffer {
  const more = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return Buffer.from([`${line} HTTP/1.1`, `Host: ${host}`, ...lines, ...more, '', body].join('\r\n'));
}

/**
 * Loads a target: first until its server has taken `warmUp` seconds of processor time, then, counted, until it has taken
 * `seconds` more. Each of the two ends after `most` seconds by the clock anyway: a server that waits takes none.
 */
export function drive(target: Target, span: { warmUp: number; seconds: number; most: number }): Promise<Sample> {
  const latencies = new Float64Array(MOST_LATENCIES);
  const state = { isCounting: false, operations: 0 };
  let measured = 0;
  const onLatency = (milliseconds: number) => {
    if (state.isCounting && measured < MOST_LATENCIES) latencies[measured++] = milliseconds;
  };
  const onOperation = () => {
    if (state.isCounting) state.operations++;
  };
  return underLoad(target, { onLatency, onOperation }, async (isOver) => {
    await untilUsed(span.warmUp);
    const counted = () => cpuSeconds(target.pid) + (target.alsoPid ? cpuSeconds(target.alsoPid) : 0);
    const [cpuBefore, startedAt] = [counted(), performance.now()];
    state.isCounting = true;
    // At least one for each connection, however slow the machine.
    do await untilUsed(span.seconds);
    while (state.operations < connectionsOf(target) && !isOver());
    state.isCounting = false;
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = counted() - cpuBefore;
    return { operations: state.operations, seconds, cpu, latencies: latencies.slice(0, measured).sort() };

    /** Until the server has taken so much more processor time, the longest time is over, or the run has failed. */
    async function untilUsed(used: number): Promise<void> {
      const [goal, deadline] = [cpuSeconds(target.pid) + used, performance.now() + span.most * 1000];
      const isEnough = () => performance.now() > deadline || (hasProcessorTime && cpuSeconds(target.pid) >= goal);
      do await pause(0.05);
      while (!isOver() && !isEnough());
    }
  });
}

/** Does something while a target is loaded. @returns what came of it, and how much the target did meanwhile */
export function beside<T>(target: Target, work: () => Promise<T>): Promise<{ result: T; perSecond: number }> {
  let operations = 0;
  const onOperation = () => void operations++;
  return underLoad(target, { onLatency: () => undefined, onOperation }, async () => {
    const [before, startedAt] = [operations, performance.now()];
    const result = await work();
    return { result, perSecond: ((operations - before) * 1000) / (performance.now() - startedAt) };
  });
}

const connectionsOf = ({ connections = 64 }: Target): number => connections;

/**
 * Loads a target while something is done.
 * @param work is begun when every connection has completed an operation: signing in, where a conversation begins with it, is
 *   over for all before anything is warmed or counted
 */
async function underLoad<T>(
  target: Target,
  hooks: { onLatency(milliseconds: number): void; onOperation(): void },
  work: (isOver: () => boolean) => Promise<T>,
): Promise<T> {
  const failure = Promise.withResolvers<never>();
  const entered = Promise.withResolvers<void>();
  const connections = connectionsOf(target);
  const whoEntered = new Set<number>();
  let isOver = false;
  const doneBy = (index: number) => () => {
    hooks.onOperation();
    if (whoEntered.size < connections && whoEntered.add(index).size === connections) entered.resolve();
  };
  const sockets = Array.from({ length: connections }, (_, index) =>
    converse(target, target.conversation(index, doneBy(index)), {
      onLatency: hooks.onLatency,
      onFailure: (error) => !isOver && failure.reject(error),
    }),
  );
  try {
    const late = setTimeout(
      () => failure.reject(new Error('not every connection completed an operation')),
      ENTRY_SECONDS * 1000,
    );
    await Promise.race([entered.promise, failure.promise]).finally(() => clearTimeout(late));
    return await Promise.race([work(() => isOver), failure.promise]);
  } finally {
    isOver = true;
    for (const socket of sockets) socket.destroy();
  }
}

/** Runs every connection's conversation to its end, as for setting the stage. */
export async function converseOnce(target: Target): Promise<void> {
  const all = Array.from({ length: target.connections ?? 1 }, (_, index) => {
    const ended = Promise.withResolvers<void>();
    const socket = converse(
      target,
      target.conversation(index, () => undefined),
      { onLatency: () => undefined, onFailure: ended.reject, onEnd: ended.resolve },
    );
    return ended.promise.finally(() => socket.destroy());
  });
  await Promise.all(all);
}

type Hooks = { onLatency(milliseconds: number): void; onFailure(error: Error): void; onEnd?(): void };

function converse(
  { port, restMs }: Pick<Target, 'port' | 'restMs'>,
  conversation: Generator<Buffer, void, Answer>,
  hooks: Hooks,
): Socket {
  const buffer = Buffer.allocUnsafe(READ_BUFFER);
  let rest = '';
  let sentAt = 0;
  let resting: NodeJS.Timeout | undefined;
  const take = (text: string) => {
    rest = rest === '' ? text : rest + text;
    const answer = parseAnswer(rest);
    if (!answer) return;
    rest = '';
    hooks.onLatency(performance.now() - sentAt);
    try {
      const next = conversation.next(answer);
      // Each at times of its own, so that they do not come in step.
      if (restMs === undefined) send(next);
      else resting = setTimeout(send, Math.random() * 2 * restMs, next);
    } catch (error) {
      hooks.onFailure(error as Error);
      socket.destroy();
    }
  };
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    // Read into one buffer per connection: no allocation and no stream machinery for each answer.
    onread: {
      buffer,
      callback: (length) => {
        take(buffer.toString('latin1', 0, length));
        return true;
      },
    },
  });
  function send({ value, done }: IteratorResult<Buffer, void>) {
    if (done || !value) {
      hooks.onEnd?.();
      return;
    }
    sentAt = performance.now();
    socket.write(value);
  }
  socket.on('connect', () => send(conversation.next()));
  socket.on('error', hooks.onFailure);
  socket.on('close', () => {
    clearTimeout(resting);
    hooks.onFailure(new Error('the server closed a connection'));
  });
  return socket;
}

/** A whole answer, or null while a part of it is missing. Bodies are framed by length, by chunks, or (204, 304) by nothing. */
export function parseAnswer(text: string): Answer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [head, rest] = [text.slice(0, end), text.slice(end + 4)];
  const status = Number(head.slice(9, 12));
  if (status === 204 || status === 304) return { status, head, body: '' };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return rest.length >= Number(length) ? { status, head, body: rest } : null;
  const body = joinChunks(rest);
  return body === null ? null : { status, head, body };
}

function joinChunks(text: string): string | null {
  const parts: string[] = [];
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return null;
    if (size === 0) return parts.join('');
    parts.push(text.slice(lineEnd + 2, next - 2));
    at = next;
  }
}

/** The value of a header line; the first of several. */
export function headerOf(answer: Answer, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*)$`, 'im').exec(answer.head)?.[1]?.trim();
}

/** A Cookie header of all that an answer sets. */
export function cookiesIn(answer: Answer): string {
  return [...answer.head.matchAll(/^set-cookie: *([^;\r\n]+)/gim)]
    .map(([, pair = '']) => pair)
    .filter((pair) => !pair.endsWith('='))
    .join('; ');
}

/** Refuses an answer that is not as it must be. */
export function expect(answer: Answer, status: number, contains = ''): void {
  if (answer.status === status && (answer.body.includes(contains) || answer.head.includes(contains))) return;
  throw new Error(
    `wrong answer (wanted ${status} ${contains}): ${answer.head.slice(0, 300)}\n${answer.body.slice(0, 300)}`,
  );
}

export const pause = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));

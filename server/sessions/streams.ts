// Open tabs learn of a sign-out at once: server-sent events (WHATWG HTML §9.2), fed by the notification that the deleting
// statement sends. A gap in the feed, or an expiry that nobody announces, is caught by asking the database.

import type { ServerResponse } from 'node:http';
import type { Notifications } from '../db/notify.ts';
import { asSessionId, type SessionId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { Sessions } from './sessions.ts';
import { SESSIONS_CHANNEL } from './store.ts';

// Below the 30 s after which common proxies give up on a silent connection.
const HEARTBEAT_MS = 20_000;
const MOST_STREAMS_PER_SESSION = 50;
const RETRY_MS = 2000;

export type Streams = ReturnType<typeof createStreams>;

/** The event streams that this node holds open. */
export function createStreams(options: { sessions: Sessions; notifications: Notifications; log: Log }) {
  const open = new Map<SessionId, Set<ServerResponse>>();
  options.notifications.listen(SESSIONS_CHANNEL, {
    onMessage: (payload) => end(asSessionId(payload)),
    onGap: () => void check(),
  });
  const timer = setInterval(() => {
    for (const group of open.values()) for (const stream of group) stream.write(':\n\n');
    void check();
  }, HEARTBEAT_MS);
  timer.unref();

  /** Registers a stream; `check` its session after, so that no sign-out in between is missed. */
  function add(sessionId: SessionId, stream: ServerResponse): void {
    const group = open.get(sessionId) ?? new Set();
    const oldest = group.values().next().value;
    if (group.size >= MOST_STREAMS_PER_SESSION && oldest) oldest.end();
    group.add(stream);
    open.set(sessionId, group);
    stream.on('close', () => {
      group.delete(stream);
      if (group.size === 0) open.delete(sessionId);
    });
    // RFC 9112 §9.6: whoever asks nothing more may wait for an answer, but this one has no end; mostly a tab was closed.
    const { socket } = stream.req;
    if (socket.readableEnded) stream.end();
    else socket.once('end', () => stream.end());
    stream.write(`retry: ${RETRY_MS}\n\n`);
  }

  function end(sessionId: SessionId) {
    for (const stream of open.get(sessionId) ?? []) stream.end('event: signed-out\ndata: {}\n\n');
  }

  /** Ends the streams of sessions that are over; of all, or of the one whose stream was just added. */
  async function check(only?: SessionId) {
    const ids = only ? [only] : [...open.keys()];
    if (ids.length === 0) return;
    try {
      for (const id of await options.sessions.findEnded(ids)) end(id);
    } catch (error) {
      options.log.warn({ err: error }, 'open streams could not be checked, will be again');
    }
  }

  /** Ends every stream; the browsers connect again, to another node if this one is going. */
  function close() {
    clearInterval(timer);
    for (const group of open.values()) for (const stream of group) stream.end();
  }

  const count = () => [...open.values()].reduce((sum, group) => sum + group.size, 0);

  return { add, check, close, count };
}

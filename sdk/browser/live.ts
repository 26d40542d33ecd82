// Live sign-out: one EventSource on GET /api/auth/v1/events per browser and origin. The tabs elect its holder with a Web
// Lock and hear the rest over the channel; a tab looks again by itself when it is shown or comes back from the cache.

import { askedAt, closeChannel, hasListeners, known, openChannel, refresh, watch } from './browser_state.ts';
import { api, backoffMs } from './rules.ts';

/** A tab that is looked at again asks at most this often. */
const visibleRecheckMs = 30_000;

let stopStream: (() => void) | undefined;
let streamOf: number | undefined;
let wasVisible = false;
let isAsleep = false;

/** Opens the stream until the returned function is called; a stream that the server refused is tried again, ever slower. */
function openStream(): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout>;
  let failures = 0;
  const connect = () => {
    let opens = 0;
    source = new EventSource(`${api}/events`);
    source.onopen = () => {
      failures = 0;
      // What happened while the line was down was sent to nobody.
      if (opens++) refresh();
    };
    // The event is only a hint: users/me decides, and the other tabs are told by what it answers.
    source.addEventListener('signed-out', () => refresh());
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      refresh();
      timer = setTimeout(connect, backoffMs(failures++, Math.random()));
    };
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

/** Holds the stream as soon as no other tab does. Without Web Locks every tab holds its own. */
function lead(): () => void {
  const end = new AbortController();
  const { signal } = end;
  const hold = () =>
    new Promise<void>((release) => {
      const close = openStream();
      signal.onabort = () => {
        close();
        release();
      };
    });
  if (!navigator.locks) hold();
  // Rejected because we left the queue, or because the browser refuses locks here (storage blocked).
  else
    navigator.locks.request('causeway', { signal }, hold).catch(() => {
      if (!signal.aborted) hold();
    });
  return () => end.abort();
}

function arrange(): void {
  wasVisible ||= document.visibilityState === 'visible';
  const id = wasVisible && !isAsleep && hasListeners() ? known()?.id : undefined;
  if (id === streamOf) return;
  stopStream?.();
  streamOf = id;
  stopStream = id === undefined ? undefined : lead();
}

/** Lock, stream and channel would keep the page out of the back/forward cache, and a frozen leader would tell nobody. */
function sleep(): void {
  isAsleep = true;
  arrange();
  closeChannel();
}

function wake(): void {
  if (!isAsleep) return;
  isAsleep = false;
  openChannel();
  arrange();
  if (hasListeners()) refresh();
}

/** Starts following; called once. */
export function follow(): void {
  watch(arrange);
  addEventListener('pagehide', sleep);
  addEventListener('pageshow', wake);
  document.addEventListener('freeze', sleep);
  document.addEventListener('resume', wake);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    arrange();
    if (hasListeners() && Date.now() - askedAt() >= visibleRecheckMs) refresh();
  });
}

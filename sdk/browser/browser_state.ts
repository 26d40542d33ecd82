// What this tab knows: the settings, the reader (or null, or not known yet), who wants to hear of it, and the line to the
// other tabs of this origin. Reads GET /api/auth/v1/users/me. Opens nothing until `openChannel` is called.

import type { CausewayError, Settings, User } from './public_types.ts';
import { api, backoffMs, hasParameter, stripParameters } from './rules.ts';

type Watcher = (user: User | null) => void;
type Message = { kind: 'in'; id: number } | { kind: 'out' } | { kind: 'popup' };

/** A proxy that never answers must not leave a page undecided. */
const probeTimeoutMs = 20_000;

export const settings: Settings & { clientId: string } = { clientId: '' };

let current: User | null | undefined;
// Answers may overtake each other: each question has a number, and an answer counts only if no later one was heard.
let asked = 0;
let heard = 0;
let inFlight = 0;
let lastAskedAt = 0;
let failures = 0;
let retryTimer: ReturnType<typeof setTimeout> | undefined;
let channel: BroadcastChannel | undefined;

const listeners = new Set<{ callback: Watcher; told?: string }>();
const watchers = new Set<Watcher>();
const popupWatchers = new Set<() => void>();

/** Takes one of our markers off the address bar, so that shared links stay clean. Says whether it was there. */
export function takeMarker(name: string): boolean {
  const { pathname, search, hash } = location;
  if (!hasParameter(search, name)) return false;
  history.replaceState(history.state, '', pathname + stripParameters(search, [name]) + hash);
  return true;
}

export function known(): User | null | undefined {
  return current;
}

export function hasListeners(): boolean {
  return listeners.size > 0;
}

/** Time of the last question to the server, epoch ms. */
export function askedAt(): number {
  return lastAskedAt;
}

/** For the script's own parts: every answer, changed or not. Returns the function that ends it. */
export function watch(watcher: Watcher): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Calls back when a sign-in popup of this origin has come back. */
export function watchPopup(watcher: () => void): () => void {
  popupWatchers.add(watcher);
  return () => popupWatchers.delete(watcher);
}

function tell(listener: { callback: Watcher; told?: string }): void {
  const state = current;
  const key = JSON.stringify(state);
  if (state === undefined || !listeners.has(listener) || listener.told === key) return;
  listener.told = key;
  try {
    listener.callback(state);
  } catch (error) {
    // One faulty callback must not keep the others from hearing of a sign-out; the page still sees its error.
    setTimeout(() => {
      throw error;
    });
  }
}

function settle(user: User | null, from: 'here' | 'tab'): void {
  const before = current;
  current = user;
  if (from === 'here') {
    if (user && user.id !== before?.id) post({ kind: 'in', id: user.id });
    if (!user && before) post({ kind: 'out' });
  }
  for (const watcher of watchers) watcher(user);
  for (const listener of listeners) tell(listener);
}

/** The server has confirmed a sign-out that this tab asked for. */
export function settleSignedOut(): void {
  heard = ++asked;
  settle(null, 'here');
  post({ kind: 'out' });
}

export function failure(message: string, status: number): CausewayError {
  return Object.assign(new Error(`causeway: ${message}`), { status });
}

/** GET that never waits longer than the limit; rejects with a CausewayError when there is no answer at all. */
export async function get(path: string): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), probeTimeoutMs);
  try {
    return await fetch(api + path, {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { accept: 'application/json' },
      // A sign-out survives the page that asked for it.
      keepalive: true,
      signal: abort.signal,
    });
  } catch {
    throw failure(`${path} gave no answer`, 0);
  } finally {
    clearTimeout(timer);
  }
}

async function ask(): Promise<User | null> {
  const path = '/users/me';
  const response = await get(path);
  if (response.status === 401 || response.status === 403) return null;
  const body = response.status === 200 ? await response.json().catch(() => null) : null;
  if (!body?.user) throw failure(`${path} answered ${response.status} without a user`, response.status);
  return body.user;
}

/** Asks who is signed in and lets everyone know. Rejects when it cannot be known; the known state then stays as it is. */
export async function probe(from: 'here' | 'tab' = 'here'): Promise<User | null> {
  const mine = ++asked;
  lastAskedAt = Date.now();
  inFlight++;
  try {
    const user = await ask();
    failures = 0;
    if (mine < heard) return current ?? null;
    heard = mine;
    settle(user, from);
    return user;
  } catch (error) {
    if (listeners.size) {
      clearTimeout(retryTimer);
      retryTimer = setTimeout(refresh, backoffMs(failures++, Math.random()));
    }
    throw error;
  } finally {
    inFlight--;
  }
}

/** Asks again without a caller to answer to; a failure is tried again later while someone listens. */
export function refresh(from?: 'tab'): void {
  clearTimeout(retryTimer);
  probe(from).catch(() => {});
}

/** Makes the state known if nobody has asked yet: after this task, so that a page's own `me()` is used if it makes one. */
export function start(): void {
  setTimeout(() => {
    if (current === undefined && !inFlight) refresh();
  });
}

export function onChange(callback: Watcher): () => void {
  const listener = { callback };
  listeners.add(listener);
  // Never inside this call: the page does not hold the returned function yet.
  Promise.resolve().then(() => tell(listener));
  start();
  // The stream of sign-outs opens with the first listener.
  if (current !== undefined) for (const watcher of watchers) watcher(current);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) {
      clearTimeout(retryTimer);
      if (current !== undefined) for (const watcher of watchers) watcher(current);
    }
  };
}

/** Tells the other tabs; without BroadcastChannel they find out when they are next looked at. */
export function post(message: Message): void {
  channel?.postMessage(message);
}

function receive(message: Message | null): void {
  if (message?.kind === 'popup') for (const watcher of popupWatchers) watcher();
  if (!listeners.size) return;
  if (message?.kind === 'in' && current?.id !== message.id) refresh('tab');
  if (message?.kind === 'out') {
    if (current === undefined) refresh('tab');
    else {
      heard = ++asked;
      settle(null, 'tab');
    }
  }
}

/** False where there is no BroadcastChannel (old browser, storage refused). */
export function openChannel(): boolean {
  try {
    channel ??= new BroadcastChannel('causeway');
    channel.onmessage = (event) => receive(event.data);
  } catch {}
  return !!channel;
}

/** An open channel keeps some browsers from putting the page into their back/forward cache. */
export function closeChannel(): void {
  clearTimeout(retryTimer);
  channel?.close();
  channel = undefined;
}

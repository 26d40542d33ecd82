// A model of the lease protocol of server/db/lease.ts for one change and one node, explored over every interleaving of its
// steps, lost and late messages, and of time. The change is acknowledged by whoever made it, or, where that one is gone, by another
// who was asked for the same and found it done. The node's rules are not modelled: they are the server's own, lease_state.ts.

import {
  createLeaseState,
  isLive,
  type LeaseState,
  markRead,
  mayKeep,
  noteInvalidation,
  noteRenewal,
} from '../../server/db/lease_state.ts';

/** What makes the protocol safe; the check is run with each of them removed, and must then find a fault. */
export const SAFEGUARDS = [
  'the changer waits for words or for the end of leases',
  'the changer reads the nodes with a share lock',
  'the changer locks rows of leases that have run out, too',
  'whoever finds the change made waits like who made it',
  'a renewal that only made its row is no lease',
  'a renewal looks for invalidations after it has locked its row',
  'a renewal brings what was missed',
  'a lease counts from the moment its renewal was sent',
  'a read that was under way during an invalidation is not kept',
  'memory answers only under a lease',
  'the node counts less than the database',
] as const;
export type Safeguard = (typeof SAFEGUARDS)[number];

const LIFETIME = 2;
const MARGIN = 1;
const END = 3;
const KEY = 'account 1';
const CHANGE = { seq: '1', key: KEY };

type Renewal = {
  step: 'idle' | 'sent' | 'looked' | 'locked' | 'seen' | 'replied';
  sentAt: number;
  rows: boolean;
  /** Whether it found a row; made by itself, nobody else sees it, or its lock, before the commit. */
  hadRow: boolean;
  /** Whether the change was visible to a snapshot that was taken before the lock (only without that safeguard). */
  early: boolean;
  /** What it writes as the end of the lease, seen by others once it commits. */
  expiresAt: number;
  left: number;
};
type Reader = {
  step: 'idle' | 'sent' | 'replied' | 'done';
  isAfter: boolean;
  mark: { epoch: number } | null;
  found: 'old' | 'new' | null;
};
type State = {
  /** True time; the node's clock may be one behind. */
  time: number;
  lag: 0 | 1;
  change: 'before' | 'committed' | 'waiting' | 'acknowledged';
  /** When it was committed, as long as somebody may ask. */
  committedAt: number;
  waitsUntil: number;
  hasRow: boolean;
  expiresAt: number;
  isLocked: boolean;
  announcement: 'none' | 'under-way' | 'gone';
  word: 'none' | 'under-way' | 'heard';
  /** Whether the invalidation can still be new to the node, by its horizon. */
  isBeyondHorizon: boolean;
  renewal: Renewal;
  readers: Reader[];
  memory: 'old' | 'new' | null;
  lease: LeaseState;
};

export type Explored = { states: number; answers: number; fault: string[] | null };

type Step = readonly [name: string, next: State];

const DONE = { step: 'done', isAfter: false, mark: null, found: null } as const;

/** Explores everything that can happen. @returns how many states, and the shortest way to a fault if there is one */
export function explore(options: { without?: Safeguard } = {}): Explored {
  const has = (safeguard: Safeguard) => options.without !== safeguard;
  const firsts = startsFor(options.without).map(initial);
  const cameFrom = new Map<string, { before: string | null; step: string }>(
    firsts.map((first) => [key(first), { before: null, step: '' }]),
  );
  let frontier = firsts;
  let answers = 0;
  while (frontier.length > 0) {
    const next: State[] = [];
    for (const state of frontier) {
      for (const [name, after, fault] of stepsOf(state, has)) {
        if (name.includes('answers')) answers++;
        const id = key(after);
        if (fault) return { states: cameFrom.size, answers, fault: [...wayTo(cameFrom, key(state)), name] };
        if (cameFrom.has(id)) continue;
        cameFrom.set(id, { before: key(state), step: name });
        next.push(after);
      }
    }
    frontier = next;
  }
  return { states: cameFrom.size, answers, fault: null };
}

/** All of them; where a fault is to be found, the one from which the way to it is shortest. */
function startsFor(without: Safeguard | undefined): { hasRow: boolean }[] {
  if (without === undefined) return [{ hasRow: false }, { hasRow: true }];
  return [{ hasRow: without !== 'a renewal that only made its row is no lease' }];
}

/** A node that is new, or one that had a lease some time ago. */
function initial({ hasRow }: { hasRow: boolean }): State {
  const reader = (): Reader => ({ step: 'idle', isAfter: false, mark: null, found: null });
  return {
    time: 0,
    lag: 0,
    change: 'before',
    committedAt: 0,
    waitsUntil: 0,
    hasRow,
    expiresAt: 0,
    isLocked: false,
    announcement: 'none',
    word: 'none',
    isBeyondHorizon: true,
    renewal: { step: 'idle', sentAt: 0, rows: false, hadRow: false, early: false, expiresAt: 0, left: 2 },
    readers: [reader(), reader()],
    memory: null,
    lease: createLeaseState(),
  };
}

type Has = (safeguard: Safeguard) => boolean;
type Outcome = readonly [name: string, next: State, fault?: boolean];

function* stepsOf(state: State, has: Has): Generator<Outcome> {
  yield* timeSteps(state);
  yield* changeSteps(state, has);
  yield* messageSteps(state);
  yield* renewalSteps(state, has);
  for (const index of state.readers.keys()) yield* readerSteps(state, index, has);
}

function* timeSteps(state: State): Generator<Step> {
  if (state.time < END) yield ['time passes', edit(state, (s) => Object.assign(s, { time: s.time + 1 }))];
  // A clock that loses a tick within a lease, as far as the margin allows for.
  if (state.lag === 0 && state.time === 0)
    yield ['time passes, the node counts nothing', edit(state, (s) => Object.assign(s, { time: s.time + 1, lag: 1 }))];
}

function* changeSteps(state: State, has: Has): Generator<Step> {
  switch (state.change) {
    case 'before':
      yield [
        'the change commits',
        edit(state, (s) => Object.assign(s, { change: 'committed', committedAt: s.time, announcement: 'under-way' })),
      ];
      return;
    case 'committed': {
      // A snapshot that is as old as a lease saw it.
      const isLongAgo = state.time - state.committedAt >= LIFETIME;
      const isLeftOut = isLongAgo || !has('whoever finds the change made waits like who made it');
      if (isLeftOut) yield ['another finds the change made, long ago', acknowledged(state)];
      const isSeen =
        state.hasRow &&
        (state.expiresAt > state.time || has('the changer locks rows of leases that have run out, too'));
      const isBlocked = state.isLocked && isSeen && has('the changer reads the nodes with a share lock');
      if (isBlocked) return;
      const until = state.hasRow && has('the changer waits for words or for the end of leases') ? state.expiresAt : 0;
      yield [
        'the changer, or another who finds the change made, reads the nodes',
        edit(state, (s) => Object.assign(s, { change: 'waiting', waitsUntil: until })),
      ];
      return;
    }
    case 'waiting':
      if (state.word === 'heard' || state.time >= state.waitsUntil)
        yield ['the change is acknowledged', acknowledged(state)];
      return;
    case 'acknowledged':
      return;
  }
}

const acknowledged = (state: State) => edit(state, (s) => Object.assign(s, { change: 'acknowledged' }));

function* messageSteps(state: State): Generator<Step> {
  if (state.announcement === 'under-way') {
    yield ['the announcement is lost', edit(state, (s) => Object.assign(s, { announcement: 'gone' }))];
    yield [
      'the node hears the announcement',
      edit(state, (s) => {
        s.announcement = 'gone';
        if (noteInvalidation(s.lease, CHANGE)) s.memory = null;
        if (s.word === 'none') s.word = 'under-way';
      }),
    ];
  }
  if (state.word === 'under-way')
    yield ['the changer hears the word', edit(state, (s) => Object.assign(s, { word: 'heard' }))];
}

function* renewalSteps(state: State, has: Has): Generator<Step> {
  const { renewal } = state;
  switch (renewal.step) {
    case 'idle':
      if (renewal.left > 0)
        yield [
          'the node sends a renewal',
          edit(state, (s) => {
            s.renewal = { ...s.renewal, step: 'sent', sentAt: s.time - s.lag, left: s.renewal.left - 1 };
          }),
        ];
      return;
    case 'sent':
    case 'looked':
      if (renewal.step === 'sent' && !has('a renewal looks for invalidations after it has locked its row')) {
        yield [
          'the renewal takes its snapshot',
          edit(state, (s) => {
            s.renewal = { ...s.renewal, step: 'looked', early: s.change !== 'before' };
          }),
        ];
        return;
      }
      yield [
        'the renewal locks and writes its row',
        edit(state, (s) => {
          s.isLocked = true;
          s.renewal.hadRow = s.hasRow;
          s.renewal.expiresAt = s.time + LIFETIME;
          s.renewal.step = 'locked';
        }),
      ];
      return;
    case 'locked':
      yield [
        'the renewal looks for invalidations',
        edit(state, (s) => {
          const isVisible = has('a renewal looks for invalidations after it has locked its row')
            ? s.change !== 'before'
            : s.renewal.early;
          s.renewal.rows = isVisible && s.isBeyondHorizon && has('a renewal brings what was missed');
          if (isVisible) s.isBeyondHorizon = false;
          s.renewal.step = 'seen';
        }),
      ];
      return;
    case 'seen':
      yield [
        'the renewal commits',
        edit(state, (s) => {
          s.isLocked = false;
          s.hasRow = true;
          s.expiresAt = s.renewal.expiresAt;
          s.renewal.step = 'replied';
        }),
      ];
      return;
    case 'replied':
      yield [
        'the node gets the answer of the renewal',
        edit(state, (s) => {
          const counts = has('a lease counts from the moment its renewal was sent') ? s.renewal.sentAt : s.time - s.lag;
          const lasts = LIFETIME - (has('the node counts less than the database') ? MARGIN : 0);
          const isLease = s.renewal.hadRow || !has('a renewal that only made its row is no lease');
          const lastsMs = isLease ? lasts : null;
          const rows = s.renewal.rows ? [CHANGE] : [];
          if (noteRenewal(s.lease, { sentAt: counts, lastsMs, rows }).length > 0) {
            s.memory = null;
            if (s.word === 'none') s.word = 'under-way';
          }
          s.renewal = { ...s.renewal, step: 'idle', sentAt: 0, rows: false, hadRow: false, early: false, expiresAt: 0 };
        }),
      ];
      return;
  }
}

function* readerSteps(state: State, index: number, has: Has): Generator<Outcome> {
  const reader = state.readers[index];
  if (!reader) return;
  const change = (work: (reader: Reader, s: State) => void) =>
    edit(state, (s) => {
      const mine = s.readers[index];
      if (mine) work(mine, s);
    });
  const name = `reader ${index + 1}`;
  switch (reader.step) {
    case 'idle': {
      // Readers are alike: one begins after the other, which loses no interleaving.
      if (index > 0 && state.readers[index - 1]?.step === 'idle') return;
      const mayUse = isLive(state.lease, state.time - state.lag) || !has('memory answers only under a lease');
      if (state.memory !== null && mayUse) {
        const isStale = state.memory === 'old' && state.change === 'acknowledged';
        yield [`${name} answers from memory: ${state.memory}`, change((r) => Object.assign(r, DONE)), isStale];
        return;
      }
      yield [
        `${name} asks the database`,
        change((r, s) => {
          r.step = 'sent';
          r.isAfter = s.change === 'acknowledged';
          r.mark = markRead(s.lease);
        }),
      ];
      return;
    }
    case 'sent':
      yield [
        `the database answers ${name}`,
        change((r, s) => {
          r.found = s.change === 'before' ? 'old' : 'new';
          r.step = 'replied';
        }),
      ];
      return;
    case 'replied': {
      const isStale = reader.isAfter && reader.found === 'old';
      yield [
        `${name} answers what the database found: ${reader.found}`,
        change((r, s) => {
          const isKept =
            !has('a read that was under way during an invalidation is not kept') ||
            (r.mark !== null && mayKeep(s.lease, r.mark, [KEY]));
          if (isKept) s.memory = r.found;
          Object.assign(r, DONE);
        }),
        isStale,
      ];
      return;
    }
    case 'done':
      return;
  }
}

function edit(state: State, work: (copy: State) => void): State {
  const copy: State = {
    ...state,
    renewal: { ...state.renewal },
    readers: state.readers.map((reader) => ({ ...reader })),
    lease: { ...state.lease, ring: [...state.lease.ring], applied: new Set(state.lease.applied) },
  };
  work(copy);
  return copy;
}

/** A state as a short text, and nothing that makes no difference any more: an end that is past, a word that nobody waits for. */
function key(state: State): string {
  const { time, change, renewal, lease } = state;
  return [
    time,
    state.lag,
    change,
    change === 'committed' && Math.min(time - state.committedAt, LIFETIME),
    change === 'waiting' && Math.max(time, state.waitsUntil),
    state.hasRow,
    Math.max(time, state.expiresAt),
    state.isLocked,
    state.announcement,
    change !== 'acknowledged' && state.word,
    state.isBeyondHorizon,
    ...Object.values(renewal),
    ...state.readers.flatMap(({ step, isAfter, mark, found }) => [
      step,
      isAfter,
      mark && lease.epoch - mark.epoch,
      found,
    ]),
    state.memory,
    Math.max(time - state.lag, lease.validUntil),
    [...lease.applied],
  ].join();
}

function wayTo(cameFrom: Map<string, { before: string | null; step: string }>, last: string): string[] {
  const way: string[] = [];
  for (let at: string | null = last; at !== null; ) {
    const arrival = cameFrom.get(at);
    if (!arrival || arrival.before === null) break;
    way.unshift(arrival.step);
    at = arrival.before;
  }
  return way;
}

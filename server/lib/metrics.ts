// Metrics in Prometheus form (prom-client), shown on the private port alone.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;
type Observed = { observer: Pick<Histogram.Internal<string>, 'observe'>; waiting: number[] };

/** So many observations of a kind are handed over together, which costs less than each by itself. */
const MOST_WAITING = 200;

/** A registry of its own for each server, so that several can live in one process. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'causeway_' });
  const seconds = new Histogram({
    name: 'causeway_request_seconds',
    help: 'Time from request to answer, by route.',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
    collect: () => {
      for (const ofRoute of observed.values()) for (const of of ofRoute.values()) handOver(of);
    },
  });
  const failures = new Counter({
    name: 'causeway_server_errors_total',
    help: 'Answers with status 500, each a fault of ours.',
    registers,
  });

  /** By route and status: of both there are as many as our own code names. */
  const observed = new Map<string, Map<number, Observed>>();

  function observeRequest({ route, status, seconds: taken }: { route: string; status: number; seconds: number }) {
    const of = observedOf(route, status);
    if (of.waiting.push(taken) === MOST_WAITING) handOver(of);
    if (status === 500) failures.inc();
  }

  function observedOf(route: string, status: number): Observed {
    const known = observed.get(route)?.get(status);
    if (known) return known;
    const ofRoute = observed.get(route) ?? new Map<number, Observed>();
    observed.set(route, ofRoute);
    const made = { observer: seconds.labels({ route, status: String(status) }), waiting: [] };
    ofRoute.set(status, made);
    return made;
  }

  function handOver({ observer, waiting }: Observed): void {
    for (const taken of waiting) observer.observe(taken);
    waiting.length = 0;
  }

  function observeDatabase(read: () => { used: number; free: number; waiting: number }) {
    const gauge = new Gauge({
      name: 'causeway_database_connections',
      help: 'Connections to PostgreSQL by state; waiting counts requests that wait for one.',
      labelNames: ['state'],
      registers,
      collect: () => {
        for (const [state, count] of Object.entries(read())) gauge.set({ state }, count);
      },
    });
  }

  function observeHashing(read: () => { waiting: number; running: number }) {
    const gauge = new Gauge({
      name: 'causeway_password_hashes',
      help: 'Passwords being hashed and waiting for it.',
      labelNames: ['state'],
      registers,
      collect: () => {
        for (const [state, count] of Object.entries(read())) gauge.set({ state }, count);
      },
    });
  }

  function observeStreams(read: () => number) {
    const gauge: Gauge = new Gauge({
      name: 'causeway_event_streams',
      help: 'Open event streams.',
      registers,
      collect: () => {
        gauge.set(read());
      },
    });
  }

  new Counter({
    name: 'causeway_session_checks_total',
    help: 'Answers of users/me in front of the general way, which causeway_request_seconds does not count: signed-in or signed-out.',
    labelNames: ['answer'],
    registers,
    // Counted in plain numbers on the way and handed over when somebody looks.
    collect() {
      for (const answer of ['signed-in', 'signed-out'] as const) {
        this.inc({ answer }, answered[answer]);
        answered[answer] = 0;
      }
    },
  });
  const answered = { 'signed-in': 0, 'signed-out': 0 };
  const countSessionCheck = (answer: keyof typeof answered) => void answered[answer]++;

  const messages = new Counter({
    name: 'causeway_messages_total',
    help: 'E-mails and text messages by what became of a try: sent, failed (will be tried again), refused, expired, gave-up.',
    labelNames: ['channel', 'outcome'],
    registers,
  });
  const countMessage = (message: { channel: string; outcome: string }) => messages.inc(message);

  return {
    countMessage,
    countSessionCheck,
    observeRequest,
    observeDatabase,
    observeHashing,
    observeStreams,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

// A service that is down must not cost every reader seconds (reliability R-84): after some failures in a row a node stops
// asking it, and then lets one call through at a time until one succeeds.

const MOST_FAILURES = 5;
const OPEN_MS = 30_000;

export type Breaker = ReturnType<typeof createBreaker>;

/** The circuits of this node, one for each key. @param options now: milliseconds of a clock that only goes forward */
export function createBreaker(options: { now?: () => number } = {}) {
  const now = options.now ?? (() => performance.now());
  const circuits = new Map<string, { failures: number; openUntil: number }>();

  /** Whether a call may be made. While the circuit is open, one may each time the pause has passed. */
  function admit(key: string): boolean {
    const circuit = circuits.get(key);
    if (!circuit || circuit.failures < MOST_FAILURES) return true;
    if (now() < circuit.openUntil) return false;
    circuit.openUntil = now() + OPEN_MS;
    return true;
  }

  function note(key: string, isSuccess: boolean): void {
    if (isSuccess) {
      circuits.delete(key);
      return;
    }
    const failures = (circuits.get(key)?.failures ?? 0) + 1;
    circuits.set(key, { failures, openUntil: now() + OPEN_MS });
  }

  return { admit, note, retryAfterSeconds: OPEN_MS / 1000 };
}

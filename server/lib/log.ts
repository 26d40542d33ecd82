// Structured log lines (pino, JSON, one line each: a line break inside a value is escaped, so nobody can forge a line).
// What may never be logged is redacted by name here and is not handed over in the first place.

import { type Logger, pino } from 'pino';

export type Log = Logger & { readonly destination: Destination };
/** Takes whole lines. What goes here by itself is redacted by nobody: only what is made of harmless values alone may. */
type Destination = { write(line: string): void };

/** Lines wait so long for others to be written with them; all of them are written when the process ends. */
const FLUSH_MS = 100;

const REDACTED = ['password', 'code', 'token', 'secret', 'cookie', 'authorization', 'otp', 'handle'].flatMap((name) => [
  name,
  `*.${name}`,
]);

/**
 * The process's logger.
 * @param options level (pino's names); destination, where lines go (standard output unless given).
 */
export function createLog(options: { level: string; destination?: Destination }): Log {
  const destination = options.destination ?? standardOutput();
  const log = pino(
    {
      level: options.level,
      base: null,
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { err: serialiseError },
    },
    destination,
  );
  return Object.assign(log, { destination });
}

/**
 * Standard output, whose reader may go away: a closed pipe costs log lines, never the server. One for all loggers of the
 * process, so their lines come in the order in which they were written.
 */
function standardOutput() {
  if (output) return output;
  output = pino.destination({ dest: 1, sync: false, minLength: 8192, periodicFlush: FLUSH_MS });
  output.on('error', () => undefined);
  process.stdout.on('error', () => undefined);
  return output;
}
let output: ReturnType<typeof pino.destination> | null = null;

/** What of an error may be logged: PostgreSQL's `detail` names the values that collided, an e-mail address perhaps. */
function serialiseError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    type: name,
    message,
    ...(typeof code === 'string' && { state: code }),
    stack,
    ...(cause !== undefined && { cause: serialiseError(cause) }),
  };
}

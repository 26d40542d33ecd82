// Durations as operators write them (`45s`, `10m`, `12h`, `30d`), in seconds inside.

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds in a duration such as `30d`; null when the text is not one. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(s|m|h|d)$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}

/** The shortest exact spelling of a number of seconds, the inverse of parseDuration. */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (seconds > 0 && seconds % SECONDS[unit] === 0) return `${seconds / SECONDS[unit]}${unit}`;
  }
  return `${seconds}s`;
}

/** `20/15m` as points and seconds; null when it is not a limit. */
export function parseLimit(text: string): { points: number; seconds: number } | null {
  const match = /^(\d{1,7})\/(\w+)$/.exec(text);
  const seconds = match ? parseDuration(match[2] ?? '') : null;
  const points = Number(match?.[1] ?? 0);
  return seconds && points > 0 ? { points, seconds } : null;
}

// What every address has in front of it at which a client proves who it is.

import { AppError } from '../http/errors.ts';
import type { Context } from '../http/route.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';

/** Client authentication behind a limit on failures per address, so that nobody can lock a client out from elsewhere. */
export async function limitFailures<T>(
  ctx: Context,
  rateLimits: RateLimits,
  authenticate: () => Promise<T>,
): Promise<T> {
  const key = `${siteOf(ctx).realm.id}:${addressOf(ctx) ?? 'unknown'}`;
  try {
    return await authenticate();
  } catch (error) {
    const taken = await rateLimits.take([{ policy: 'client-authentication', key, points: 300, seconds: 300 }]);
    if (!taken.isAllowed) throw new AppError('too_many_requests', { retryAfterSeconds: taken.retryAfterSeconds });
    throw error;
  }
}

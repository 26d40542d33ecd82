// Refusals: one class over one table, and the one place that turns anything thrown into an answer.
// Three texts for three readers: `code` for programs, `description` for the developer of the client, `detail` for our log.
// docs/errors.md is generated from the table.

import { DatabaseUnavailable, isUnavailable } from '../db/database.ts';
import type { Log } from '../lib/log.ts';
import type { Context, Middleware } from './route.ts';

/** Every refusal: its status, what a caller may read, and which page a browser is shown. */
export const ERRORS = {
  invalid_request: { status: 400, text: 'The request is malformed.', page: 'bad-request' },
  unauthenticated: {
    status: 401,
    text: 'Not signed in: neither the qt-auth cookie nor the X-QT-AUTH header carries a live session.',
    page: 'forbidden',
  },
  invalid_credentials: {
    status: 401,
    text: 'The e-mail address or user name and the password do not match.',
    page: 'forbidden',
  },
  forbidden: { status: 403, text: 'This request is not allowed from there.', page: 'forbidden' },
  invalid_client: { status: 401, text: 'Client authentication failed.', page: 'forbidden' },
  invalid_grant: {
    status: 400,
    text: 'The code or token is unknown, used, expired or was issued to another client.',
    page: 'bad-request',
  },
  unauthorized_client: { status: 400, text: 'This client may not use this grant.', page: 'bad-request' },
  unsupported_grant_type: { status: 400, text: 'This grant type is not offered.', page: 'bad-request' },
  invalid_scope: { status: 400, text: 'The scope is more than was granted.', page: 'bad-request' },
  invalid_redirect_uri: { status: 400, text: 'A redirect URI may not be registered.', page: 'bad-request' },
  invalid_client_metadata: {
    status: 400,
    text: 'The client metadata is not as it may be registered.',
    page: 'bad-request',
  },
  invalid_token: { status: 401, text: 'The access token is unknown, expired or revoked.', page: 'forbidden' },
  insufficient_scope: { status: 403, text: 'The access token lacks the scope that this needs.', page: 'forbidden' },
  invalid_dpop_proof: { status: 400, text: 'The DPoP proof is not valid.', page: 'bad-request' },
  reauth_required: { status: 403, text: 'Sign in again first: this needs a recent sign-in.', page: 'forbidden' },
  verification_required: {
    status: 403,
    text: 'The e-mail address must be verified first. We have sent a link to it.',
    page: 'forbidden',
  },
  code_wrong: { status: 400, text: 'The code is wrong, used or expired. Ask for a new one.', page: 'bad-request' },
  not_found: { status: 404, text: 'There is nothing at this address.', page: 'not-found' },
  method_not_allowed: { status: 405, text: 'This address does not take that method.', page: 'method-not-allowed' },
  conflict: { status: 409, text: 'This collides with something that exists.', page: 'bad-request' },
  payload_too_large: { status: 413, text: 'The body is too large.', page: 'bad-request' },
  uri_too_long: { status: 414, text: 'The address is too long.', page: 'bad-request' },
  unsupported_media_type: { status: 415, text: 'Send application/json, uncompressed.', page: 'bad-request' },
  unknown_host: { status: 421, text: 'No site is registered under this host.', page: 'unknown-host' },
  headers_too_large: { status: 431, text: 'The headers are too large.', page: 'bad-request' },
  unknown_client: { status: 400, text: 'The client_id is not a client of this host.', page: 'unknown-client' },
  redirect_uri_mismatch: {
    status: 400,
    text: 'The redirect_uri is not one that is registered for this client.',
    page: 'redirect-uri-mismatch',
  },
  untrusted_client: {
    status: 400,
    text: 'The request of a client that registered itself failed; the reader decides whether to go back to it.',
    page: 'untrusted-client',
  },
  callback_not_allowed: {
    status: 400,
    text: 'The callback is not a page of this client.',
    page: 'callback-not-allowed',
  },
  code_invalid: { status: 400, text: 'The authorization code is unknown, used or expired.', page: 'code-invalid' },
  session_token_invalid: {
    status: 401,
    text: 'The session token is unknown, used, expired, or of another app or browser.',
    page: 'code-invalid',
  },
  cookies_refused: {
    status: 400,
    text: 'The browser did not send back the cookie that was set a moment ago.',
    page: 'cookies-refused',
  },
  too_many_requests: { status: 429, text: 'Too many tries. Wait, then try again.', page: 'too-many-requests' },
  server_error: { status: 500, text: 'Something went wrong on our side.', page: 'server-error' },
  not_implemented: { status: 501, text: 'The request is coded in a way that is not read here.', page: 'bad-request' },
  unavailable: { status: 503, text: 'Not available at the moment. Try again shortly.', page: 'unavailable' },
} as const satisfies Record<string, { status: number; text: string; page: string }>;

export type ErrorCode = keyof typeof ERRORS;

export type Refusal = {
  code: ErrorCode;
  status: number;
  /** For the developer of the client: what to change. Never input reflected, never user data. */
  description: string;
  /** For our log alone. */
  detail: Record<string, unknown>;
  headers: Record<string, string>;
  /** For a page: rows that may be shown to whoever asked. */
  rows: readonly { label: string; value: string }[];
  continueUrl: string | null;
};

type Options = Partial<Omit<Refusal, 'code' | 'status'>> & { retryAfterSeconds?: number; cause?: unknown };

/** A refusal on its way to the one catch. */
export class AppError extends Error {
  readonly refusal: Refusal;
  constructor(code: ErrorCode, options: Options = {}) {
    const { status, text } = ERRORS[code];
    super(options.description ?? text, { cause: options.cause });
    const retry =
      options.retryAfterSeconds === undefined
        ? {}
        : { 'Retry-After': String(Math.max(1, Math.ceil(options.retryAfterSeconds))) };
    this.refusal = {
      code,
      status,
      description: options.description ?? text,
      detail: options.detail ?? {},
      headers: { ...options.headers, ...retry },
      rows: options.rows ?? [],
      continueUrl: options.continueUrl ?? null,
    };
  }
}

/** The refusal that an unknown thrown value amounts to. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof AppError) return error.refusal;
  if (error instanceof DatabaseUnavailable || isUnavailable(error))
    return new AppError('unavailable', { retryAfterSeconds: 2 }).refusal;
  // Nobody is there to read the answer any more.
  if (error instanceof Error && error.name === 'AbortError')
    return new AppError('invalid_request', { description: 'The client went away.' }).refusal;
  return new AppError('server_error').refusal;
}

/**
 * Why a signal of clientGone has aborted when the client has only said that it asks nothing more (RFC 9112 §9.6): mostly it is gone
 * too, so that what has not begun is dropped, but it may wait for its answer, so that what has begun goes on.
 */
export const ASKS_NO_MORE = new DOMException('The client asks nothing more.', 'AbortError');

/** A signal that aborts when the client goes away before its answer, so that queued work for it can be dropped. */
export function clientGone(ctx: Context): AbortSignal {
  const controller = new AbortController();
  const { socket } = ctx.req;
  const noteEnd = () => controller.abort(ASKS_NO_MORE);
  const abortIfUnanswered = () => {
    if (!ctx.res.writableFinished) controller.abort();
  };
  // It may have gone already, while we were asking who it is.
  if (ctx.res.closed || socket.destroyed) abortIfUnanswered();
  else {
    socket.once('end', noteEnd);
    ctx.res.once('close', () => {
      socket.off('end', noteEnd);
      abortIfUnanswered();
    });
  }
  return controller.signal;
}

export type PresentRefusal = (ctx: Context, refusal: Refusal) => void;

/**
 * The one catch. Builds the whole answer itself: Koa's own handler would drop `Cache-Control` and every other header
 * that was set before.
 */
export function catchErrors(options: { present: PresentRefusal; log: Log }): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const refusal = logRefusal(options.log, error, { request: ctx.state['requestId'] });
      ctx.status = refusal.status;
      ctx.set(refusal.headers);
      options.present(ctx, refusal);
    }
  };
}

/** Tells the operator of a request that was refused or has failed. @returns what it is refused with */
export function logRefusal(log: Log, error: unknown, request: Record<string, unknown>): Refusal {
  const refusal = toRefusal(error);
  const fields = { ...request, error: refusal.code, detail: refusal.detail };
  if (refusal.code === 'server_error') log.error({ ...fields, err: error }, 'request failed');
  else if (refusal.code === 'unavailable') log.warn({ ...fields, err: error }, 'request refused');
  else log.info(fields, 'request refused');
  return refusal;
}

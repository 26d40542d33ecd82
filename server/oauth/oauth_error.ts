// Refusals of the standard endpoints: the same class as everywhere, restricted to registered codes (RFC 6749 §5.2, RFC 6750
// §3.1, RFC 9449 §5), in the shape of RFC 6749.

import { AppError, type Refusal } from '../http/errors.ts';

type Options = {
  description?: string;
  detail?: Record<string, unknown>;
  headers?: Record<string, string>;
  retryAfterSeconds?: number;
};

export type OAuthCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_dpop_proof';

/** A refusal with a registered OAuth code. */
export function oauthError(code: OAuthCode, options: Options = {}): AppError {
  return new AppError(code, options);
}

const OWN_CODES: readonly string[] = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_redirect_uri',
  'invalid_client_metadata',
  'invalid_token',
  'insufficient_scope',
  'invalid_dpop_proof',
  'server_error',
];

/** The body of a refusal (RFC 6749 §5.2). RFC 6749 §5.2: the description may hold only %x20-21 / %x23-5B / %x5D-7E. */
export function presentOAuthError(refusal: Pick<Refusal, 'code' | 'status' | 'description'>): {
  error: string;
  error_description: string;
} {
  const error = OWN_CODES.includes(refusal.code)
    ? refusal.code
    : refusal.status === 503 || refusal.status === 429
      ? 'temporarily_unavailable'
      : refusal.status === 403
        ? 'access_denied'
        : 'invalid_request';
  return { error, error_description: legalDescription(refusal.description) };
}

/** A description without the characters that RFC 6749 §4.1.2.1 forbids. */
export function legalDescription(text: string): string {
  return text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
}

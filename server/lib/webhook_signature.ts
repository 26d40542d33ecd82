// Signatures of calls that we make, as in Standard Webhooks 1.0: HMAC-SHA256 over id, time and body, so that a receiver knows
// who sent it, that nothing was changed, and that it is not an old one played again.

import { createHmac } from 'node:crypto';

/** The key of a secret: `whsec_` and base64, or the bytes of any other text. */
function keyOf(secret: string): Buffer {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  return encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64');
}

/**
 * Headers of a signed call.
 * @param call id: the same for every try of one message; timestamp: seconds since 1970; body: exactly what is sent
 */
export function signatureHeaders(
  secret: string,
  call: { id: string; timestamp: number; body: string },
): Record<string, string> {
  const mac = createHmac('sha256', keyOf(secret)).update(`${call.id}.${call.timestamp}.${call.body}`).digest('base64');
  return {
    'webhook-id': call.id,
    'webhook-timestamp': String(call.timestamp),
    'webhook-signature': `v1,${mac}`,
  };
}

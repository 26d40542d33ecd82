// Text messages by a webhook of the operator: a signed POST, the same `id` for every try. Who carries them is the operator's
// choice; ten lines behind this address speak to any provider.

import type { GuardedFetch } from '../http/outgoing.ts';
import { signatureHeaders } from '../lib/webhook_signature.ts';
import type { Outcome } from './smtp.ts';

export type TextMessage = { id: string; to: string; text: string; template: string; locale: string; realm: string };
export type TextWebhook = ReturnType<typeof createTextWebhook>;

/** Answers of 4xx that ask for another try (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const LATER = [408, 425, 429];

export function createTextWebhook(options: { url: string; secret: string; fetch: GuardedFetch }) {
  /** One try. Never throws. */
  async function send(message: TextMessage, signal: AbortSignal): Promise<Outcome> {
    const body = JSON.stringify(message);
    const timestamp = Math.floor(Date.now() / 1000);
    try {
      const { status } = await options.fetch(options.url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...signatureHeaders(options.secret, { id: message.id, timestamp, body }),
        },
        body,
        signal,
      });
      if (status >= 200 && status < 300) return { state: 'sent' };
      const isFinal = status >= 400 && status < 500 && !LATER.includes(status);
      return { state: isFinal ? 'refused' : 'failed', status, reason: `HTTP ${status}` };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : null;
      return { state: 'failed', status: null, reason: code ?? (error instanceof Error ? error.name : 'failed') };
    }
  }

  return { send };
}

// E-mail by SMTP (RFC 5321; nodemailer, pooled). Every step has a limit of seconds, a whole try one too, so that a server which
// stalls holds neither a worker nor the lock of its job for long.

import { isLoopbackHost } from '../lib/url.ts';
import type { RenderedMail } from './render.ts';

/** `refused`: never again. `failed`: later perhaps. `status`: what the other side said, null for nothing. */
export type Outcome = { state: 'sent' } | { state: 'refused' | 'failed'; status: number | null; reason: string };

export type Mail = RenderedMail & {
  /** `<…@…>`, the same for every try. */
  messageId: string;
  from: { name: string; address: string };
  to: { name: string; address: string };
  locale: string;
};
export type Smtp = ReturnType<typeof createSmtp>;

const CONNECTIONS = 3;
const STEP_MS = 5000;
const SILENCE_MS = 10_000;
/** Below the 30 s after which another node takes the job (db/outbox.ts). */
const TRY_MS = 20_000;

/** @param url smtp:// or smtps://, as checked by the configuration */
export function createSmtp(url: string) {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const isSecure = protocol === 'smtps:';
  let opened: ReturnType<typeof open> | null = null;

  /** The library is loaded for the first mail. */
  async function open() {
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({
      pool: true,
      host,
      port: Number(port) || (isSecure ? 465 : 587),
      secure: isSecure,
      // RFC 8314: codes and links travel encrypted, unless they stay on this machine or the operator says otherwise.
      requireTLS: !isSecure && !isLoopbackHost(hostname) && searchParams.get('tls') !== 'optional',
      ...(username && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
      tls: { minVersion: 'TLSv1.2' },
      maxConnections: CONNECTIONS,
      maxRequeues: 1,
      connectionTimeout: STEP_MS,
      greetingTimeout: STEP_MS,
      dnsTimeout: STEP_MS,
      socketTimeout: SILENCE_MS,
      idleTimeout: 30_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    // What goes wrong with a message is told to its sender; a listener keeps the rest from ending the process.
    transport.on('error', () => undefined);
    return transport;
  }

  /** One try. Never throws. */
  async function send(mail: Mail, signal: AbortSignal): Promise<Outcome> {
    const { logo } = mail;
    try {
      opened ??= open();
      const transport = await opened;
      await transport.sendMail({
        messageId: mail.messageId,
        from: mail.from,
        to: mail.to,
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        attachments: logo ? [{ ...logo, contentDisposition: 'inline' }] : [],
        // RFC 3834 §5: answering machines stay silent.
        headers: { 'Auto-Submitted': 'auto-generated', 'Content-Language': mail.locale },
        signal: AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)]),
      });
      return { state: 'sent' };
    } catch (error) {
      return judge(error);
    }
  }

  async function close() {
    const transport = await opened;
    transport?.close({ force: true });
  }

  return { send, close };
}

/**
 * RFC 5321 §4.2.1: 5yz is final. Only where it is about this recipient or this message: a sender or password that the server
 * refuses is a matter of the configuration, and the mail waits for it to be put right.
 */
function judge(error: unknown): Outcome {
  const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number };
  const status = responseCode ?? null;
  const isFinal = status !== null && status >= 500 && (command === 'RCPT TO' || command === 'DATA');
  // Neither the server's words nor the message of the error: they repeat the recipient.
  const reason = [code ?? 'failed', command, status].filter(Boolean).join(' ');
  return { state: isFinal ? 'refused' : 'failed', status, reason };
}

/**
 * Where the demo's e-mails and text messages end up: an SMTP server on loopback that takes everything and delivers
 * nothing, and the other end of CAUSEWAY_SMS_WEBHOOK. Kept in the memory of this process, the latest 200.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export type Caught = {
  id: string;
  kind: 'email' | 'text';
  to: string;
  from: string;
  subject: string;
  at: Date;
  /** Plain text of an e-mail, or the whole text message. */
  text: string;
  /** Complete, with its pictures inside; null for a text message. */
  html: string | null;
};
export type MailCatcher = Awaited<ReturnType<typeof startMailCatcher>>;

const MOST_KEPT = 200;
const LONGEST_MAIL = 1_000_000;

/** Starts catching. `smtpUrl` and `webhookSecret` are for the settings of the server. */
export async function startMailCatcher() {
  const caught: Caught[] = [];
  const webhookSecret = `whsec_${randomBytes(24).toString('base64')}`;

  function keep(one: Omit<Caught, 'id' | 'at'>) {
    caught.unshift({ ...one, id: randomBytes(9).toString('base64url'), at: new Date() });
    caught.length = Math.min(caught.length, MOST_KEPT);
  }

  const smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: LONGEST_MAIL,
    closeTimeout: 500,
    onData(stream, session, done) {
      simpleParser(stream).then(
        ({ subject, from, text, html }) => {
          keep({
            kind: 'email',
            to: session.envelope.rcptTo.map(({ address }) => address).join(', '),
            from: from?.text ?? '',
            subject: subject ?? '',
            text: text ?? '',
            html: html || null,
          });
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  smtp.on('error', () => undefined); // a peer that hangs up is its own affair
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  const { port } = smtp.server.address() as AddressInfo;

  /**
   * Takes a call of the webhook. What a receiver of yours has to do, too: check the signature over exactly what came, refuse
   * what is older than five minutes, and treat an id that it knows as done.
   */
  function takeText(headers: IncomingHttpHeaders, body: string): 204 | 400 | 401 {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
      String(headers[name] ?? ''),
    );
    const key = Buffer.from(webhookSecret.slice('whsec_'.length), 'base64');
    const expected = Buffer.from(
      `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
    );
    const given = Buffer.from(signature ?? '');
    const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
    if (!isFresh || given.length !== expected.length || !timingSafeEqual(given, expected)) return 401;
    const { to, text, realm } = JSON.parse(body) as Record<string, unknown>;
    if (typeof to !== 'string' || typeof text !== 'string') return 400;
    keep({ kind: 'text', to, from: String(realm ?? ''), subject: text, text, html: null });
    return 204;
  }

  const close = () => new Promise<void>((resolve) => smtp.close(() => resolve()));

  return { smtpUrl: `smtp://127.0.0.1:${port}`, webhookSecret, caught: caught as readonly Caught[], takeText, close };
}

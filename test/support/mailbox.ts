// A mail server that catches (smtp-server, mailparser): what the server under test sends arrives by real SMTP and can be
// waited for. It can also be down, hang, or refuse.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export type CaughtMail = {
  /** Envelope: whom the message was really handed over for. */
  recipients: readonly string[];
  subject: string;
  text: string;
  html: string;
  /** The first address of ours in the text. */
  link: string | null;
  /** The first run of 6 to 8 digits, or of letters and digits on a line of its own. */
  code: string | null;
  parsed: ParsedMail;
  raw: string;
};
/** `down`: nobody listens; `slow`: takes that long over every message; `hang`: never answers it; a number: answers so to every recipient. */
export type MailboxState = 'up' | 'down' | 'hang' | { slowMs: number } | 450 | 550;

export type Mailbox = Awaited<ReturnType<typeof startMailbox>>;

/** Starts a mailbox on loopback. @param options port: of an earlier one */
export async function startMailbox(options: { port?: number } = {}) {
  const mails: CaughtMail[] = [];
  const watchers = new Set<() => void>();
  let tries = 0;
  let state: MailboxState = 'up';
  let server = make();
  await listen(options.port ?? 0);
  const port = (server.server.address() as AddressInfo).port;

  function make(): SMTPServer {
    const made = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      closeTimeout: 100,
      onRcptTo: (_address, _session, done) => {
        tries++;
        wake();
        if (typeof state !== 'number') return done();
        done(Object.assign(new Error('The mailbox answers so'), { responseCode: state }));
      },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          if (state === 'hang') return;
          const keep = async () => {
            await note(
              Buffer.concat(chunks).toString('utf8'),
              session.envelope.rcptTo.map(({ address }) => address),
            );
            done();
          };
          if (typeof state === 'object') setTimeout(() => void keep(), state.slowMs);
          else void keep();
        });
      },
    });
    made.on('error', () => undefined);
    return made;
  }

  async function listen(at: number) {
    server.listen(at, '127.0.0.1');
    await once(server.server, 'listening');
  }

  async function note(raw: string, recipients: string[]) {
    const parsed = await simpleParser(raw, { keepCidLinks: true });
    const text = parsed.text ?? '';
    mails.push({
      recipients,
      subject: parsed.subject ?? '',
      text,
      html: parsed.html || '',
      link: /https?:\/\/\S+/.exec(text)?.[0] ?? null,
      code: /(?<!\S)\d{6,8}(?!\S)/.exec(text)?.[0] ?? /^[A-Z0-9-]{6,12}$/m.exec(text)?.[0] ?? null,
      parsed,
      raw,
    });
    wake();
  }

  function wake() {
    for (const look of watchers) look();
  }

  /** Resolves once `find` gives something; it is asked whenever a mail arrived or was tried. */
  function until<T>(find: () => T | null | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found == null) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  }

  const to = (address: string): CaughtMail[] => mails.filter(({ recipients }) => recipients.includes(address));
  const taken = new Map<string, number>();

  /** The next mail to an address that `next` has not given yet; waits for it. */
  async function next(address: string): Promise<CaughtMail> {
    const index = taken.get(address) ?? 0;
    taken.set(address, index + 1);
    return until(() => to(address)[index]);
  }

  async function become(wanted: MailboxState) {
    if (wanted === 'down' && state !== 'down') await new Promise<void>((resolve) => server.close(() => resolve()));
    if (wanted !== 'down' && state === 'down') {
      server = make();
      await listen(port);
    }
    state = wanted;
  }

  return {
    /** For the setting SMTP_URL. */
    url: `smtp://127.0.0.1:${port}`,
    port,
    /** Everything that was caught, oldest first. */
    mails,
    to,
    next,
    until,
    /** How often a recipient was named to it, taken or not. */
    tries: () => tries,
    become,
    close: () => become('down'),
  };
}

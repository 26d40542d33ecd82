/**
 * The page of caught mail, `http://mail.localhost:8081`: a list, newest first, and the message that is open. E-mail is
 * foreign text even here: its HTML is shown in a frame without scripts and without an origin.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Eta } from 'eta';
import type { Caught, MailCatcher } from './mail_catcher.ts';

export const MAIL_HOSTNAME = 'mail.localhost';

type Answer = { status: number; headers: Record<string, string>; body: string };

const here = import.meta.dirname;
const eta = new Eta({ views: join(here, 'views'), cache: true });
const LONGEST_TEXT = 65_536;

const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MAIL_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'";

/** Makes the request handler. It answers every request itself and never rejects. */
export function createMailSite({ catcher, log }: { catcher: MailCatcher; log: (line: string) => void }) {
  const files = new Map<string, Answer>([
    ['/mail.css', file('text/css; charset=utf-8', 'mail.css')],
    ['/mail.js', file('text/javascript; charset=utf-8', 'mail.js')],
    ['/mail.svg', file('image/svg+xml', 'mail.svg')],
  ]);

  async function answer(request: IncomingMessage): Promise<Answer> {
    if (request.method === 'POST' && request.url === '/texts') return takeText(request);
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'Only GET is answered here.');
    const target = `http://${MAIL_HOSTNAME}${request.url}`;
    if (!request.url?.startsWith('/') || !URL.canParse(target)) return plain(400, 'That is not an address.');
    const { pathname, searchParams } = new URL(target);
    const served = files.get(pathname);
    if (served) return served;
    const to = searchParams.get('to') || null;
    if (pathname === '/latest') return plain(200, catcher.caught[0]?.id ?? '');
    if (pathname === '/') return page(200, { to, open: null });
    const [, id, part] = /^\/messages\/([\w-]+)(\/html)?$/.exec(pathname) ?? [];
    const open = catcher.caught.find((one) => one.id === id);
    if (part && open?.html) return mailFrame(open.html);
    return open && !part ? page(200, { to, open }) : page(404, { to, open: null, isMissing: true });
  }

  function page(
    status: number,
    { to, open, isMissing = false }: { to: string | null; open: Caught | null; isMissing?: boolean },
  ): Answer {
    const recipients = [...new Set(catcher.caught.map((one) => one.to))].sort();
    const listed = catcher.caught.filter((one) => to === null || one.to === to);
    const shown = open ?? listed[0] ?? null;
    const body = eta.render('mail', {
      to,
      recipients,
      listed,
      isMissing,
      isOpen: open !== null,
      shown: shown && { ...shown, lines: linesOf(shown.text) },
      latest: catcher.caught[0]?.id ?? '',
      time: (at: Date) =>
        at.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }),
      query: to === null ? '' : `?${new URLSearchParams({ to })}`,
    });
    return {
      status,
      headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': PAGE_POLICY },
      body,
    };
  }

  async function takeText(request: IncomingMessage): Promise<Answer> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
      if (body.length > LONGEST_TEXT) return plain(413, 'That is too long for a text message.');
    }
    return plain(catcher.takeText(request.headers, body), '');
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { status, headers, body } = await answer(request).catch((error: unknown) => {
      log(`${MAIL_HOSTNAME}: ${error instanceof Error ? error.stack : error}`);
      return plain(500, 'Something went wrong on our side.');
    });
    response.writeHead(status, { ...secure, ...headers });
    response.end(request.method === 'HEAD' || status === 204 ? undefined : body);
  };
}

const secure = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' };

function plain(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

function file(contentType: string, name: string): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': contentType },
    body: readFileSync(join(here, 'assets', name), 'utf8'),
  };
}

/** The HTML of a mail; its links open in a tab of their own. */
function mailFrame(html: string): Answer {
  const body = html.replace(/<head>/i, '<head><base target="_blank">');
  return {
    status: 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': MAIL_POLICY },
    body,
  };
}

/** Plain text as lines of words and links. */
function linesOf(text: string): { text: string; isLink: boolean }[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(/(https?:\/\/\S+)/).map((part) => ({ text: part, isLink: /^https?:\/\//.test(part) })));
}

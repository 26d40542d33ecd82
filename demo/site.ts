/**
 * One publisher's site: home page, pieces, the members' text, style sheet, script, pictures. Ordinary work of a web
 * server; what touches sign-in is marked "Causeway:" and explained where it stands.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Eta } from 'eta';
import type { Piece, Publication } from './publication.ts';
import { findReader, type Reader, signInLink, signOutLink } from './reader.ts';

export type SiteOptions = {
  publication: Publication;
  /** Public origin of this site, e.g. `http://news.localhost:8081`. All addresses are made from it, never from Host. */
  origin: string;
  sisters: { name: string; origin: string }[];
  causeway: string;
  authOrigin: string;
  log: (line: string) => void;
};

export type Site = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

type Answer = { status: number; headers: Record<string, string>; body: string };

const here = import.meta.dirname;
const eta = new Eta({ views: join(here, 'views'), cache: true });

const contentTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Makes the request handler of one site. It answers every request itself, faults included, and never rejects. */
export function createSite({ publication, origin, sisters, causeway, authOrigin, log }: SiteOptions): Site {
  const files = readFiles(publication);
  const host = new URL(origin).host;
  const secure = securityHeaders(authOrigin);

  async function answer(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'Only GET is answered here.');
    const target = `${origin}${request.url}`;
    if (!request.url?.startsWith('/') || !URL.canParse(target)) return refuse(400, 'That is not an address.');
    const path = new URL(target).pathname;
    const file = files.get(path);
    if (file)
      return request.headers['if-none-match'] === file.headers['ETag'] ? { ...file, status: 304, body: '' } : file;
    // Causeway: the reader is asked for on the server, so that the page is right on first sight and without script.
    const reader = await findReader({ causeway, host, request });
    const [section, slug] = path.split('/').slice(1);
    const piece = publication.pieces.find((each) => each.slug === slug && path === `/${section}/${slug}`);
    if (section === 'members' && piece?.members) return answerMembers(piece.members, reader);
    if (section === publication.section && piece) return answerPage('piece', path, { reader, piece });
    if (path === '/') return answerPage('home', path, { reader });
    return { ...answerPage('missing', '/', { reader }), status: 404 };
  }

  function answerPage(view: string, path: string, data: { reader: Reader | null; piece?: Piece }): Answer {
    const pageUrl = `${origin}${path}`; // without the query, so that `logged_in=false` does not come back for ever
    const links = {
      signIn: signInLink(publication.id, pageUrl),
      signOut: signOutLink(pageUrl),
      // Causeway: password, devices, own data: one page for the readers of all sites, on the auth domain.
      account: `${authOrigin}/account`,
    };
    const body = eta.render(view, { ...data, publication, sisters, links });
    return { status: 200, headers: { ...personal, 'Content-Type': 'text/html; charset=utf-8' }, body };
  }

  return async (request, response) => {
    const { status, headers, body } = await answer(request).catch((error: unknown) => {
      log(`${host}: ${error instanceof Error ? error.stack : error}`);
      return refuse(500, 'Something went wrong on our side.');
    });
    response.writeHead(status, { ...secure, ...headers });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

/** Causeway: a page that greets a reader by name is that reader's alone: no cache may keep it. */
const personal = { 'Cache-Control': 'no-store', Vary: 'Cookie' };

/** The members' text for `site.js`, when a reader signs in while the page is open. The server decides, not the page. */
function answerMembers(members: NonNullable<Piece['members']>, reader: Reader | null): Answer {
  const headers = { ...personal, 'Content-Type': 'application/json; charset=utf-8' };
  if (!reader) return { status: 401, headers, body: JSON.stringify({ message: 'Please sign in first.' }) };
  return { status: 200, headers, body: JSON.stringify({ paragraphs: members.paragraphs }) };
}

function refuse(status: number, text: string): Answer {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
  return { status, headers, body: `${text}\n` };
}

/**
 * Causeway asks for nothing special here: its script is served from this very host, so 'self' is enough.
 * Only do not send `Cross-Origin-Opener-Policy: same-origin`: it would cut the tie to the small sign-in window.
 */
function securityHeaders(authOrigin: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    `form-action 'self' ${authOrigin}`,
  ];
  return {
    'Content-Security-Policy': policy.join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'strict-origin-when-cross-origin',
  };
}

/** Reads what the site serves as it is, once at start: path → answer. */
function readFiles({ id, pieces }: Publication): Map<string, Answer> {
  const read = (name: string) => readFileSync(join(here, 'assets', name), 'utf8');
  const files = new Map([
    ['/site.css', toFile('.css', read('site.css') + read(`${id}.css`))],
    ['/site.js', toFile('.js', read('site.js'))],
    ['/favicon.svg', toFile('.svg', read(`${id}.svg`))],
  ]);
  for (const { slug } of pieces) files.set(`/art/${slug}.svg`, toFile('.svg', read(`art/${slug}.svg`)));
  return files;
}

function toFile(extension: string, body: string): Answer {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`;
  const headers = { 'Content-Type': contentTypes[extension] ?? 'text/plain', 'Cache-Control': 'no-cache', ETag: etag };
  return { status: 200, headers, body };
}

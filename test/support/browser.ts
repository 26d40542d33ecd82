// A browser as the protocol sees it: cookies per host, Fetch Metadata like Chromium's, redirects followed by hand, no page
// script. Requests may alternate between nodes. (Real Chromium is in chromium.ts.)

import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  json(): any;
  location: string | null;
  /** Set-Cookie lines. */
  cookies: string[];
  url: string;
};

export type Ask = {
  method?: string;
  headers?: Record<string, string | string[] | undefined>;
  body?: string;
  cookies?: string | null;
  /** Keeps connections, where the time of one is not to be measured; otherwise each request has its own. */
  agent?: Agent;
};
export type Browser = ReturnType<typeof createBrowser>;

/** Sends one request as it is: no cookies, no Fetch Metadata unless given. `url` names the site; the connection goes to the port. */
export function send(port: number, url: string, ask: Ask = {}): Promise<Answer> {
  const target = new URL(url);
  const headers = Object.fromEntries(
    Object.entries({ Host: target.host, ...ask.headers }).filter(([, value]) => value !== undefined),
  );
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method: ask.method ?? 'GET',
        path: url.slice(url.indexOf('/', 8) < 0 ? url.length : url.indexOf('/', 8)).replace(/#.*$/, '') || '/',
        headers: headers as Record<string, string>,
        setHost: false,
        agent: ask.agent ?? false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text),
            location: response.headers.location ?? null,
            cookies: response.headers['set-cookie'] ?? [],
            url,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(ask.body);
  });
}

/** A browser over one or several nodes, taking turns. */
export function createBrowser(options: { ports: readonly number[]; portOf?: (url: string) => number }) {
  const jars = new Map<string, Map<string, string>>();
  let turn = 0;

  const jarOf = (host: string) => {
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    return jar;
  };
  const cookieHeader = (host: string) => [...jarOf(host)].map(([name, value]) => `${name}=${value}`).join('; ');

  function keep(host: string, lines: readonly string[]) {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      const has = (wanted: RegExp) => attributes.some((attribute) => wanted.test(attribute));
      // Variants for other paths or domains are other cookies.
      if (has(/^domain=/i) || !has(/^path=\/$/i)) continue;
      if (has(/^max-age=0$/i) || value === '') jarOf(host).delete(name);
      else jarOf(host).set(name, value);
    }
  }

  /** One request with this browser's cookies. */
  async function ask(url: string, more: Ask = {}): Promise<Answer> {
    const { host } = new URL(url);
    const cookies = more.cookies === undefined ? cookieHeader(host) : more.cookies;
    const port = options.portOf?.(url) ?? (options.ports[turn++ % options.ports.length] as number);
    const answer = await send(port, url, {
      ...more,
      headers: { ...(cookies ? { Cookie: cookies } : {}), ...more.headers },
    });
    keep(host, answer.cookies);
    return answer;
  }

  /** Opens a page without following redirects. @param from where the click was: none means typed */
  function navigate(url: string, more: Ask & { from?: string } = {}): Promise<Answer> {
    const site =
      more.from === undefined
        ? 'none'
        : new URL(more.from).origin === new URL(url).origin
          ? 'same-origin'
          : 'cross-site';
    const headers = {
      Accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Dest': 'document',
      'Sec-Fetch-Site': site,
      'User-Agent': CHROME,
      ...more.headers,
    };
    return ask(url, { ...more, headers });
  }

  /** Opens a page and follows up to 10 redirects. @returns the last answer and every address on the way */
  async function follow(url: string, more: Ask & { from?: string } = {}): Promise<Answer & { hops: string[] }> {
    const hops = [url];
    let answer = await navigate(url, more);
    while (answer.location && [301, 302, 303, 307, 308].includes(answer.status)) {
      if (hops.length > 10) throw new Error(`redirect loop: ${hops.join(' -> ')}`);
      const next = new URL(answer.location, hops.at(-1)).href;
      // A page of the publisher: not ours to serve.
      if (!next.includes('/api/auth/') && !new URL(next).host.startsWith('auth.'))
        return { ...answer, hops: [...hops, next] };
      answer = await navigate(next, { from: hops.at(-1) as string });
      hops.push(next);
    }
    return { ...answer, hops };
  }

  /** A script of a page of the same origin. */
  function fetch(url: string, more: Ask = {}): Promise<Answer> {
    const { origin } = new URL(url);
    const isWrite = more.method !== undefined && more.method !== 'GET';
    const headers = {
      Accept: '*/*',
      'Sec-Fetch-Mode': 'cors',
      'Sec-Fetch-Dest': 'empty',
      'Sec-Fetch-Site': 'same-origin',
      'User-Agent': CHROME,
      ...(isWrite ? { Origin: origin } : {}),
      ...more.headers,
    };
    return ask(url, { ...more, headers });
  }

  /** POST of a JSON body by a script of the same origin. */
  const post = (url: string, body: unknown, more: Ask = {}) =>
    fetch(url, {
      method: 'POST',
      ...more,
      headers: { 'Content-Type': 'application/json', ...more.headers },
      body: JSON.stringify(body),
    });

  /** Submits the form on a page, its hidden fields included, with values of one's own. */
  function submit(page: Answer, fields: Record<string, string>, more: Ask = {}): Promise<Answer> {
    const action = /<form[^>]*action="([^"]*)"/.exec(page.text)?.[1] ?? '';
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
      (match) => [match[1] as string, unescapeHtml(match[2] as string)] as const,
    );
    const body = new URLSearchParams({ ...Object.fromEntries(hidden), ...fields }).toString();
    const url = new URL(unescapeHtml(action), page.url).href;
    return navigate(url, {
      method: 'POST',
      from: page.url,
      ...more,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'null', ...more.headers },
      body,
    });
  }

  /** Signs in on the hosted page, coming from a site, and ends on the callback. */
  async function signInThrough(
    site: string,
    account: { email: string },
    password: string,
    clientId: string,
    callback = `${site}/`,
  ) {
    const start = authorizeUrl(site, clientId, callback);
    const page = await follow(start, { from: `${site}/` });
    const posted = await submit(page, { identifier: account.email, password });
    if (!posted.location) throw new Error(`sign-in failed: ${posted.status} ${posted.text}`);
    return follow(new URL(posted.location, page.url).href, { from: page.url });
  }

  const me = (site: string, more: Ask = {}) => fetch(`${site}/api/auth/v1/users/me`, more);

  return { jars, jarOf, cookieHeader, ask, navigate, follow, fetch, post, submit, signInThrough, me };
}

/** The address with which a site starts the flow. */
export function authorizeUrl(
  site: string,
  clientId: string,
  callback: string,
  more: Record<string, string> = {},
  path = '/api/auth/v1/oauth/authorize',
): string {
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: `${site}/api/auth/v1/oauth/token`,
    callback_uri: callback,
    response_type: 'code',
    ...more,
  });
  return `${site}${path}?${query}`;
}

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

function unescapeHtml(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

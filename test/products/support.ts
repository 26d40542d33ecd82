// The products as their documents describe them, and nothing beyond: they know what stood in their own forms, send the requests
// that their documents name, and read the fields that their documents list. And the command that registers them.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Command, CommanderError } from 'commander';
import { addClientCommands, addKeyCommands } from '../../server/commands/client_options.ts';
import { createContext, describeFailure, UsageFault } from '../../server/commands/context.ts';
import { type Answer, type Browser, send } from '../support/browser.ts';
import { walk } from '../support/relying_party.ts';
import type { TestServer } from '../support/server.ts';

export type Form = Readonly<Record<string, string>>;
type Json = Record<string, ReturnType<Answer['json']>>;

type Ran = { code: number; stdout: string; stderr: string };

/** Runs `causeway …` as its own program does, in this process and on the database of a running server. */
export async function run(server: TestServer, args: string[]): Promise<Ran> {
  const { config, db, secrets } = server.services;
  const out: string[] = [];
  const err: string[] = [];
  const context = {
    ...createContext({ config, db, secrets: () => secrets }),
    print: (line: string) => void out.push(`${line}\n`),
  };
  const program = new Command('causeway')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void out.push(text), writeErr: (text) => void err.push(text) });
  const inContext: Parameters<typeof addClientCommands>[1] = (work) => work(context);
  addClientCommands(program, inContext);
  addKeyCommands(program, inContext);
  const code = await program.parseAsync(args, { from: 'user' }).then(
    () => 0,
    (error: unknown) => {
      if (error instanceof CommanderError) return 2;
      err.push(describeFailure(error));
      return error instanceof UsageFault ? 2 : 1;
    },
  );
  return { code, stdout: out.join(''), stderr: err.join('') };
}

/** Registers a product by its template; what is printed for its form, by the product's field names. */
export async function addByTemplate(server: TestServer, args: string[]): Promise<{ form: Form; stdout: string }> {
  const { code, stdout, stderr } = await run(server, ['clients', 'add', '--realm', 'test', ...args]);
  if (code !== 0) throw new Error(stderr);
  const lines = (stdout.split(/^Type into .*:\n/m)[1] ?? '').split('\n\n')[0]!.split('\n');
  const form = Object.fromEntries(lines.map((line) => line.trim().split(/ {2,}/)).filter((pair) => pair.length === 2));
  return { form, stdout };
}

const post = (
  server: TestServer,
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  send(server.port, url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });

/** Quiq, "End User OAuth": minimal setup plus the WhoAmI URL. */
export function createQuiq(server: TestServer, form: Form, tenant: string) {
  const redirects = [
    'idp/eu/oauth/callback',
    'web/inbound/abc/oauth/redirect',
    'web/inbound/abc/oauth/abcAuth2Redirect',
  ].map((path) => `https://${tenant}.goquiq.com/${path}`);

  /** An Authentication message is followed by a customer. @returns what Quiq puts into the contact record */
  async function authenticate(
    browser: Browser,
    account: { email: string },
    options: { redirect: string; scope?: string | null },
  ): Promise<Json> {
    const scope = options.scope === undefined ? form['Scope'] : options.scope;
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: form['Client']!,
      redirect_uri: options.redirect,
      ...(scope && { scope }),
    });
    const outcome = await walk(browser, `${form['Authorization URL']}?${query}`, { account });
    if (!outcome.to?.startsWith(options.redirect))
      throw new Error(`Quiq was not reached: ${outcome.pages} ${outcome.last.text}`);
    const token = await post(server, form['Token URL']!, {
      grant_type: 'authorization_code',
      code: outcome.answer!.get('code')!,
      redirect_uri: options.redirect,
      client_id: form['Client']!,
      client_secret: form['Secret']!,
    });
    if (token.status !== 200) throw new Error(token.text);
    const whoAmI = await send(server.port, form['WhoAmI URL']!, {
      headers: { Authorization: `Bearer ${token.json().access_token}` },
    });
    if (whoAmI.status !== 200) throw new Error(whoAmI.text);
    return whoAmI.json();
  }

  return { redirects, authenticate };
}

/** Qualifio's OAuth service: the participant's campaign is in its state; the profile is prefilled from a JWT or a REST call. */
export function createQualifio(server: TestServer, form: Form) {
  const redirect = 'https://player.qualifio.com/oauth/callback';

  async function participate(
    browser: Browser,
    account: { email: string },
    options: { scope?: string; userinfo?: string } = {},
  ): Promise<{ session: string; token: Json; profile: Json }> {
    // A state as services make them: everything in it must come back as it went.
    const state = Buffer.from(
      JSON.stringify({ campaign: 'öäü & =?', session: randomBytes(8).toString('hex') }),
    ).toString('base64');
    const verifier = randomBytes(32).toString('base64url');
    const isPkce = form['Use PKCE'] === 'Yes';
    const challenge = {
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    const query = new URLSearchParams({
      client_id: form['Client Id']!,
      redirect_uri: redirect,
      response_type: 'code',
      scope: options.scope ?? form['Token scope']!,
      state,
      ...(isPkce && challenge),
    });
    const outcome = await walk(browser, `${form['Authorisation endpoint']}?${query}`, { account });
    if (!outcome.to?.startsWith(redirect)) throw new Error(`Qualifio was not reached: ${outcome.last.text}`);
    if (outcome.answer!.get('state') !== state)
      throw new Error('the campaign cannot be found again: another state came back');
    const isBasic = form['Client authentication method'] === 'Client secret sent as basic auth';
    const [id, secret] = [form['Client Id']!, form['Client secret']!];
    const fields = {
      grant_type: 'authorization_code',
      code: outcome.answer!.get('code')!,
      redirect_uri: redirect,
      ...(isPkce && { code_verifier: verifier }),
      ...(!isBasic && { client_id: id, client_secret: secret }),
    };
    const answer = await post(
      server,
      form['Token endpoint']!,
      fields,
      isBasic
        ? {
            Authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
          }
        : {},
    );
    if (answer.status !== 200) throw new Error(answer.text);
    const token = answer.json();
    const read = async () =>
      (
        await send(server.port, options.userinfo!, { headers: { Authorization: `Bearer ${token.access_token}` } })
      ).json();
    const profile =
      options.userinfo === undefined
        ? JSON.parse(Buffer.from(token.access_token.split('.')[1], 'base64url').toString())
        : await read();
    return { session: state, token, profile };
  }

  return { participate };
}

type QuickBloxForm = {
  apiUrl: string;
  requestType: string;
  headers: Record<string, string>;
  params: Record<string, string>;
  response: Record<string, string>;
};

/** QuickBlox's own words for what stands in the Custom Identity Provider box. */
export const readQuickBloxForm = (form: Form): QuickBloxForm => ({
  apiUrl: form['API URL']!,
  requestType: form['Request type']!,
  headers: JSON.parse(form['Request headers']!),
  params: JSON.parse(form['Request params']!),
  response: JSON.parse(form['Response params']!),
});

/** QuickBlox: a session is created with `user[login]` and `user[password]`, which it lets the identity provider verify. */
export function createQuickBlox(server: TestServer, form: QuickBloxForm) {
  const users = new Map<string, Json>();
  const sent: { url: string; headers: Record<string, string>; body: string | null }[] = [];

  async function createSession(user: {
    login?: string;
    password?: string;
    email?: string;
  }): Promise<{ status: number; body: Json }> {
    const fill = (text: string) => text.replace(/#\{(login|password|email)\}/g, (_, name: 'login') => user[name] ?? '');
    const headers = Object.fromEntries(
      Object.entries(form.headers).map(([name, value]) => [name.replaceAll('_', '-'), fill(value)]),
    );
    const params = new URLSearchParams(
      Object.fromEntries(Object.entries(form.params).map(([name, value]) => [name, fill(value)])),
    );
    const isGet = form.requestType === 'GET';
    const url = isGet && params.size > 0 ? `${form.apiUrl}?${params}` : form.apiUrl;
    const body = isGet ? null : params.toString();
    sent.push({ url, headers, body });
    const answer = await send(
      server.port,
      url,
      isGet
        ? { headers }
        : { method: 'POST', headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' }, body: body! },
    );
    // "If identity provider returns an error QuickBlox will resend the error as is to the application."
    if (answer.status !== 200) return { status: answer.status, body: answer.json() };
    const read = (template: string) =>
      /^#\{([\w.]+)\}$/
        .exec(template)?.[1]
        ?.split('.')
        .reduce<Json[string]>((value, key) => value?.[key], answer.json());
    const mapped = Object.fromEntries(
      Object.entries(form.response).map(([field, template]) => [field, read(template)]),
    );
    if (mapped['uid'] == null || mapped['uid'] === '') return { status: 422, body: { errors: ['uid is missing'] } };
    const uid = String(mapped['uid']);
    const isNew = !users.has(uid);
    if (isNew) users.set(uid, { ...mapped, uid });
    return { status: 201, body: { token: `qb-session-${uid}`, user: users.get(uid), isNew } };
  }

  return { createSession, users, sent };
}

/** An older user base with an endpoint of the kind that QuickBlox's document asks for. */
export async function startOlderUserBase(people: Record<string, Json & { password: string }>) {
  const asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const behaviour = { kind: 'answers' as 'answers' | 'hangs' | 'fails' | 'redirects' | 'talks nonsense' };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    asked.push({ method: request.method!, url: request.url!, headers: request.headers, body });
    if (behaviour.kind === 'hangs') return;
    if (behaviour.kind === 'fails') return void response.writeHead(500).end('oops');
    if (behaviour.kind === 'redirects') return void response.writeHead(302, { Location: 'http://localhost:1/' }).end();
    if (behaviour.kind === 'talks nonsense') return void response.writeHead(200).end('<html>');
    const params = new URLSearchParams(request.method === 'GET' ? new URL(request.url!, 'http://x').search : body);
    const login = String(request.headers['idp-user-id'] ?? params.get('IdP_user_ID') ?? '');
    const password = String(request.headers['idp-token'] ?? params.get('IdP_token') ?? '');
    const { password: right, ...person } = people[login] ?? { password: null };
    if (right === null || right !== password)
      return void response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"error":"no"}');
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ user: person }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((done) => server.close(() => done()));
  };
  return { origin, asked, behaviour, close };
}

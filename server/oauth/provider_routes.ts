// The front channel of the standard provider on the auth domain: authorize (GET, POST) and consent; token_routes.ts has the
// back channel. Decisions are made in authorization_decision.ts; here they become redirects, forms and pages.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { type Client, type Clients, matchRedirectUri, redirectHost, schemeSources } from '../clients/clients.ts';
import { readForm, readRawForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Keys } from '../keys/keys.ts';
import type { RedirectUri } from '../lib/ids.ts';
import type { Login } from '../login/login.ts';
import { addressOf, noteBrandOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Decision, OidcFacts } from './authorization.ts';
import { decideAuthorization } from './authorization_decision.ts';
import { type Arrived, type Carried, createCarrier } from './carried_request.ts';
import { legalDescription } from './oauth_error.ts';
import type { Provider as ProviderService } from './provider.ts';
import { AUTHORIZE_PARAMETERS, type AuthorizeParameters } from './provider_request.ts';
import { decideConsent, factsOf, hasInteracted } from './reader_facts.ts';

const AUTHORIZE = '/oauth/authorize';
const CONSENT = '/oauth/consent';
const LONGEST_CARRIED = 6000;
/** Where a reader is sent first. */
const PROMPT_PAGES = { login: '/login', create: '/signup', 'second-factor': '/login/second-factor' } as const;
const consentForm = z.object({
  csrf_token: z.string().max(200).default(''),
  carried: z.string().max(LONGEST_CARRIED).default(''),
  answer: z.enum(['allow', 'deny']),
});

export function providerRoutes(options: {
  provider: ProviderService;
  clients: Clients;
  login: Login;
  reader: Reader;
  keys: Keys;
  pages: SitePages;
  secrets: readonly string[];
}) {
  const { provider, clients, login, reader, keys, pages } = options;
  const { seal, open: openCarried } = createCarrier(options.secrets);

  async function authorize(ctx: Context) {
    const { carried } = readQuery(ctx, ['carried']);
    const opened = carried === undefined ? null : await openCarried(carried);
    // A request that comes back from sign-in or consent is the sealed one, whatever else the address says.
    if (opened) return proceed(ctx, opened);
    const parameters = readQuery(ctx, AUTHORIZE_PARAMETERS);
    const pushed = await takePushed(ctx, parameters);
    return proceed(ctx, {
      parameters: pushed ?? parameters,
      isPushed: pushed !== null,
      startedAt: null,
      consentedIn: null,
    });
  }

  /**
   * OpenID Connect Core §3.1.2.1: POST MUST work too. A cross-site form post carries no Lax cookies, so the request is
   * turned into the same one by GET, where the reader's session is seen.
   */
  async function authorizeByPost(ctx: Context) {
    const form = await readRawForm(ctx);
    if (ctx.querystring !== '')
      throw new AppError('invalid_request', {
        description: 'Send the parameters in the body or in the query, not in both.',
      });
    const parameters = Object.fromEntries(
      AUTHORIZE_PARAMETERS.flatMap((name) => (form.get(name) ? [[name, form.get(name) as string]] : [])),
    );
    const url = configuredUrl(`${siteOf(ctx).realm.authOrigin}${AUTHORIZE}`, parameters);
    seeOther(ctx, url);
  }

  async function takePushed(ctx: Context, parameters: AuthorizeParameters): Promise<AuthorizeParameters | null> {
    const { client_id: clientId, request_uri: requestUri } = parameters;
    if (requestUri === undefined || clientId === undefined) return null;
    const client = await clients.find(siteOf(ctx).realm.id, clientId);
    return client ? provider.takePushed(client, requestUri) : null;
  }

  async function proceed(ctx: Context, carried: Arrived): Promise<void> {
    const { realm } = siteOf(ctx);
    const { parameters } = carried;
    const client = parameters.client_id === undefined ? null : await clients.find(realm.id, parameters.client_id);
    const signedIn = await reader.find(ctx);
    const facts: OidcFacts = {
      client,
      isPushed: carried.isPushed,
      signedIn: signedIn && factsOf(realm, signedIn),
      // Nobody has signed in since it has arrived.
      startedAt: carried.startedAt ?? Number.POSITIVE_INFINITY,
      consented: signedIn && client ? await provider.consentedScopes(signedIn.account.id, client) : null,
      hasJustConsented: signedIn !== null && carried.consentedIn === signedIn.session.id,
      hint: await readHint(ctx, parameters.id_token_hint),
    };
    await act(ctx, decideAuthorization({ face: 'oidc', parameters }, facts), { carried, client, signedIn });
  }

  /** With the time at which it arrived: every sign-in after it is a fresh one. */
  const stamp = async (arrived: Arrived): Promise<Carried> => ({
    ...arrived,
    startedAt: arrived.startedAt ?? (await provider.now()),
  });

  async function readHint(ctx: Context, hint: string | undefined): Promise<OidcFacts['hint']> {
    if (hint === undefined) return { kind: 'absent' };
    const { realm } = siteOf(ctx);
    // OpenID Connect Core §3.1.2.1: an expired hint is still one.
    const payload = await keys.verify(realm.id, hint, { issuer: realm.authOrigin, typ: 'JWT', mayBeExpired: true });
    return typeof payload?.sub === 'string' ? { kind: 'sub', sub: payload.sub } : { kind: 'invalid' };
  }

  async function act(
    ctx: Context,
    decision: Decision<'oidc'>,
    on: { carried: Arrived; client: Client | null; signedIn: SignedIn | null },
  ): Promise<void> {
    const { parameters } = on.carried;
    switch (decision.kind) {
      case 'refuse-here':
        throw new AppError(decision.code, {
          description: decision.description,
          rows: decision.sent === undefined ? [] : [{ label: 'Sent', value: decision.sent.slice(0, 500) }],
          detail: {
            client: parameters.client_id ?? null,
            sent: decision.sent ?? null,
            registered: on.client?.redirectUris ?? [],
          },
        });
      case 'refuse-there':
        if (on.client?.protocol.is_dynamic && !hasInteracted(on)) throw leaveToReader(ctx, decision, parameters);
        return respond(ctx, decision.to, parameters, {
          error: decision.error,
          error_description: legalDescription(decision.description),
        });
      case 'login':
        return askToSignIn(ctx, on.carried, on.client as Client, decision);
      case 'step-up':
        return askToSignIn(ctx, on.carried, on.client as Client, { why: 'acr', prompt: 'second-factor' });
      case 'consent':
        return seeOther(
          ctx,
          `${CONSENT}?carried=${encodeURIComponent(await seal(await stamp(on.carried)))}` as OwnPath,
        );
      case 'issue': {
        const code = await provider.issueCode(on.signedIn as SignedIn, decision.draft);
        if (code === null)
          return askToSignIn(ctx, on.carried, decision.draft.client, { prompt: 'login', why: 'not-signed-in' });
        return respond(ctx, decision.draft.redirectUri, parameters, { code });
      }
      default:
        return decision satisfies never;
    }
  }

  /**
   * RFC 9700 §4.11.2: for a client that nobody vouches for, a link to us must not become a redirect to it before the reader
   * has done anything; the reader sees where the link leads.
   */
  function leaveToReader(
    ctx: Context,
    refused: Extract<Decision<'oidc'>, { kind: 'refuse-there' }>,
    parameters: AuthorizeParameters,
  ): AppError {
    const fields = {
      error: refused.error,
      error_description: legalDescription(refused.description),
      ...(parameters.state !== undefined && { state: parameters.state }),
      iss: siteOf(ctx).realm.authOrigin,
    };
    return new AppError('untrusted_client', {
      rows: [
        { label: 'Site', value: new URL(refused.to).host },
        { label: 'Error', value: refused.error },
      ],
      continueUrl: configuredUrl(refused.to, fields),
      detail: { client: parameters.client_id ?? null, error: refused.error },
    });
  }

  /** The answer to the client. RFC 9207 §2: it MUST name the issuer, in errors too. */
  function respond(
    ctx: Context,
    to: RedirectUri,
    parameters: AuthorizeParameters,
    answer: Record<string, string>,
  ): void {
    const fields = {
      ...answer,
      ...(parameters.state !== undefined && { state: parameters.state }),
      iss: siteOf(ctx).realm.authOrigin,
    };
    if (parameters.response_mode !== 'form_post') {
      seeOther(ctx, configuredUrl(to, fields));
      return;
    }
    // OAuth 2.0 Form Post Response Mode §2.
    pages.render(ctx, {
      view: 'oauth/form_post',
      data: { action: to, fields: Object.entries(fields).map(([name, value]) => ({ name, value })) },
      formTargets: schemeSources([to]),
      // It goes on by itself: nobody stays to choose a language.
      here: null,
    });
  }

  async function askToSignIn(
    ctx: Context,
    arrived: Arrived,
    client: Client,
    need: { prompt: keyof typeof PROMPT_PAGES; why: Extract<Decision<'oidc'>, { kind: 'login' }>['why'] },
  ): Promise<void> {
    const { realm, domain } = siteOf(ctx);
    const carried = await stamp(arrived);
    const { parameters } = carried;
    const handle = await login.makeReturn(domain.host, {
      path: `${AUTHORIZE}?carried=${encodeURIComponent(await seal(carried))}` as OwnPath,
      client: { id: client.clientId, name: client.name, host: redirectHost(client) },
      targets: schemeSources(client.redirectUris),
      since: need.why === 'not-signed-in' ? 0 : carried.startedAt,
    });
    seeOther(
      ctx,
      configuredUrl(`${realm.authOrigin}${PROMPT_PAGES[need.prompt]}`, {
        request_handle: handle,
        login_hint: parameters.login_hint ?? null,
        ui_locales: parameters.ui_locales ?? null,
      }),
    );
  }

  async function showConsent(ctx: Context) {
    const { carried } = readQuery(ctx, ['carried']);
    const { opened, client, signedIn } = await requireConsentable(ctx, carried);
    if (!signedIn) return seeOther(ctx, `${AUTHORIZE}?carried=${encodeURIComponent(carried ?? '')}` as OwnPath);
    const decision = decideConsent(siteOf(ctx).realm, { client, signedIn, opened });
    if (decision.kind !== 'consent')
      return seeOther(ctx, `${AUTHORIZE}?carried=${encodeURIComponent(carried ?? '')}` as OwnPath);
    noteBrandOf(ctx, client);
    pages.render(ctx, {
      view: 'oauth/consent',
      formTargets: schemeSources(client.redirectUris),
      uiLocales: opened.parameters.ui_locales ?? null,
      data: {
        clientName: client.name,
        clientHost: redirectHost(client),
        accountName: signedIn.account.name ?? signedIn.account.username ?? signedIn.account.email ?? '',
        scopes: decision.scopes,
        csrfToken: csrfToken(ctx),
        carried: carried ?? '',
      },
    });
  }

  async function answerConsent(ctx: Context) {
    const form = await readForm(ctx, consentForm);
    const { opened, client, redirectUri, signedIn } = await requireConsentable(ctx, form.carried);
    const again = `${CONSENT}?carried=${encodeURIComponent(form.carried)}` as OwnPath;
    if (!hasCsrfToken(ctx, form.csrf_token) || !signedIn) return seeOther(ctx, again);
    if (form.answer === 'deny') {
      return respond(ctx, redirectUri, opened.parameters, {
        error: 'access_denied',
        error_description: 'The reader did not allow it.',
      });
    }
    const decision = decideConsent(siteOf(ctx).realm, { client, signedIn, opened });
    if (decision.kind !== 'consent') return seeOther(ctx, again);
    await provider.consent(signedIn, client, decision.scopes, addressOf(ctx));
    seeOther(
      ctx,
      `${AUTHORIZE}?carried=${encodeURIComponent(await seal({ ...opened, consentedIn: signedIn.session.id }))}` as OwnPath,
    );
  }

  /** The sealed request of the consent page; its client and redirect URI are proven anew. */
  async function requireConsentable(ctx: Context, carried: string | undefined) {
    const opened = await openCarried(carried);
    const client =
      opened?.parameters.client_id === undefined
        ? null
        : await clients.find(siteOf(ctx).realm.id, opened.parameters.client_id);
    const redirectUri = client && matchRedirectUri(client, opened?.parameters.redirect_uri);
    if (!opened || !client || !redirectUri)
      throw new AppError('invalid_request', { description: 'Start again from the site that sent you here.' });
    return { opened, client, redirectUri, signedIn: await reader.find(ctx) };
  }

  const page = { on: 'auth', answers: 'page', effect: 'acts' } as const;
  const free = 'none: writes only for a signed-in reader';
  return routes([
    {
      ...page,
      name: 'oauth.authorize',
      method: 'GET',
      path: '/oauth/authorize',
      limit: free,
      csrf: 'own: codes reach only the proven redirect URI',
      handle: authorize,
    },
    {
      ...page,
      name: 'oauth.authorize_by_post',
      method: 'POST',
      path: '/oauth/authorize',
      limit: 'none: only turned into GET',
      csrf: 'own: becomes the same request by GET',
      handle: authorizeByPost,
    },
    {
      ...page,
      name: 'oauth.show_consent',
      method: 'GET',
      path: '/oauth/consent',
      effect: 'reads',
      limit: free,
      csrf: 'none: reads',
      handle: showConsent,
    },
    {
      ...page,
      name: 'oauth.answer_consent',
      method: 'POST',
      path: '/oauth/consent',
      limit: free,
      csrf: 'form',
      handle: answerConsent,
    },
  ]);
}

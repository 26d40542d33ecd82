// The last checks of an authorization request: whether the reader may have a code at once, or goes somewhere else first. The
// request itself is in order by then, and everything has a draft of the code to be issued.

import { hasParameter, withParameter } from '../lib/url.ts';
import { stepUpNeed } from '../mfa/mfa.ts';
import {
  type Asked,
  type Check,
  type Draft,
  type OidcFacts,
  type Outcome,
  type Proven,
  refuseThere,
} from './authorization.ts';
import { parseMaxAge, parsePrompt } from './provider_request.ts';
import { effectiveScopes } from './scope.ts';

type LoginNeed = Extract<Outcome<'oidc'>, { kind: 'login' }>['why'];

/** The checks of the reader, in order. */
export const READER_CHECKS: readonly Check[] = [
  {
    // A reader who was just told `logged_in=false` is not asked again.
    name: 'silent request was not answered before',
    spec: 'security 19',
    stage: 'reader',
    notes: { session: 'back to the callback as it is' },
    rules: {
      session: ({ request }, { callbackUri }) =>
        request.isSilent && hasParameter(callbackUri, 'logged_in')
          ? { kind: 'back-anonymous', callback: callbackUri }
          : null,
      oidc: null,
    },
  },
  {
    name: 'host is the auth domain',
    spec: 'security 15',
    stage: 'reader',
    notes: { session: 'from a client domain on to the auth domain' },
    rules: {
      session: ({ facts }, draft) => (facts.role === 'client' ? { kind: 'next-hop', draft } : null),
      oidc: null,
    },
  },
  {
    name: 'reader is signed in',
    spec: 'OpenID Connect Core §3.1.2.3',
    stage: 'reader',
    notes: {
      session: 'to the sign-in page; a silent request back to the callback with logged_in=false',
      oidc: 'to the sign-in page; with prompt=none `login_required`',
    },
    rules: {
      session: ({ request, facts }, draft) => {
        if (facts.isSignedIn) return null;
        return request.isSilent
          ? { kind: 'back-anonymous', callback: withParameter(draft.callbackUri, 'logged_in', 'false') }
          : { kind: 'login', draft };
      },
      oidc: (asked, draft) => (asked.facts.signedIn ? null : askToSignIn(asked, draft, 'not-signed-in')),
    },
  },
  {
    name: 'sign-in is as fresh as prompt and max_age ask',
    spec: 'OpenID Connect Core §3.1.2.1',
    stage: 'reader',
    notes: { oidc: 'to the sign-in page; with prompt=none `login_required`' },
    rules: {
      session: null,
      oidc: (asked, draft) => {
        const { parameters } = asked.request;
        if (isFresh(asked.facts)) return null;
        const prompts = promptsOf(asked);
        if (prompts.includes('login') || prompts.includes('select_account') || prompts.includes('create'))
          return askToSignIn(asked, draft, 'prompt');
        const maxAge = parseMaxAge(parameters.max_age);
        // OpenID Connect Core §3.1.2.1: older than max_age, the reader MUST be actively re-authenticated.
        return typeof maxAge === 'number' && (asked.facts.signedIn?.ageSeconds ?? 0) > maxAge
          ? askToSignIn(asked, draft, 'max-age')
          : null;
      },
    },
  },
  {
    name: 'reader is the one whom the hint names',
    spec: 'OpenID Connect Core §3.1.2.1',
    stage: 'reader',
    notes: { oidc: 'to the sign-in page; after a fresh sign-in, or with prompt=none, `login_required`' },
    rules: {
      session: null,
      oidc: (asked, draft) => {
        const { hint, signedIn } = asked.facts;
        if (hint.kind !== 'sub' || hint.sub === signedIn?.sub) return null;
        // Signed in anew, and still somebody else than the hint names: asking again would go round in circles.
        return isFresh(asked.facts)
          ? refuseThere(draft, 'login_required', 'Another reader signed in than the id_token_hint names.')
          : askToSignIn(asked, draft, 'other-account');
      },
    },
  },
  {
    name: 'authentication context is the one that was asked for',
    spec: 'OpenID Connect Core §5.5.1.1',
    stage: 'reader',
    notes: {
      oidc: 'to the page of the second factor; what cannot be met, or not silently, is `unmet_authentication_requirements` where it is essential',
    },
    rules: { session: null, oidc: checkContext },
  },
  {
    name: 'reader has allowed the scopes',
    spec: 'OpenID Connect Core §3.1.2.4',
    stage: 'reader',
    notes: { oidc: 'to the consent page; with prompt=none `consent_required`' },
    rules: {
      session: null,
      oidc: (asked, draft) => {
        const scopes = requestedScopes(asked, draft);
        if (!needsConsent(asked, draft, scopes)) return null;
        return isSilent(asked)
          ? refuseThere(draft, 'consent_required', 'The reader has to allow this.')
          : { kind: 'consent', scopes };
      },
    },
  },
];

/** The scopes that a code is issued for. */
export function grantedScopes(asked: Asked<'oidc'>, proven: Proven): string[] {
  const { hasJustConsented, consented } = asked.facts;
  // OpenID Connect Core §11: offline access without a consent given for it is ignored.
  const isOfflineAllowed =
    hasJustConsented || (consented ?? []).includes('offline_access') || proven.client.protocol.consent === 'implied';
  return requestedScopes(asked, proven).filter((scope) => scope !== 'offline_access' || isOfflineAllowed);
}

/** OpenID Connect Core §5.5.1.1: an essential acr that cannot be met is a failed authentication; a lower one is never given for it. */
function checkContext(asked: Asked<'oidc'>, draft: Draft<'oidc'>): Outcome<'oidc'> | null {
  const { signedIn } = asked.facts;
  const { essentialAcr } = draft.claims;
  const acrValues = (asked.request.parameters.acr_values ?? '').split(' ').filter(Boolean);
  const need = signedIn && stepUpNeed({ acrValues, essentialAcr }, signedIn.acr);
  if (!need || !signedIn) return null;
  const isStuck = need === 'unmet' || signedIn.stepUp === 'impossible';
  if (essentialAcr && (isStuck || isSilent(asked)))
    return refuseThere(
      draft,
      'unmet_authentication_requirements',
      'The requested authentication context is not available.',
    );
  // A wish that this realm cannot grant is no reason to refuse; the acr of the token tells.
  if (isStuck) return null;
  if (isSilent(asked)) return refuseThere(draft, 'interaction_required', 'The reader has to prove a second factor.');
  return signedIn.stepUp === 'possible' ? { kind: 'step-up' } : askToSignIn(asked, draft, 'acr');
}

const requestedScopes = ({ request }: Asked<'oidc'>, { client }: Proven): string[] =>
  effectiveScopes(request.parameters.scope, client.protocol);
const promptsOf = ({ request }: Asked<'oidc'>) => parsePrompt(request.parameters.prompt) ?? [];
const isSilent = (asked: Asked<'oidc'>): boolean => promptsOf(asked).includes('none');

function isFresh({ signedIn, startedAt }: OidcFacts): boolean {
  return signedIn !== null && signedIn.authenticatedAt > startedAt;
}

function askToSignIn(asked: Asked<'oidc'>, draft: Draft<'oidc'>, why: LoginNeed): Outcome<'oidc'> {
  if (isSilent(asked)) return refuseThere(draft, 'login_required', 'The reader has to sign in.');
  return { kind: 'login', why, prompt: promptsOf(asked).includes('create') ? 'create' : 'login' };
}

function needsConsent(asked: Asked<'oidc'>, { client }: Proven, scopes: readonly string[]): boolean {
  const { consented, hasJustConsented } = asked.facts;
  if (hasJustConsented) return false;
  if (promptsOf(asked).includes('consent')) return true;
  if (client.protocol.consent === 'implied') return false;
  if (consented === null) return true;
  return scopes.some((scope) => scope !== 'offline_access' && !consented.includes(scope));
}

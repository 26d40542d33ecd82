// What an authorization decision asks of a reader who is signed in.

import type { SignedIn } from '../accounts/accounts.ts';
import type { Client } from '../clients/clients.ts';
import { acrOf } from '../mfa/mfa.ts';
import { type Realm, settingSeconds } from '../realms/realms.ts';
import type { Decision, OidcFacts } from './authorization.ts';
import { decideAuthorization } from './authorization_decision.ts';
import type { Arrived, Carried } from './carried_request.ts';

/** The facts of a session: its age, what it is worth, and whether it can be raised here. */
export function factsOf({ settings }: Realm, { account, session }: SignedIn): NonNullable<OidcFacts['signedIn']> {
  const isPossible = account.isTfaEnabled || settings.second_factor !== 'off';
  const isRecent = session.ageSeconds <= settingSeconds(settings.reauth_window);
  return {
    sub: account.sub,
    ageSeconds: session.ageSeconds,
    authenticatedAt: session.authenticatedAt.getTime(),
    acr: acrOf(session.amr),
    stepUp: !isPossible ? 'impossible' : isRecent ? 'possible' : 'after-sign-in',
  };
}

/** Whether the reader did something in the course of this very request: signed in, or answered the consent page. */
export function hasInteracted({ carried, signedIn }: { carried: Arrived; signedIn: SignedIn | null }): boolean {
  return (
    carried.consentedIn !== null ||
    (signedIn !== null && carried.startedAt !== null && signedIn.session.authenticatedAt.getTime() > carried.startedAt)
  );
}

/** Whether the carried request, from a reader who is signed in well enough for it, still waits for an answer. */
export const decideConsent = (
  realm: Realm,
  on: { client: Client; signedIn: SignedIn; opened: Carried },
): Decision<'oidc'> =>
  decideAuthorization(
    { face: 'oidc', parameters: on.opened.parameters },
    {
      client: on.client,
      isPushed: on.opened.isPushed,
      signedIn: {
        ...factsOf(realm, on.signedIn),
        ageSeconds: 0,
        authenticatedAt: on.opened.startedAt + 1,
      },
      startedAt: on.opened.startedAt,
      consented: null,
      hasJustConsented: false,
      hint: { kind: 'absent' },
    },
  );

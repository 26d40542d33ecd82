// An authorization request on its way through sign-in and consent: sealed, so that nothing in it can be changed, and without
// expiry, because everything in it is checked again when it comes back.

import type { SessionId } from '../lib/ids.ts';
import { createSealer } from '../lib/seal.ts';
import type { AuthorizeParameters } from './provider_request.ts';

/** A request on its way through sign-in and consent, as it is sealed. */
export type Carried = {
  parameters: AuthorizeParameters;
  isPushed: boolean;
  /** When it arrived, by the database's clock: opened in another browser, an older sign-in there is not taken for a fresh one. */
  startedAt: number;
  /** Session in which the consent page was answered with yes: worth nothing in anybody else's browser. */
  consentedIn: SessionId | null;
};

/** A request that may just have arrived: when it did is asked for when it is sent on its way. */
export type Arrived = Omit<Carried, 'startedAt'> & { startedAt: number | null };

/** Seals and opens such requests. @param secrets newest first */
export function createCarrier(secrets: readonly string[]) {
  const sealer = createSealer({ secrets, purpose: 'authorization-request' });

  const seal = (carried: Carried): Promise<string> => sealer.seal({ r: carried }, null);

  /** The request in a sealed value; null when it is not ours. */
  async function open(text: string | undefined): Promise<Carried | null> {
    const payload = await sealer.open(text);
    return (payload?.['r'] as Carried | undefined) ?? null;
  }

  return { seal, open };
}

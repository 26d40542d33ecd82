// What an authenticator sent, checked (WebAuthn L3 §7.1, §7.2): @simplewebauthn/server does the protocol, the rest is what it
// leaves to its caller. Pure but for the signature; says nothing of why, which is for nobody outside to know. The library is loaded
// at the first ceremony: it and its parsers of certificates take 6 MB, which a node without passkeys does not need.

import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import type { AttestationObject, ClientDataJSON } from '@simplewebauthn/server/helpers';
import { z } from 'zod';
import type { PasskeyDraft, StoredPasskey } from './passkey_store.ts';

/** What is offered, and so what is accepted: EdDSA, ES256, RS256, by their numbers (RFC 9053 §2.1, §2.2; RFC 8812 §2). */
export const ALGORITHMS: readonly number[] = [-8, -7, -257];
const TRANSPORTS: readonly AuthenticatorTransport[] = ['ble', 'hybrid', 'internal', 'nfc', 'usb'];

const encoded = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[A-Za-z0-9_-]+$/);
const credential = {
  // WebAuthn L3 §4: a credential id has at most 1,023 bytes.
  id: encoded(1364),
  rawId: encoded(1364),
  type: z.literal('public-key'),
};
const assertionSchema = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: encoded(8000),
    authenticatorData: encoded(8000),
    signature: encoded(4000),
    userHandle: encoded(90).nullish(),
  }),
});
const attestationSchema = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: encoded(8000),
    attestationObject: encoded(16_000),
    transports: z.array(z.string().max(40)).max(20).optional(),
  }),
});

/** Which ceremony an answer has to belong to. */
export type Expected = { challenge: string; origin: string; rpId: string; isVerificationRequired: boolean };
export type Assertion = z.infer<typeof assertionSchema>;
export type Attested = Omit<PasskeyDraft, 'accountId' | 'name'> & { isUserVerified: boolean };
export type Asserted = { signCount: number; isBackedUp: boolean; isUserVerified: boolean };

/** The credential id and user handle that an answer names; null when it has not the shape of one. */
export function parseAssertion(value: unknown): Assertion | null {
  return assertionSchema.safeParse(value).data ?? null;
}

/** Whether an assertion is one of that passkey, in that ceremony; the counter is left to the statement that moves it on. */
export async function checkAssertion(
  assertion: Assertion,
  passkey: StoredPasskey,
  expected: Expected,
): Promise<Asserted | null> {
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
  const { decodeClientDataJSON } = await import('@simplewebauthn/server/helpers');
  return refusingWhatThrows(async () => {
    const { userHandle, ...response } = assertion.response;
    const json: AuthenticationResponseJSON = {
      ...assertion,
      response: { ...response, ...(userHandle && { userHandle }) },
      clientExtensionResults: {},
    };
    const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
      response: json,
      expectedChallenge: expected.challenge,
      expectedOrigin: expected.origin,
      expectedRPID: expected.rpId,
      expectedType: 'webauthn.get',
      requireUserVerification: expected.isVerificationRequired,
      credential: { id: passkey.credentialId, publicKey: new Uint8Array(passkey.publicKey), counter: 0 },
    });
    // WebAuthn L3 §7.2 step 19: whether a key may be copied was settled when it was made.
    const isBackupEligible = info.credentialDeviceType === 'multiDevice';
    if (
      !verified ||
      isFramed(decodeClientDataJSON(response.clientDataJSON)) ||
      isBackupEligible !== passkey.isBackupEligible
    )
      return null;
    return {
      signCount: info.newCounter,
      isBackedUp: info.credentialBackedUp,
      isUserVerified: info.userVerified,
    };
  });
}

/** The passkey that an answer brings, in that ceremony. */
export async function checkAttestation(value: unknown, expected: Expected): Promise<Attested | null> {
  const parsed = attestationSchema.safeParse(value).data;
  if (!parsed) return null;
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
  const helpers = await import('@simplewebauthn/server/helpers');
  return refusingWhatThrows(async () => {
    const { attestationObject, clientDataJSON } = parsed.response;
    const attested = helpers.decodeAttestationObject(helpers.isoBase64URL.toBuffer(attestationObject));
    if (!isUnattested(attested) || isFramed(helpers.decodeClientDataJSON(clientDataJSON))) return null;
    const transports = TRANSPORTS.filter((one) => parsed.response.transports?.includes(one));
    const json: RegistrationResponseJSON = {
      ...parsed,
      response: { ...parsed.response, transports },
      clientExtensionResults: {},
    };
    const { verified, registrationInfo: info } = await verifyRegistrationResponse({
      response: json,
      expectedChallenge: expected.challenge,
      expectedOrigin: expected.origin,
      expectedRPID: expected.rpId,
      expectedType: 'webauthn.create',
      requireUserVerification: expected.isVerificationRequired,
      supportedAlgorithmIDs: [...ALGORITHMS],
    });
    if (!verified || info.credential.id !== parsed.id) return null;
    return {
      credentialId: info.credential.id,
      publicKey: info.credential.publicKey,
      signCount: info.credential.counter,
      transports,
      isBackupEligible: info.credentialDeviceType === 'multiDevice',
      isBackedUp: info.credentialBackedUp,
      aaguid: info.aaguid,
      isUserVerified: info.userVerified,
    };
  });
}

/**
 * WebAuthn L3 §5.4.7: we ask for no attestation, so browsers send none, or one that the key made itself. Any other would have
 * the library fetch revocation lists from addresses that stand in the sender's certificate (security 173).
 */
function isUnattested(decoded: AttestationObject): boolean {
  const statement = decoded.get('attStmt');
  return decoded.get('fmt') === 'none' || (decoded.get('fmt') === 'packed' && statement.get('x5c') === undefined);
}

/** WebAuthn L3 §7.1 step 10, §7.2 step 13: none of our pages runs a ceremony in a frame of another site. */
const isFramed = (clientData: ClientDataJSON): boolean => clientData.crossOrigin === true;

/** The library throws whatever its parsers throw; all of it means that the answer is not one. */
async function refusingWhatThrows<T>(work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await work();
  } catch {
    return null;
  }
}

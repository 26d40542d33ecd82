// Time-based one-time passwords (RFC 6238 by otpauth): SHA-1, 6 digits, 30 s, as every authenticator app reads them. The
// library computes; which step a code belongs to and whether it counts once more is decided here and in the store.

import { Secret, TOTP } from 'otpauth';

const PERIOD_SECONDS = 30;
/** RFC 6238 §5.2: one step of delay either way. */
const WINDOW = 1;
/** RFC 4226 §4 R6: 160 bits are recommended. */
const SECRET_BYTES = 20;

/** What an authenticator app needs: for the camera, for a tap on a phone, for the hands. */
export type Enrolment = { secret: string; uri: string; qrCode: string };

/** A new secret, base32. */
export function createSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/**
 * The time step that a code belongs to; null when it is not a code of now or of one step beside.
 * @param nowSeconds the database's time, so that all nodes agree
 */
export function stepOfCode(secret: string, code: string, nowSeconds: number): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const delta = totp(secret).validate({ token: code, timestamp: nowSeconds * 1000, window: WINDOW });
  return delta === null ? null : Math.floor(nowSeconds / PERIOD_SECONDS) + delta;
}

/** Presents a secret for enrolment. @param names issuer: the brand; label: the account, as the app will list them */
export async function presentEnrolment(secret: string, names: { issuer: string; label: string }): Promise<Enrolment> {
  // A colon separates issuer and label in the address, so a name must not bring its own.
  const uri = totp(secret, {
    issuer: names.issuer.replaceAll(':', ' '),
    label: names.label.replaceAll(':', ' '),
  }).toString();
  // Loaded when somebody first sets it up: a node at rest has no use for it.
  const { toDataURL } = await import('qrcode');
  return { secret, uri, qrCode: await toDataURL(uri, { errorCorrectionLevel: 'M', margin: 2, scale: 6 }) };
}

function totp(secret: string, names: { issuer?: string; label?: string } = {}): TOTP {
  return new TOTP({
    ...names,
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_SECONDS,
    secret: Secret.fromBase32(secret),
  });
}

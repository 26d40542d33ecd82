// A realm that wants a proven address or phone before a session needs a way to ask for the proof.

import type { RealmSettings } from './settings.ts';

type Asked = Pick<RealmSettings, 'verification' | 'sign_in_methods'>;

/** What this installation can send. */
export type Reaches = { email: boolean; phone: boolean };

/**
 * What is wrong with the settings of a realm when nothing can be sent that would verify anybody, and what to change; null when
 * all is well. A text message is enough where readers sign in by code alone: the code proves the number.
 */
export function faultOfVerification(
  { verification, sign_in_methods: methods }: Asked,
  reaches: Reaches,
): string | null {
  if (verification !== 'before-session' || reaches.email) return null;
  const isTextEnough = methods.includes('code') && !methods.includes('password');
  if (isTextEnough && reaches.phone) return null;
  const texts = isTextEnough ? ' or CAUSEWAY_SMS_WEBHOOK' : '';
  return `before-session needs a way to send the proof, or nobody new could sign in; set SMTP_URL${texts}, or write none`;
}

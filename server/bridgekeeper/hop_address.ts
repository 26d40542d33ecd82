// The addresses of a hop: from a site to the auth domain, and back to the site with a code.

import { configuredUrl, type Target } from '../http/redirect.ts';
import type { PlainToken } from '../lib/ids.ts';
import type { SessionDraft } from '../oauth/oauth.ts';

export const AUTHORIZE = '/api/auth/v1/oauth/authorize';
export const AUTO_SSO = '/api/auth/v1/oauth/auto-sso/authorize';
/** What `authorize` understands. */
export const PARAMETERS = [
  'client_id',
  'redirect_uri',
  'callback_uri',
  'response_type',
  'state',
  'allow_ajax',
  'flow',
  'restart',
  'request_handle',
] as const;
export type Parameters = Partial<Record<(typeof PARAMETERS)[number], string>>;

/** From a client domain to the auth domain. @param flow hash of the secret in the flow cookie, base64url */
export const nextHopAddress = (authOrigin: string, draft: SessionDraft, flow: string): Target =>
  configuredUrl(`${authOrigin}${draft.isSilent ? AUTO_SSO : AUTHORIZE}`, { ...draftParameters(draft), flow });

/** Back to the site. */
export const codeAddress = (draft: SessionDraft, code: PlainToken): Target =>
  configuredUrl(draft.redirectUri, { code, callback_uri: draft.callbackUri, state: draft.state });

/** What was asked, as proven. */
export function draftParameters(draft: SessionDraft): Record<string, string | null> {
  return {
    client_id: draft.client.clientId,
    redirect_uri: draft.redirectUri,
    callback_uri: draft.callbackUri,
    response_type: 'code',
    state: draft.state,
    restart: draft.isRestart ? '1' : null,
  };
}

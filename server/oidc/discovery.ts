// Metadata of an issuer (OpenID Connect Discovery §3, RFC 8414 §2), made from the same tables that the code uses.

import { AUTHENTICATION_METHODS, GRANT_TYPES, STANDARD_SCOPES } from '../clients/clients.ts';
import { ALGS } from '../keys/keys.ts';
import { ACR } from '../mfa/mfa.ts';
import { CLAIMS, DPOP_ALGS, PROMPTS } from '../oauth/oauth.ts';

const ASSERTION_ALGS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'RS512', 'ES384'];

/** The metadata of the issuer at this origin. @param locales languages that the pages speak; isRegistrable: clients may register themselves */
export function discoveryDocument(issuer: string, locales: readonly string[], isRegistrable: boolean) {
  const methods = AUTHENTICATION_METHODS;
  const confidential = methods.filter((method) => method !== 'none');
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    userinfo_endpoint: `${issuer}/oauth/userinfo`,
    jwks_uri: `${issuer}/oauth/jwks`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    pushed_authorization_request_endpoint: `${issuer}/oauth/par`,
    end_session_endpoint: `${issuer}/oauth/end_session`,
    ...(isRegistrable && { registration_endpoint: `${issuer}/oauth/register` }),
    scopes_supported: STANDARD_SCOPES,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    grant_types_supported: GRANT_TYPES,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ALGS,
    acr_values_supported: Object.values(ACR),
    claim_types_supported: ['normal'],
    claims_supported: [...CLAIMS, 'iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'at_hash', 'sid'],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    // OpenID Connect Discovery §3: left out, this would mean true.
    request_uri_parameter_supported: false,
    require_pushed_authorization_requests: false,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
    introspection_endpoint_auth_methods_supported: confidential,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
    prompt_values_supported: PROMPTS,
    display_values_supported: ['page', 'popup'],
    ui_locales_supported: locales,
    dpop_signing_alg_values_supported: DPOP_ALGS,
    // RFC 9207 §3.
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  };
}

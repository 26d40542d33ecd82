// Client templates: for each product that is known, the client that it needs and what goes into each field of the product's own
// form, in the product's words (Quiq "End User OAuth", Qualifio "OAuth 2.0", QuickBlox "Custom Identity Provider"). Pure.

import { DEFAULT_VERIFICATION_RESPONSE } from '../clients/clients.ts';
import type { Raw } from './wanted_realm.ts';

export type TemplateName = 'quiq' | 'qualifio' | 'quickblox';
export const TEMPLATE_NAMES: readonly TemplateName[] = ['quiq', 'qualifio', 'quickblox'];

/** What the templates ask for; each only what the product's own form leaves open. */
export type TemplateAnswers = {
  /** Quiq: the name before `.goquiq.com`. */
  tenant?: string;
  /** Qualifio: "Use PKCE". */
  isPkce?: boolean;
  /** "Client secret sent as basic auth" instead of "as post". */
  isBasic?: boolean;
  /** Qualifio: where the profile is read, in the JWT access token or from userinfo. */
  profile?: 'jwt' | 'userinfo';
  /** QuickBlox: headers or parameters that carry the user id and the token; `GET` or `POST`. */
  headerUser?: string;
  headerToken?: string;
  paramUser?: string;
  paramToken?: string;
  method?: 'GET' | 'POST';
  acceptsPassword?: boolean;
  /** Pages of the application that signs in under this client; without one, tokens of every client of the realm count. */
  redirectUris?: readonly string[];
};

export type FilledTemplate = {
  product: string;
  /** The client as a realm file writes it, without id and secret. */
  client: Raw;
  hasSecret: boolean;
  /** Fields of the product's form and what to type there. */
  form(of: { id: string; origin: string; secret: string }): [field: string, value: string][];
  notes: readonly string[];
};

const QUIQ_PATHS = [
  '/idp/eu/oauth/callback',
  '/web/inbound/abc/oauth/redirect',
  '/web/inbound/abc/oauth/abcAuth2Redirect',
];
const QUIQ_MAPPING =
  '{email: user.email, userName: user.username, fullName: user.name, firstName: user.first_name, lastName: user.last_name}';
const QUALIFIO_CALLBACK = 'https://player.qualifio.com/oauth/callback';
const QUALIFIO_CLAIMS = ['email', 'email_verified', 'name', 'given_name', 'family_name', 'address', 'phone_number'];
const QUICKBLOX_FIELDS = {
  uid: '#{user.id}',
  login: '#{user.login}',
  full_name: '#{user.full_name}',
  email: '#{user.email}',
  external_user_id: '#{user.id}',
};

/** The first thing that a template still has to be told; null when it has everything. */
export function findMissing(name: TemplateName, answers: TemplateAnswers): string | null {
  if (name === 'quiq' && !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(answers.tenant ?? ''))
    return '--tenant: the name before .goquiq.com';
  if (name !== 'quickblox') return null;
  const { headerUser, headerToken, paramUser, paramToken } = answers;
  const [isByHeader, isByParam] = [
    headerUser !== undefined || headerToken !== undefined,
    paramUser !== undefined || paramToken !== undefined,
  ];
  if (isByHeader && isByParam) return '--header-user and --header-token, or --param-user and --param-token, not both';
  if (isByParam ? paramUser && paramToken : headerUser && headerToken) return null;
  return isByParam
    ? '--param-user and --param-token: names of your choice'
    : '--header-user and --header-token (or --param-user and --param-token): names of your choice';
}

/** A template with its answers, which `findMissing` finds complete. */
export function fillClientTemplate(name: TemplateName, answers: TemplateAnswers): FilledTemplate {
  switch (name) {
    case 'quiq':
      return quiq(answers);
    case 'qualifio':
      return qualifio(answers);
    case 'quickblox':
      return quickblox(answers);
    default:
      return name satisfies never;
  }
}

function quiq({ tenant = '', isBasic }: TemplateAnswers): FilledTemplate {
  const scopes = ['openid', 'profile', 'email'];
  return {
    product: 'Quiq',
    client: {
      name: 'Quiq',
      redirect_uris: QUIQ_PATHS.map((path) => `https://${tenant.toLowerCase()}.goquiq.com${path}`),
      token_endpoint_auth_method: isBasic ? 'client_secret_basic' : 'client_secret_post',
      require_pkce: false,
      scopes,
      userinfo_mapping: QUIQ_MAPPING,
    },
    hasSecret: true,
    form: ({ id, origin, secret }) => [
      ['Client', id],
      ['Scope', scopes.join(' ')],
      ['Secret', secret],
      ['Authorization URL', `${origin}/oauth/authorize`],
      ['Token URL', `${origin}/oauth/token`],
      ['WhoAmI URL', `${origin}/oauth/userinfo`],
    ],
    notes: ["The WhoAmI answer has Quiq's own field names: its JMESPath adaption stays empty."],
  };
}

function qualifio({ isPkce = false, isBasic = false, profile = 'userinfo' }: TemplateAnswers): FilledTemplate {
  const scopes = ['openid', 'email', 'profile'];
  const isJwt = profile === 'jwt';
  return {
    product: 'Qualifio',
    client: {
      name: 'Qualifio',
      redirect_uris: [QUALIFIO_CALLBACK],
      token_endpoint_auth_method: isBasic ? 'client_secret_basic' : 'client_secret_post',
      require_pkce: isPkce,
      scopes: [...scopes, 'address', 'phone'],
      ...(isJwt && { access_token: { format: 'jwt', claims: QUALIFIO_CLAIMS } }),
    },
    hasSecret: true,
    form: ({ id, origin, secret }) => [
      ['Client Id', id],
      ['Client secret', secret],
      ['Authorisation endpoint', `${origin}/oauth/authorize`],
      ['Token endpoint', `${origin}/oauth/token`],
      ['Token scope', scopes.join(' ')],
      ['Use PKCE', isPkce ? 'Yes' : 'No'],
      ['Client authentication method', isBasic ? 'Client secret sent as basic auth' : 'Client secret sent as post'],
    ],
    notes: [
      isJwt
        ? 'For the mapping table that Qualifio asks for: the profile is in the JWT access token (sub, email, name, given_name, family_name).'
        : 'For the mapping table that Qualifio asks for: the profile is the JSON of the userinfo endpoint (/oauth/userinfo) with the access token as Bearer (sub, email, name, given_name, family_name).',
      'For postal address and telephone add: address phone to the token scope (fields address, phone_number).',
    ],
  };
}

function quickblox(answers: TemplateAnswers): FilledTemplate {
  const { method = 'POST', acceptsPassword = false, redirectUris = [] } = answers;
  const isByHeader = answers.headerUser !== undefined;
  const [user, credential] = isByHeader
    ? [answers.headerUser, answers.headerToken]
    : [answers.paramUser, answers.paramToken];
  const names = [user ?? '', credential ?? ''] as const;
  const sent = JSON.stringify({ [names[0]]: '#{login}', [names[1]]: '#{password}' });
  return {
    product: 'QuickBlox',
    client: {
      name: 'QuickBlox',
      redirect_uris: [...redirectUris],
      // The application on a reader's device cannot keep a secret; QuickBlox itself is given none.
      token_endpoint_auth_method: 'none',
      scopes: ['openid', 'profile', 'email'],
      verification: {
        user: names[0],
        credential: names[1],
        accept: acceptsPassword ? ['access_token', 'password'] : ['access_token'],
        tokens_of: redirectUris.length > 0 ? 'client' : 'realm',
        response: DEFAULT_VERIFICATION_RESPONSE,
      },
    },
    hasSecret: false,
    form: ({ id, origin }) => [
      ['Enable custom Identity Provider authentication', 'checked'],
      ['API URL', `${origin}/verify/${encodeURIComponent(id)}`],
      ['Request type', method],
      ['Request headers', isByHeader ? sent : '{}'],
      ['Request params', isByHeader ? '{}' : sent],
      ['Response params', JSON.stringify(QUICKBLOX_FIELDS)],
    ],
    notes: [
      `The application puts the account's id (or sub) into login and ${acceptsPassword ? 'an access token, or the password,' : 'an access token'} into password when it creates a QuickBlox session.`,
      redirectUris.length > 0
        ? 'Access tokens of this client count.'
        : 'Access tokens of every client of the realm count; give --redirect-uri to sign in under this client and count only its own.',
    ],
  };
}

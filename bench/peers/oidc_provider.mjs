// Peer: node-oidc-provider with its own memory store, or with PostgreSQL (DATABASE_URL). ES256, opaque access tokens, one
// confidential client, sessions and grants as its documentation shows them for first-party clients: consent is not asked.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';
import { createPostgresAdapter } from './oidc_provider_postgres.mjs';

const key = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  alg: 'ES256',
};
const databaseUrl = process.env.DATABASE_URL;

const provider = new Provider('http://127.0.0.1', {
  ...(databaseUrl && { adapter: await createPostgresAdapter(databaseUrl) }),
  clients: [
    {
      client_id: 'product',
      client_secret: 'a-secret-of-more-than-thirty-two-characters',
      redirect_uris: ['https://rp.example/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(32).toString('base64')] },
  pkce: { required: () => false },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  features: { devInteractions: { enabled: false }, introspection: { enabled: true }, revocation: { enabled: true } },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    Grant: 86_400,
    IdToken: 3600,
    RefreshToken: 86_400,
    Session: 86_400,
    Interaction: 600,
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}`, policy: interactionPolicy.base() },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: 'Bench Reader', email: `${sub}@example.com`, email_verified: true }),
  }),
  async loadExistingGrant(ctx) {
    const grantId = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (grantId) return ctx.oidc.provider.Grant.find(grantId);
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile email offline_access');
    await grant.save();
    return grant;
  },
});

// Signs in whoever asks: the interaction is no part of what is measured.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  await provider.interactionFinished(ctx.req, ctx.res, {
    login: { accountId: `reader-${randomBytes(6).toString('hex')}` },
  });
  ctx.respond = false;
});

const server = provider.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));

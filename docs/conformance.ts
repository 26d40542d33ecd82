// docs/conformance.md: every module of the OpenID Foundation's certification plans for providers that this server claims,
// with the test that reproduces it; and the plans that it does not claim, with the reason. Made from the test files: a module
// counts as shown only while a test of `npm test` carries its name.

import { readdir, readFile, writeFile } from 'node:fs/promises';

const TESTS = new URL('../test/contract/', import.meta.url);
const PAGE = new URL('./conformance.md', import.meta.url);

const BASIC = [
  'oidcc-server',
  'oidcc-response-type-missing',
  'oidcc-idtoken-signature',
  'oidcc-idtoken-unsigned',
  'oidcc-userinfo-get',
  'oidcc-userinfo-post-header',
  'oidcc-userinfo-post-body',
  'oidcc-ensure-request-without-nonce-succeeds-for-code-flow',
  'oidcc-scope-profile',
  'oidcc-scope-email',
  'oidcc-scope-address',
  'oidcc-scope-phone',
  'oidcc-scope-all',
  'oidcc-ensure-other-scope-order-succeeds',
  'oidcc-alternate-happy-flow',
  'oidcc-display-page',
  'oidcc-display-popup',
  'oidcc-prompt-login',
  'oidcc-prompt-none-not-logged-in',
  'oidcc-prompt-none-logged-in',
  'oidcc-max-age-1',
  'oidcc-max-age-10000',
  'oidcc-ensure-request-with-unknown-parameter-succeeds',
  'oidcc-id-token-hint',
  'oidcc-login-hint',
  'oidcc-ui-locales',
  'oidcc-claims-locales',
  'oidcc-ensure-request-with-acr-values-succeeds',
  'oidcc-codereuse',
  'oidcc-codereuse-30seconds',
  'oidcc-ensure-registered-redirect-uri',
  'oidcc-ensure-post-request-succeeds',
  'oidcc-server-client-secret-post',
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
  'oidcc-claims-essential',
  'oidcc-ensure-request-object-with-redirect-uri',
  'oidcc-refresh-token',
  'oidcc-ensure-request-with-valid-pkce-succeeds',
] as const;

/** The modules of each claimed profile; the Form Post profile is the Basic one with every answer posted. */
export const PROFILES: readonly { name: string; plan: string; modules: readonly string[] }[] = [
  { name: 'Basic OP', plan: 'oidcc-basic-certification-test-plan', modules: BASIC },
  { name: 'Form Post OP', plan: 'oidcc-formpost-basic-certification-test-plan', modules: BASIC },
  {
    name: 'Config OP',
    plan: 'oidcc-config-certification-test-plan',
    modules: ['oidcc-discovery-endpoint-verification'],
  },
  {
    name: 'RP-Initiated Logout OP',
    plan: 'oidcc-rp-initiated-logout-certification-test-plan',
    modules: [
      'oidcc-rp-initiated-logout-discovery-endpoint-verification',
      'oidcc-rp-initiated-logout',
      'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
      'oidcc-rp-initiated-logout-modified-id-token-hint',
      'oidcc-rp-initiated-logout-no-id-token-hint',
      'oidcc-rp-initiated-logout-no-params',
      'oidcc-rp-initiated-logout-no-post-logout-redirect-uri',
      'oidcc-rp-initiated-logout-no-state',
      'oidcc-rp-initiated-logout-only-state',
      'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri',
      'oidcc-rp-initiated-logout-bad-id-token-hint',
    ],
  },
  {
    name: 'Back-Channel Logout OP',
    plan: 'oidcc-backchannel-rp-initiated-logout-certification-test-plan',
    modules: ['oidcc-backchannel-logout-discovery-endpoint-verification', 'oidcc-backchannel-rp-initiated-logout'],
  },
];

/** Modules of the Dynamic plan that are kept as ordinary tests, with clients that an operator made. */
const KEPT = [
  'oidcc-idtoken-rs256',
  'oidcc-ensure-redirect-uri-in-authorization-request',
  'oidcc-redirect-uri-query-OK',
  'oidcc-redirect-uri-query-mismatch',
  'oidcc-redirect-uri-query-added',
  'oidcc-registration-jwks-uri',
  'oidcc-server-rotate-keys',
  'oidcc-refresh-token-rp-key-rotation',
  'oidcc-ensure-client-assertion-with-iss-aud-succeeds',
] as const;

/** What a module shows here although the provider does not offer the feature that it asks about. */
const NOTES: Record<string, string> = {
  'oidcc-idtoken-unsigned': 'not offered: `none` is no algorithm of ours, which is what is checked',
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported':
    'not offered; refused as the metadata says',
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported':
    'not offered; refused as the metadata says',
};

const NOT_CLAIMED = [
  ['Dynamic OP', 'needs implicit response types, request objects by reference and registration open to everybody'],
  ['Implicit OP, Hybrid OP', 'RFC 9700 §2.1.2: no tokens in the front channel'],
  [
    'Front-Channel Logout OP, Session Management OP',
    'browsers no longer send the cookies that both need; back-channel logout does the work',
  ],
  ['3rd-party-initiated login', 'not offered'],
] as const;

/** The file of `test/contract` in which each module is shown. */
export async function findModules(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(TESTS)).filter((file) => file.endsWith('.ts')).sort()) {
    const text = await readFile(new URL(name, TESTS), 'utf8');
    for (const [module] of text.matchAll(/oidcc-[A-Za-z0-9-]+/g)) if (!found.has(module)) found.set(module, name);
  }
  // One test for both, whose title is put together.
  for (const name of ['oidcc-rp-initiated-logout', 'oidcc-backchannel-logout'])
    found.set(`${name}-discovery-endpoint-verification`, 'conformance_logout.test.ts');
  return found;
}

/** The page as text. */
export async function conformancePage(): Promise<string> {
  const found = await findModules();
  const row = (module: string, isFormPost: boolean) => {
    const file = found.get(module);
    const shown =
      file === 'basic_modules.ts' ? (isFormPost ? 'conformance_form_post.test.ts' : 'conformance.test.ts') : file;
    return `| \`${module}\` | ${shown ? 'pass' : 'not shown'}${NOTES[module] ? ` (${NOTES[module]})` : ''} | ${shown ? `\`${shown}\`` : ''} |`;
  };
  const table = (modules: readonly string[], isFormPost = false) =>
    ['| module | result | test |', '|---|---|---|', ...modules.map((module) => row(module, isFormPost))].join('\n');
  const sections = PROFILES.map(
    ({ name, plan, modules }) => `## ${name}\n\nPlan \`${plan}\`.\n\n${table(modules, name.startsWith('Form Post'))}`,
  );
  return `<!-- Made by docs/conformance.ts; change it there. -->

# OpenID certification modules

Every module of the plans below is reproduced by a test in \`test/contract\` against the running server, black-box, with a
verifier of its own. The suite itself (Java) is not part of \`npm test\`. "pass" means: \`npm test\` carries a test of that
module, and fails when the module would.

${sections.join('\n\n')}

## Kept from the Dynamic plan

The profile is not claimed; these modules run with clients that an operator made.

${table(KEPT)}

## Not claimed

| profile | why |
|---|---|
${NOT_CLAIMED.map(([name, why]) => `| ${name} | ${why} |`).join('\n')}
`;
}

/** Writes the page. */
export async function writeConformancePage(): Promise<void> {
  await writeFile(PAGE, await conformancePage());
}

if (import.meta.main) await writeConformancePage();

// The options of `causeway clients …` and `causeway keys …`, and the questions that a person at a terminal is asked instead.

import { type Command, Option } from 'commander';
import { makeApiKey, removeApiKey } from './api_key.ts';
import { findMissing, TEMPLATE_NAMES, type TemplateAnswers, type TemplateName } from './client_templates.ts';
import {
  addClient,
  finishSecret,
  listClients,
  type NewClient,
  previewUserinfo,
  rotateSecret,
  showClient,
  switchClient,
} from './clients.ts';
import { UsageFault, withContext } from './context.ts';
import { listKeys, revokeKey, rotateKeys } from './keys.ts';
import { addRegistrationCommand } from './registration.ts';
import { askText, isTerminal } from './terminal.ts';
import type { Raw } from './wanted_realm.ts';

type AddOptions = {
  realm: string;
  id: string;
  name?: string;
  template?: TemplateName;
  tenant?: string;
  pkce?: boolean;
  basic?: true;
  profile?: 'jwt' | 'userinfo';
  headerUser?: string;
  headerToken?: string;
  paramUser?: string;
  paramToken?: string;
  method?: 'GET' | 'POST';
  acceptPassword?: true;
  redirectUri?: string[];
  domain?: string;
  authMethod?: string;
  scope?: string[];
  accessToken?: 'opaque' | 'jwt';
  claim?: string[];
  userinfoMapping?: string;
  consent?: string;
};
type OfRealm = { realm: string };
/** Opens what a command works with; tests hand over what is open already. */
type InContext = typeof withContext;

/** Adds `clients` to the command line. */
export function addClientCommands(program: Command, inContext: InContext = withContext): void {
  const clients = program
    .command('clients')
    .description('Registers clients, replaces their secrets, switches them off and on.');
  addAddCommand(clients, inContext);
  addRegistrationCommand(clients, inContext);
  of(clients.command('list').description('A line for each client.')).action((options: OfRealm) =>
    inContext((context) => listClients(context, options.realm)),
  );
  of(clients.command('show <ID>').description('What a client is registered with.')).action(
    (id: string, { realm }: OfRealm) => inContext((context) => showClient(context, realm, id)),
  );
  of(
    clients
      .command('rotate-secret <ID>')
      .description('Gives a client a second secret and prints it; the old one stays valid until --finish.'),
  )
    .option('--finish', 'end the older of the two secrets')
    .action((id: string, { realm, finish }: OfRealm & { finish?: true }) =>
      inContext((context) => (finish ? finishSecret : rotateSecret)(context, realm, id)),
    );
  of(
    clients
      .command('api-key <ID>')
      .description('Gives the backend of a site an API key, with which it redeems codes host to host, and prints it.'),
  )
    .option('--remove', 'take the API key away')
    .action((id: string, { realm, remove }: OfRealm & { remove?: true }) =>
      inContext((context) => (remove ? removeApiKey : makeApiKey)(context, realm, id)),
    );
  of(
    clients
      .command('disable <ID>')
      .description('Refuses a client, its tokens and, for a site, every session on its domain.'),
  ).action((id: string, { realm }: OfRealm) => inContext((context) => switchClient(context, realm, id, 'off')));
  of(clients.command('enable <ID>').description('Lets a disabled client work again.')).action(
    (id: string, { realm }: OfRealm) => inContext((context) => switchClient(context, realm, id, 'on')),
  );
  of(
    clients
      .command('preview-userinfo <CLIENT> <ACCOUNT>')
      .description('What userinfo would answer a client about an account, given by its e-mail address.'),
  ).action((id: string, email: string, { realm }: OfRealm) =>
    inContext((context) => previewUserinfo(context, realm, id, email)),
  );
}

/** Adds `keys` to the command line. */
export function addKeyCommands(program: Command, inContext: InContext = withContext): void {
  const keys = program.command('keys').description('Shows and replaces the signing keys of a realm.');
  of(keys.command('list').description('A line for each key: kid, algorithm, state.')).action(({ realm }: OfRealm) =>
    inContext((context) => listKeys(context, realm)),
  );
  of(keys.command('rotate').description('Publishes new keys now; they sign once every verifier can know them.')).action(
    ({ realm }: OfRealm) => inContext((context) => rotateKeys(context, realm)),
  );
  of(keys.command('revoke <KID>').description('Withdraws a key at once, with every token that it signed.')).action(
    (kid: string, { realm }: OfRealm) => inContext((context) => revokeKey(context, realm, kid)),
  );
}

const of = (command: Command): Command => command.requiredOption('--realm <SLUG>', 'the realm');
const several = (value: string, before: string[] = []): string[] => [...before, value];

function addAddCommand(clients: Command, inContext: InContext): void {
  of(
    clients
      .command('add')
      .description('Makes a client, by the template of a product or by options, and prints its secret once.'),
  )
    .requiredOption('--id <ID>', 'its client_id')
    .option('--name <NAME>', 'name that readers see')
    .addOption(
      new Option('--template <PRODUCT>', 'a known product; prints what to type into its form').choices(TEMPLATE_NAMES),
    )
    .option('--tenant <NAME>', 'quiq: the name before .goquiq.com')
    .option('--pkce', 'qualifio: Use PKCE "Yes"; without a template required unless --no-pkce')
    .option('--no-pkce', 'for a product that cannot')
    .option('--basic', 'quiq, qualifio: the secret is sent as basic auth, not as post')
    .addOption(new Option('--profile <WHERE>', 'qualifio: where it reads the profile').choices(['userinfo', 'jwt']))
    .option('--header-user <NAME>', 'quickblox: request header of the user id')
    .option('--header-token <NAME>', 'quickblox: request header of the token')
    .option('--param-user <NAME>', 'quickblox: the same as request parameters')
    .option('--param-token <NAME>', 'quickblox')
    .addOption(new Option('--method <METHOD>', 'quickblox: request type').choices(['GET', 'POST']))
    .option('--accept-password', 'quickblox: user name and password are verified too')
    .option('--redirect-uri <URL>', 'where its answers go; may stand several times', several)
    .option('--domain <HOST>', 'makes a first-party client: one of your own sites')
    .option(
      '--auth-method <METHOD>',
      'how it authenticates: client_secret_basic, client_secret_post, private_key_jwt, none',
    )
    .option('--scope <SCOPE>', 'a scope that it may ask for; may stand several times', several)
    .addOption(new Option('--access-token <FORMAT>', 'form of its access tokens').choices(['opaque', 'jwt']))
    .option('--claim <NAME>', 'a claim in its JWT access tokens; may stand several times', several)
    .option('--userinfo-mapping <JMESPATH>', 'shapes its userinfo answer')
    .addOption(new Option('--consent <HOW>', 'whether readers are asked').choices(['ask', 'implied']))
    .action(async (options: AddOptions) => {
      const wanted =
        options.template === undefined ? plainClient(options) : await templateClient(options.template, options);
      await inContext((context) => addClient(context, options.realm, wanted));
    });
}

function plainClient(options: AddOptions): NewClient {
  const foreign = (
    ['tenant', 'profile', 'headerUser', 'headerToken', 'paramUser', 'paramToken', 'method', 'acceptPassword'] as const
  ).find((key) => options[key] !== undefined);
  if (foreign)
    throw new UsageFault(
      `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} belongs to a template; add --template`,
    );
  const raw: Raw = options.domain !== undefined ? { kind: 'first-party', domain: options.domain } : thirdParty(options);
  return { id: options.id, raw: { ...raw, ...(options.name !== undefined && { name: options.name }) } };
}

function thirdParty(options: AddOptions): Raw {
  const { accessToken: format, claim: claims } = options;
  const written = {
    kind: 'third-party',
    redirect_uris: options.redirectUri,
    token_endpoint_auth_method: options.authMethod ?? (options.basic ? 'client_secret_basic' : undefined),
    require_pkce: options.pkce,
    scopes: options.scope,
    access_token: format || claims ? { format: format ?? 'jwt', ...(claims && { claims }) } : undefined,
    userinfo_mapping: options.userinfoMapping,
    consent: options.consent,
  };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}

async function templateClient(template: TemplateName, options: AddOptions): Promise<NewClient> {
  const given: TemplateAnswers = {
    ...pick(options, ['tenant', 'profile', 'headerUser', 'headerToken', 'paramUser', 'paramToken', 'method']),
    ...(options.pkce !== undefined && { isPkce: options.pkce }),
    ...(options.basic && { isBasic: true }),
    ...(options.acceptPassword && { acceptsPassword: true }),
    ...(options.redirectUri && { redirectUris: options.redirectUri }),
  };
  const answers = findMissing(template, given) !== null && isTerminal() ? await askFor(template, given) : given;
  return { id: options.id, template, answers, ...(options.name !== undefined && { name: options.name }) };
}

/** Asks for what the product's own form leaves open and no option has said. */
async function askFor(template: TemplateName, given: TemplateAnswers): Promise<TemplateAnswers> {
  if (template === 'quiq') return { ...given, tenant: await askText('Tenant (the name before .goquiq.com): ') };
  if (template !== 'quickblox') return given;
  const place = await askText('Credentials in request headers or params? [headers] ');
  const user = (await askText('Name that carries the user id [IdP_user_ID]: ')) || 'IdP_user_ID';
  const credential = (await askText('Name that carries the token [IdP_token]: ')) || 'IdP_token';
  return /^p/i.test(place)
    ? { ...given, paramUser: user, paramToken: credential }
    : { ...given, headerUser: user, headerToken: credential };
}

function pick<Key extends keyof AddOptions>(options: AddOptions, keys: readonly Key[]): Pick<AddOptions, Key> {
  return Object.fromEntries(keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))) as Pick<
    AddOptions,
    Key
  >;
}

#!/usr/bin/env node
// The command line, `npx causeway …`: what an operator can do without the server's pages. Results go to standard output,
// everything else to standard error; exit code 0 when done, 1 when it could not be done, 2 when it was asked for wrongly,
// 3 when an import left records out.

import { Command, CommanderError, Option } from 'commander';
import { processEnvironment } from '../config.ts';
import { apply, readText } from './apply.ts';
import { addClientCommands, addKeyCommands } from './client_options.ts';
import { CommandFailed, describeFailure, UsageFault, withContext } from './context.ts';
import { exportRealms } from './export.ts';
import { addImportCommand } from './import_options.ts';
import { runMigrations } from './migrate.ts';
import { showReceipts } from './receipts.ts';
import { demandConfirmation, endBefore, endSessions, parseMoment, type Which } from './sessions.ts';
import { addUser, readPassword, resetFactors } from './users.ts';

const AFTER_HELP = `
Settings come from the environment (docs/configuration.md). Without DATABASE_URL every command works on the embedded
database, whether the server is running or not. "causeway help COMMAND" tells more.`;

function createProgram(): Command {
  const program = new Command('causeway').description('Causeway: one login for many domains.').exitOverride();
  program
    .helpCommand('help [command]', 'Tells about one command.')
    .addHelpText('after', AFTER_HELP)
    .showHelpAfterError('(causeway --help lists the commands)');
  addRealmCommands(program);
  addClientCommands(program);
  addKeyCommands(program);
  addPeopleCommands(program);
  program
    .command('migrate')
    .description('Brings the database schema up to date and prints what was run.')
    .action(runMigrations);
  return program;
}

function addRealmCommands(program: Command): void {
  program
    .command('apply')
    .description('Brings realms, domains and clients to what a YAML file says (docs/realm-file.md).')
    .argument('<FILE>', 'the file, or - for standard input')
    .option('--dry-run', 'only tell what would change')
    .option(
      '--prune',
      'within the realms that the file names, also remove clients and domains that it does not mention and set what it leaves out back to the default; a realm is never removed',
    )
    .action(async (fileName: string, options: { dryRun?: true; prune?: true }) => {
      // Read first: in `causeway export | causeway apply -` the embedded database stays with one of the two at a time.
      const file = { fileName, text: await readText(fileName) };
      const how = { isDryRun: options.dryRun === true, isPrune: options.prune === true };
      await withContext((context) => apply(context, file, how));
    });
  program
    .command('export')
    .description('Writes the YAML file of what the database has, without secrets.')
    .option('--realm <SLUG>', 'only this realm')
    .action((options: { realm?: string }) => withContext((context) => exportRealms(context, options.realm ?? null)));
}

function addPeopleCommands(program: Command): void {
  const users = program.command('users').description('Makes accounts, and brings them over from other systems.');
  users
    .command('add')
    .description('Makes an account and prints its id and sub; asks for the password without showing it.')
    .requiredOption('--realm <SLUG>', 'the realm of the account')
    .requiredOption('--email <ADDRESS>', 'its e-mail address')
    .option('--name <NAME>', 'name as others see it')
    .option('--username <NAME>', 'name to sign in with, besides the address')
    .option('--password-stdin', 'read the password from standard input instead')
    .action(
      async (options: { realm: string; email: string; name?: string; username?: string; passwordStdin?: true }) => {
        const { realm, email, name = null, username = null } = options;
        const password = await readPassword(options.passwordStdin === true);
        await withContext((context) => addUser(context, realm, { email, name, username, password }));
      },
    );
  addImportCommand(users);
  users
    .command('reset-factors')
    .description('Takes every second factor and the recovery codes off an account, for somebody who has lost them.')
    .requiredOption('--realm <SLUG>', 'the realm of the account')
    .requiredOption('--email <ADDRESS>', 'its e-mail address')
    .action((options: { realm: string; email: string }) =>
      withContext((context) => resetFactors(context, options.realm, options.email)),
    );
  const sessions = program
    .command('sessions')
    .description('Ends sessions, and tells what became of telling the sites.');
  sessions
    .command('end')
    .description('Ends sessions on all domains at once and prints how many.')
    .option('--realm <SLUG>', 'the realm of the sessions; may be left out with --before')
    .addOption(new Option('--email <ADDRESS>', 'all sessions of this account').conflicts(['id', 'all']))
    .addOption(new Option('--id <SESSION>', 'this one session').conflicts(['email', 'all']))
    .addOption(new Option('--all', 'every session of the realm').conflicts(['email', 'id']))
    .addOption(
      new Option(
        '--before <TIME>',
        'with --all, after a restore: what began before then, its codes and tokens too; without --realm, of every realm',
      ).conflicts(['email', 'id']),
    )
    .option('--yes', 'with --all: do not ask whether this is meant')
    .action(async ({ realm, before, yes, ...options }: EndOptions) => {
      const which = chooseSessions(options);
      const moment = before === undefined ? null : parseMoment(before);
      if (realm === undefined && moment === null)
        throw new UsageFault('sessions end needs --realm, unless --all --before says which');
      if ('all' in which && !yes) await demandConfirmation(realm);
      await withContext((context) =>
        moment === null ? endSessions(context, realm as string, which) : endBefore(context, realm, moment),
      );
    });
  sessions
    .command('receipts')
    .description(
      'Lists which sites were told that a session ended, and what they answered; the latest of the realm, or:',
    )
    .requiredOption('--realm <SLUG>', 'the realm of the sessions')
    .addOption(new Option('--email <ADDRESS>', 'those of this account').conflicts('session'))
    .option('--session <ID>', 'those of this session')
    .action((options: { realm: string; email?: string; session?: string }) =>
      withContext((context) => showReceipts(context, options)),
    );
}

type EndOptions = { realm?: string; email?: string; id?: string; all?: true; before?: string; yes?: true };

function chooseSessions({ email, id, all }: Pick<EndOptions, 'email' | 'id' | 'all'>): Which {
  if (email !== undefined) return { email };
  if (id !== undefined) return { id };
  if (all) return { all };
  throw new UsageFault('sessions end needs one of --email, --id and --all');
}

/** Runs the command and tells the exit code. */
async function main(): Promise<number> {
  try {
    await createProgram().parseAsync();
    return 0;
  } catch (error) {
    // Commander has printed its own message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${describe(error)}\n`);
    if (error instanceof UsageFault) return 2;
    return error instanceof CommandFailed ? error.exitCode : 1;
  }
}

function describe(error: unknown): string {
  const isDebug = processEnvironment()['CAUSEWAY_LOG_LEVEL'] === 'debug';
  return isDebug && error instanceof Error ? (error.stack ?? error.message) : describeFailure(error);
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', () => process.exit(0));
process.exitCode = await main();

// Options of `causeway users import`.

import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { prettifyError } from 'zod';
import {
  FIELD_NAMES,
  FORMATS,
  type FormatName,
  hashParametersSchema,
  type ImportOrder,
  isFieldName,
} from '../imports/imports.ts';
import { UsageFault, withContext } from './context.ts';
import { importUsers } from './import_users.ts';

type Options = {
  realm: string;
  format: FormatName;
  map: string[];
  hashParams?: string;
  onConflict: ImportOrder['onConflict'];
  dryRun?: true;
  again?: true;
};

const FORMAT_HELP = Object.entries(FORMATS)
  .map(([name, { says }]) => `  ${name.padEnd(10)} ${says}`)
  .join('\n');
const AFTER_HELP = `
Formats:
${FORMAT_HELP}

Fields: ${FIELD_NAMES.join(', ')}, metadata.KEY. What was left out and why is written to FILE.rejects.jsonl.
An import that was interrupted goes on when the same command is given again. Exit code 3: some records were left out.
Examples for each system: docs/import.md.`;

/** Adds `users import` to the command `users`. */
export function addImportCommand(users: Command): void {
  users
    .command('import')
    .description('Brings accounts over from another system, with their passwords.')
    .argument('<FILE>', 'what the other system exported')
    .requiredOption('--realm <SLUG>', 'the realm of the accounts')
    .addOption(new Option('--format <NAME>', 'what the file is').choices(Object.keys(FORMATS)).default('csv'))
    .option('--map <FIELD=COLUMN>', 'where the file has a field; may be given several times', collect, [])
    .option(
      '--hash-params <FILE>',
      'JSON file that tells how the password hashes were made, where they do not say it themselves',
    )
    .addOption(
      new Option('--on-conflict <WHAT>', 'what to do about somebody who has an account')
        .choices(['skip', 'update', 'fail'])
        .default('skip'),
    )
    .option('--again', 'also when this file was imported to its end before')
    .option('--dry-run', 'only tell what would be done')
    .addHelpText('after', AFTER_HELP)
    .action(async (path: string, options: Options) => {
      const order = {
        path,
        format: options.format,
        map: parseMap(options.map),
        hashParameters: options.hashParams === undefined ? null : await readParameters(options.hashParams),
        onConflict: options.onConflict,
        isDryRun: options.dryRun === true,
        isAgain: options.again === true,
      };
      await withContext((context) => importUsers(context, options.realm, order));
    });
}

const collect = (value: string, before: string[]) => [...before, value];

function parseMap(given: readonly string[]): Record<string, string> {
  const pairs = given.map((text) => {
    const equals = text.indexOf('=');
    const [field, column] = [text.slice(0, equals), text.slice(equals + 1)];
    if (equals < 1 || column === '')
      throw new UsageFault(`--map ${text}: write FIELD=COLUMN, such as email=user_email`);
    if (!isFieldName(field))
      throw new UsageFault(
        `--map ${text}: there is no field ${field}. Fields: ${FIELD_NAMES.join(', ')}, metadata.KEY`,
      );
    return [field, column] as const;
  });
  return Object.fromEntries(pairs);
}

async function readParameters(path: string) {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new UsageFault(`--hash-params ${path}: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = hashParametersSchema.safeParse(value);
  if (!parsed.success) throw new UsageFault(`--hash-params ${path}:\n${prettifyError(parsed.error)}`);
  return parsed.data;
}

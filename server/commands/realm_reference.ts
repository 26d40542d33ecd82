// The tables of docs/realm-settings.md and docs/realm-file.md, from the schemas that check what operators write.

import { z } from 'zod';
import { parseDuration, parseLimit } from '../lib/duration.ts';
import { brandSchema, settingsSchema } from '../realms/realms.ts';

type Property = {
  type?: string;
  anyOf?: { type?: string }[];
  enum?: string[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  pattern?: string;
};

/** Markdown table of everything that may stand under `settings` of a realm. */
export function realmSettingsTable(): string {
  return table(settingsSchema);
}

/** Markdown table of everything that may stand under `brand` of a realm. */
export function realmBrandTable(): string {
  return table(brandSchema);
}

function table(schema: z.ZodObject): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' }) as { properties?: Record<string, Property> };
  const rows = Object.entries(properties).map(([key, property]) => [
    `\`${key}\``,
    describeValue(property),
    describeDefault(property),
    property.description ?? '',
  ]);
  return [['Key', 'Value', 'Default', 'What it does'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function describeValue({ type, enum: choices, default: fallback, minimum, maximum, pattern, anyOf }: Property): string {
  if (type === 'array') return 'list';
  if (choices) return choices.map((choice) => `\`${choice}\``).join(' or ');
  if (type === 'integer') return `whole number, ${minimum} to ${maximum}`;
  if (pattern?.startsWith('^#')) return 'colour `#rrggbb`';
  if (fallback === null) return anyOf?.some(({ type: one }) => one === 'string') ? 'URL' : 'map';
  if (typeof fallback !== 'string') return 'text';
  if (parseLimit(fallback)) return 'limit';
  if (parseDuration(fallback)) return 'duration';
  return 'text';
}

function describeDefault({ default: fallback }: Property): string {
  const isEmptyList = Array.isArray(fallback) && fallback.length === 0;
  return fallback === undefined ? 'none' : `\`${isEmptyList ? '[]' : String(fallback)}\``;
}

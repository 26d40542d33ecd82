// The scripts of the hosted pages (sdk/pages): files of our own under names that hold their content's hash, so that a browser
// keeps one until it changes. Pages work without them.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const NAMES = ['passkey', 'password_reveal', 'password_strength'] as const;
export type PageScriptUrls = Readonly<Record<(typeof NAMES)[number], string>>;
export type PageScripts = { urls: PageScriptUrls; find(fileName: string): Buffer | null };

/** Reads them once. */
export function createPageScripts(): PageScripts {
  const files = NAMES.map((name) => {
    const text = readFileSync(new URL(`../../sdk/pages/${name}.js`, import.meta.url));
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    return { name, text, fileName: `${name}.${hash}.js` };
  });
  const urls = Object.fromEntries(files.map(({ name, fileName }) => [name, `/assets/${fileName}`]));
  return {
    urls: urls as PageScriptUrls,
    find: (fileName) => files.find((file) => file.fileName === fileName)?.text ?? null,
  };
}

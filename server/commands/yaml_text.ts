// A YAML text whose faults know file, line and column, and whose values may name variables of the environment: `${NAME}`.
// `$${NAME}` stands for the five signs themselves.

import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';

/** Where a value stands: keys and indexes from the top of the file. */
export type Path = readonly PropertyKey[];
export type Environment = Readonly<Record<string, string | undefined>>;

export type YamlText = {
  /** The content as plain values, variables replaced; null when the text is no YAML at all. */
  data: unknown;
  /** Whether the text could be read; if not, `faults()` says why and `data` means nothing. */
  isReadable: boolean;
  /** Notes a fault of the value at a path, or of its key; of the surrounding value when there is no such key. */
  fault(path: Path, text: string, at?: 'value' | 'key'): void;
  /** The variable that is all of a value; null for a value that was written otherwise. */
  variableOf(path: Path): string | null;
  /** The line of a value, 1 for the first. */
  lineOf(path: Path): number;
  /** Every fault in the order of the file, each `file:line:column: text`. */
  faults(): string[];
};

const REFERENCE = /\$(\$?)\{([^}]*)\}/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads a YAML text. Never throws: what is wrong with it becomes a fault. */
export function readYaml(text: string, options: { fileName: string; environment: Environment }): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, stringKeys: true });
  const found: { offset: number; text: string }[] = [];
  const unresolved = new Set<number>();
  const whole = new Map<number, string>();
  for (const error of [...document.errors, ...document.warnings]) {
    found.push({ offset: error.pos[0], text: `not YAML: ${error.message}` });
  }
  const isReadable = found.length === 0;
  if (isReadable) replaceVariables(document, { text, environment: options.environment, found, unresolved, whole });
  const data = isReadable ? toData(document, found) : null;

  const where = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${options.fileName}:${line || 1}:${col || 1}`;
  };
  return {
    data,
    isReadable: isReadable && data !== undefined,
    fault(path, says, at = 'value') {
      const offset = offsetOf(document, path, at);
      // A value whose variable is missing is not known yet: more cannot be said about it.
      if (at === 'key' || !unresolved.has(offset)) found.push({ offset, text: says });
    },
    variableOf: (path) => whole.get(offsetOf(document, path, 'value')) ?? null,
    lineOf: (path) => lines.linePos(offsetOf(document, path, 'value')).line || 1,
    faults: () => [
      ...new Set(found.sort((a, b) => a.offset - b.offset).map((fault) => `${where(fault.offset)}: ${fault.text}`)),
    ],
  };
}

/** `text` with every `${…}` made harmless, the inverse of what reading does. */
export function escapeVariables(text: string): string {
  return text.replace(/\$\{[^}]*\}/g, (reference) => `$${reference}`);
}

type Replacing = {
  text: string;
  environment: Environment;
  found: { offset: number; text: string }[];
  /** Where the values begin of which a variable is missing. */
  unresolved: Set<number>;
  /** Where the values begin that are one variable and nothing else. */
  whole: Map<number, string>;
};

function replaceVariables(document: Document, { text, environment, found, unresolved, whole }: Replacing): void {
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const [start = 0, end = 0] = node.range ?? [];
      const source = text.slice(start, end);
      const only = /^\$\{([^}]*)\}$/.exec(node.value)?.[1];
      if (only !== undefined) whole.set(start, only);
      node.value = node.value.replace(REFERENCE, (written, doubled: string, name: string) => {
        if (doubled) return `\${${name}}`;
        const value = environment[name];
        if (value) return value;
        const offset = start + Math.max(0, source.indexOf(written));
        const says = NAME.test(name)
          ? `the environment has no variable ${name}: set it, or write $\${${name}} for these very signs`
          : `"${written}" names no variable: write \${NAME}, or $\${…} for these very signs`;
        found.push({ offset, text: says });
        unresolved.add(start);
        return written;
      });
    },
  });
}

function toData(document: Document, found: { offset: number; text: string }[]): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? null;
  } catch (error) {
    found.push({ offset: 0, text: `not YAML: ${error instanceof Error ? error.message : error}` });
    return undefined;
  }
}

function offsetOf(document: Document, path: Path, at: 'value' | 'key'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const inside = isAlias(node) ? node.resolve(document) : node;
    const isLast = index === path.length - 1;
    if (isMap(inside)) {
      const pair = inside.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (!pair) return offset;
      offset = startOf(pair.key) ?? offset;
      if (isLast && at === 'key') return offset;
      node = pair.value;
    } else if (isSeq(inside)) {
      node = inside.items[Number(step)];
    } else {
      return offset;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | null {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0] ?? null;
}

// Whether a statement says, for every row that it reads or writes, on which shard that row lies. It reads the text: tables of
// each (sub)query with their aliases, and what is made equal to a parameter or to a column of another table.

export type Schema = Record<string, readonly string[]>;
/** By table: the columns whose value tells the shard. */
export type Routes = Record<string, readonly string[]>;

/** By name of a function: the statements of its body, its parameters written `$1`, `$2`, … */
export type Functions = Record<string, readonly string[]>;

type Reference = { table: string; alias: string; scope: number; keys: Map<string, string> };
/** A (sub)query; `name` when it is one of `with`. */
type Scope = { text: string; parent: number; name: string | null };
const PARAMETER = '$';
const NO_ALIAS =
  /^(where|set|on|join|left|right|inner|cross|full|natural|using|values|select|order|group|limit|for|returning|union|as|do|into)$/;

/**
 * The distributed tables that a statement touches without saying on which shard, in the functions that it calls as well.
 * @param routes a key that is equal to a parameter names the shard; so do all keys of a row that is reached by one of them
 */
export function findUnrouted(text: string, schema: Schema, routes: Routes, functions: Functions = {}): string[] {
  const called = new Set<string>();
  function lostIn(part: string): string[] {
    const calls = [...part.matchAll(/\b(\w+)\s*\(/g)].map(([, name = '']) => name);
    const bodies = calls.flatMap((name) => {
      if (called.has(name)) return [];
      called.add(name);
      return Object.hasOwn(functions, name) ? (functions[name] ?? []) : [];
    });
    return [...unroutedOf(part, schema, routes), ...bodies.flatMap(lostIn)];
  }
  return [...new Set(lostIn(plain(text)))].sort();
}

/** The functions of a dumped schema. What is passed to them counts as given: whoever calls them passes parameters. */
export function functionsIn(dump: string): Functions {
  const found = dump.matchAll(/FUNCTION public\.(\w+)\(([^)]*)\)[\s\S]*?AS \$function\$([\s\S]*?)\$function\$/g);
  return Object.fromEntries(
    [...found].map(([, name = '', parameters = '', body = '']) => {
      const names = parameters.split(',').flatMap((one) => one.trim().split(' ')[0] || []);
      const text = names.reduce(
        (so, parameter, index) => so.replace(new RegExp(`(?<![\\w.])${parameter}(?!\\w)`, 'g'), () => `$${index + 1}`),
        plain(body),
      );
      return [name, text.split(';')];
    }),
  );
}

/** Without comments, and without what texts say. */
const plain = (text: string) => text.replace(/--[^\n]*/g, '').replace(/'(?:[^']|'')*'/g, "''");

function unroutedOf(text: string, schema: Schema, routes: Routes): string[] {
  const scopes = divide(text);
  const references = scopes.flatMap((scope, index) => referencesIn(scope.text, index, schema));
  const bound = new Set<string>();
  const equal: [string, string][] = [];
  const given = scopes.map(({ text: own }) => givenIn(own));
  const shortFor = new Map(scopes.flatMap(({ text: own }) => shortNamesIn(own, scopes)));
  const node = (reference: Reference, column: string) => `${references.indexOf(reference)}.${column}`;

  /** The reference that a column means, looked for from the inside out; through `with` to the table behind it. */
  function resolve(name: string, scope: number): string | null {
    const [column = '', alias] = name.split('.').reverse();
    for (let at = scope; at >= 0; at = scopes[at]?.parent ?? -1) {
      const here = references.filter((one) => one.scope === at);
      const found = here.find((one) => (alias ? one.alias === alias : (schema[one.table] ?? []).includes(column)));
      if (found) return node(found, column);
      if (given[at]?.has(alias ? `${alias}.${column}` : column)) return PARAMETER;
    }
    const common = alias === undefined ? -1 : scopes.findIndex((one) => one.name === (shortFor.get(alias) ?? alias));
    return common < 0 || common === scope ? null : resolve(column, common);
  }

  /** Notes that two columns are equal, or one of them a parameter. */
  function equate(left: string | null, right: string | null) {
    if (left === null || right === null) return;
    if (left === PARAMETER) bound.add(right);
    else if (right === PARAMETER) bound.add(left);
    else equal.push([left, right]);
  }
  const meaningOf = (text: string, scope: number) => (text.startsWith('$') ? PARAMETER : resolve(text, scope));

  for (const [index, { text: own }] of scopes.entries()) {
    // What an update sets is no condition.
    const conditions = own.replace(/\bset\b[\s\S]*?(?=\b(from|where|returning)\b|$)/g, ' ');
    for (const [, left = '', right = ''] of conditions.matchAll(/([\w.]+)\s*=\s*(?:any\()?(\$\d+|[a-z_][\w.]*)/g)) {
      equate(meaningOf(left, index), meaningOf(right, index));
    }
    for (const [, name = ''] of own.matchAll(/using\s*\((\w+)\)/g)) {
      const both = references.filter((one) => one.scope === index && (schema[one.table] ?? []).includes(name));
      if (both[0] && both[1]) equate(node(both[0], name), node(both[1], name));
    }
  }
  for (const reference of references) {
    for (const [column, value] of reference.keys) equate(node(reference, column), meaningOf(value, reference.scope));
  }

  const keysOf = (reference: Reference) => (routes[reference.table] ?? []).map((column) => node(reference, column));
  const isRouted = (reference: Reference) => keysOf(reference).some((key) => bound.has(key));
  for (let before = -1; before !== bound.size; ) {
    before = bound.size;
    for (const [a, b] of equal) if (bound.has(a) || bound.has(b)) bound.add(a).add(b);
    for (const reference of references) if (isRouted(reference)) for (const key of keysOf(reference)) bound.add(key);
  }
  const lost = references.filter((reference) => routes[reference.table] && !isRouted(reference));
  return lost.map(({ table }) => table);
}

/** Columns that hold parameters: `$1 as hash`, and those of a function of one, `unnest($1) as asked(hash)`. */
function givenIn(text: string): Set<string> {
  const named = [...text.matchAll(/\$\d+(?:::\w+(?:\[\])?)?\s+as\s+(\w+)/g)].map(([, name = '']) => name);
  const calls = text.matchAll(/\w+\([^()]*\$\d+[^()]*\)\s*(?:with ordinality\s+)?(?:as\s+)?(\w+)\s*\(([^)]*)\)/g);
  const columns = [...calls].flatMap(([, alias = '', names = '']) =>
    names.split(',').flatMap((name) => [name.trim().split(' ')[0] ?? '', `${alias}.${name.trim().split(' ')[0]}`]),
  );
  return new Set([...named, ...columns]);
}

/** Aliases of common table expressions: `from asked q`. */
function shortNamesIn(text: string, scopes: readonly Scope[]): [string, string][] {
  return [...text.matchAll(/(?:\b(?:from|join)|,)\s+(\w+)\s+(?:as\s+)?(?=(\w+))/g)].flatMap(
    ([, name = '', alias = '']) =>
      scopes.some((one) => one.name === name) && !NO_ALIAS.test(alias) ? [[alias, name] as [string, string]] : [],
  );
}

/** Takes each subquery out of the one around it; other parentheses stay. */
function divide(text: string): Scope[] {
  const scopes: Scope[] = [{ text: '', parent: -1, name: null }];
  const open: (number | null)[] = [];
  let current = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '(') {
      const isQuery = /^\(\s*(select|insert|update|delete|with)\b/i.test(text.slice(at));
      open.push(isQuery ? current : null);
      if (isQuery) {
        const name = /(\w+)\s+as\s+(?:not\s+)?(?:materialized\s+)?$/.exec(scopes[current]?.text ?? '')?.[1] ?? null;
        append(scopes, current, '()');
        scopes.push({ text: '', parent: current, name });
        current = scopes.length - 1;
        continue;
      }
    }
    if (char === ')') {
      const outer = open.pop();
      if (typeof outer === 'number') {
        current = outer;
        continue;
      }
    }
    append(scopes, current, char);
    // What is united sees nothing of the other part.
    if (/\bunion$/.test(scopes[current]?.text ?? '') && /\W/.test(text[at + 1] ?? ' ')) {
      scopes.push({ text: '', parent: scopes[current]?.parent ?? -1, name: null });
      current = scopes.length - 1;
    }
  }
  return scopes;
}

function append(scopes: Scope[], index: number, text: string) {
  const scope = scopes[index];
  if (scope) scope.text += text;
}

function referencesIn(text: string, scope: number, schema: Schema): Reference[] {
  const found: Reference[] = [];
  // The word behind a table is looked at only: it may be the `join` of the next one.
  for (const [, verb = '', table = '', next = ''] of text.matchAll(
    /(\bfrom|\bjoin|\binto|\bupdate|\busing|,)\s+([a-z_]+)\b(?!\.)(?=(?:\s+(?:as\s+)?([a-z_]\w*))?)/gi,
  )) {
    if (!schema[table]) continue;
    const alias = next && !NO_ALIAS.test(next.toLowerCase()) ? next : table;
    const keys = verb.toLowerCase() === 'into' ? insertedInto(text, table) : new Map<string, string>();
    found.push({ table, alias, scope, keys });
  }
  return found;
}

/** What an insert puts into each column, as the text says it. */
function insertedInto(text: string, table: string): Map<string, string> {
  const [, names = '', values = ''] =
    new RegExp(`into\\s+${table}\\s*\\(([^)]*)\\)\\s*(?:values\\s*\\(|select\\s)([\\s\\S]*)`, 'i').exec(text) ?? [];
  const parts = splitOutside(values);
  return new Map(
    names.split(',').flatMap((name, index) => {
      const value = /^(\$\d+|[a-z_][\w.]*)/.exec(parts[index]?.trim() ?? '')?.[0];
      return value ? [[name.trim(), value] as const] : [];
    }),
  );
}

/** Splits at commas that stand in no parentheses. */
function splitOutside(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth++;
    if (char === ')' && --depth < 0) break;
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

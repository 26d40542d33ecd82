// What a template of an operator must keep of ours, found by comparing the two texts: fields without which a form does not
// work, the frame of the page, and nothing that the page's own policy would refuse. Pure.

/** A template as read. `ours`: the text of the one that it replaces; null for a new one. */
export type TemplateSource = { name: string; shown: string; text: string; isOurs: boolean; ours: string | null };

/** Given to every page by page.ts, whatever the template. */
const COMMON = [
  't',
  'has',
  'locale',
  'dir',
  'brand',
  'languages',
  'scripts',
  'nonce',
  'css',
  'brandCss',
  'href',
  'host',
  'body',
];
/** Without these there is no page: what the layout must print. */
const FRAME = ['locale', 'dir', 'nonce', 'css', 'brandCss', 'body'];
/** The only things that are printed without escaping. */
const RAW = /^(?:include\(\s*'@|it\.(?:body|css|brandCss)\s*%>)/;

/** Every fault of a template that is laid over ours, each with its line and what to change. */
export function checkOverride(template: TemplateSource, templates: ReadonlyMap<string, TemplateSource>): string[] {
  const { name, shown, text, ours } = template;
  const at = (index: number) => `${shown}:${lineAt(text, index)}`;
  const faults: string[] = [];
  if (ours === null) {
    const users = [...templates.values()].filter((other) => includesOf(other.text).includes(name));
    if (users.length === 0)
      faults.push(`${shown}: we have no template of this name and no other includes it. Rename or remove it.`);
  } else {
    const formLine = at(Math.max(0, text.indexOf('<form')));
    for (const field of fieldsOf(ours).filter((one) => !fieldsOf(text).includes(one)))
      faults.push(`${formLine}: the field "${field}" is gone. Copy it from our ${name}.eta.`);
    for (const action of actionsOf(ours).filter((one) => !actionsOf(text).includes(one)))
      faults.push(`${formLine}: no form has action="${action}" any more. Copy it from our ${name}.eta.`);
    const given = new Set([...COMMON, ...valuesOf(name, templates)]);
    for (const { 1: value = '', index } of text.matchAll(/\bit\.([A-Za-z]\w*)/g))
      if (!given.has(value))
        faults.push(`${at(index)}: there is no it.${value} here. There is: ${[...given].sort().join(', ')}.`);
  }
  const isLayout = name === 'layout';
  for (const value of isLayout ? FRAME.filter((one) => !new RegExp(`\\bit\\.${one}\\b`).test(text)) : [])
    faults.push(`${at(0)}: it.${value} is not printed any more. Copy that line from our layout.eta.`);
  for (const { 1: printed = '', index } of text.matchAll(/<%~\s*([\s\S]{0,60})/g))
    if (!RAW.test(printed)) faults.push(`${at(index)}: <%~ prints without escaping. Write <%= instead.`);
  if (!name.startsWith('messages/')) faults.push(...checkPolicy(text, at));
  return faults;
}

/** What the content security policy of a page refuses, so that it is no surprise in the browser. */
function checkPolicy(text: string, at: (index: number) => string): string[] {
  const refused: [RegExp, string][] = [
    [/\sstyle=["']/g, 'style="…" is refused by the policy of our pages. Put the rule into causeway.css.'],
    [/\son[a-z]+=["']/g, 'Scripts in attributes are refused by the policy of our pages. Remove this one.'],
    [
      /<script(?![^>]*\bnonce=)/g,
      'Scripts are refused by the policy of our pages. Remove this one: pages work without.',
    ],
    [
      /\ssrc=["'](?!data:|<%)/g,
      'Nothing is loaded from elsewhere on our pages. Write a data: URI, or use the logo of the brand.',
    ],
    [/<style(?![^>]*\bnonce=)/g, 'A style element is refused without its nonce. Put the rules into causeway.css.'],
  ];
  return refused.flatMap(([pattern, says]) => [...text.matchAll(pattern)].map(({ index }) => `${at(index)}: ${says}`));
}

/** Names of the fields of a template's forms, written as HTML or by our partials `field` and `new_password`. */
function fieldsOf(text: string): string[] {
  const written = [...text.matchAll(/<(?:input|button|select|textarea)\b[^>]*?\sname="([\w-]+)"/g)];
  const included = [...text.matchAll(/include\(\s*'@(?:field|new_password)',\s*\{\s*id:\s*'([\w-]+)'/g)];
  return [...new Set([...written, ...included].map(([, name = '']) => name))];
}

/** Where a template's forms lead, as far as that is written down. */
function actionsOf(text: string): string[] {
  return [...new Set([...text.matchAll(/<form\b[^>]*?\saction="([^"]*)"/g)].map(([, action = '']) => action))];
}

function includesOf(text: string): string[] {
  return [...text.matchAll(/\binclude\(\s*'@?([^']+)'/g)].map(([, name = '']) => name);
}

/** The values that our template and its partials use: what it is given. */
export function valuesOf(
  name: string,
  templates: ReadonlyMap<string, Pick<TemplateSource, 'ours' | 'text'>>,
): string[] {
  const text = templates.get(name)?.ours ?? templates.get(name)?.text ?? '';
  const own = [...text.matchAll(/\bit\.([A-Za-z]\w*)/g)].map(([, value = '']) => value);
  // A partial that gets values of its own says nothing about what the page is given.
  const plain = [...text.matchAll(/\binclude\(\s*'@?([^']+)'\s*\)/g)].map(([, partial = '']) => partial);
  return [...new Set([...own, ...plain.flatMap((partial) => valuesOf(partial, templates))])];
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

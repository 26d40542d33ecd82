// Texts with `#{name}` in them, as QuickBlox's custom identity provider writes what goes into a verification request and what
// is read from its answer.

const VARIABLE = /#\{([^}]*)\}/g;

/** The names that a text refers to. */
export function variablesOf(text: string): string[] {
  return [...text.matchAll(VARIABLE)].map((match) => (match[1] ?? '').trim());
}

/** The text with every `#{name}` replaced by its value; an absent one by nothing. */
export function fillTemplate(text: string, values: Readonly<Record<string, string | undefined>>): string {
  return text.replace(VARIABLE, (_, name: string) => values[name.trim()] ?? '');
}

/**
 * What a template such as `#{user.id}` finds in an answer: dots go inside. A whole number is written in digits.
 * @returns the text; null when the template refers to something that is absent or no text, number or boolean
 */
export function readTemplate(text: string, answer: unknown): string | null {
  let isAbsent = false;
  const filled = text.replace(VARIABLE, (_, path: string) => {
    const value = path.trim().split('.').reduce<unknown>(inside, answer);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    isAbsent = true;
    return '';
  });
  return isAbsent ? null : filled;
}

function inside(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

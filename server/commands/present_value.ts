// Values of a configuration as `apply` shows them.

/** A value on one line, shortened: a logo has thousands of characters. */
export function present(value: unknown): string {
  if (value == null) return 'none';
  const text =
    typeof value === 'string'
      ? value
      : JSON.stringify(value, (key, inside) => (key === 'secret_sha256' ? '[hash]' : inside));
  return text.length > 80 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
}

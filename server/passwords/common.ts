// Passwords that are tried first by whoever guesses: the most used ones (49,000 of them, from zxcvbn-ts), and those made of
// words that a guesser knows anyway, the person's and the site's. Both also with the usual decorations around them.

/** What people hang on a word to please a rule: `2024`, `!1`. More than this is a part of the password. */
const LONGEST_DECORATION = 4;
/** Shorter pieces of a name or host are in everything. */
const SHORTEST_WORD = 3;
const MOST_WORDS = 200;
/** Labels of host names that say nothing about the site. */
const USUAL_LABELS = new Set(['www', 'com', 'org', 'net', 'example', 'localhost', 'test', 'auth', 'login', 'mail']);

export function createCommonPasswords() {
  let loaded: Promise<ReadonlySet<string>> | null = null;

  /** Whether a password is one of the most used ones, but for capitals and a decoration. */
  async function isCommon(password: string): Promise<boolean> {
    loaded ??= loadList();
    const list = await loaded;
    const folded = fold(password);
    if (list.has(folded)) return true;
    const bare = folded.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
    return folded.length - bare.length <= LONGEST_DECORATION && bare.length > SHORTEST_WORD && list.has(bare);
  }

  /** Whether a password consists of nothing but words of its context, whatever separates them, and digits around them. */
  function isMadeOf(password: string, context: readonly string[]): boolean {
    const words = toWords(context);
    const letters = compact(password);
    return [letters, stripDigits(letters)].some((text) => text !== '' && consistsOf(text, words));
  }

  return { isCommon, isMadeOf };
}

/** The list takes 5 MB: it is loaded when somebody first chooses a password. */
async function loadList(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common'].map(fold));
}

/** The words in names, addresses and hosts: each whole, and each piece of it. */
function toWords(context: readonly string[]): Set<string> {
  const pieces = context.flatMap((text) => {
    const whole = text.normalize('NFC');
    const parts = whole.split(/[^\p{L}\p{N}]+/u).filter((part) => !USUAL_LABELS.has(part.toLowerCase()));
    return [whole, ...parts].map(compact).flatMap((word) => [word, stripDigits(word)]);
  });
  return new Set(pieces.filter((word) => word.length >= SHORTEST_WORD).slice(0, MOST_WORDS));
}

/** Whether a text can be cut into words of a set. Its length is bounded by that of a password. */
function consistsOf(text: string, words: ReadonlySet<string>): boolean {
  const isReached = new Set([0]);
  for (let at = 0; at < text.length; at++) {
    if (!isReached.has(at)) continue;
    for (const word of words) if (text.startsWith(word, at)) isReached.add(at + word.length);
  }
  return isReached.has(text.length);
}

const fold = (text: string) => text.toLowerCase();
const compact = (text: string) => fold(text).replace(/[^\p{L}\p{N}]+/gu, '');
const stripDigits = (text: string) => text.replace(/^\p{N}+|\p{N}+$/gu, '');

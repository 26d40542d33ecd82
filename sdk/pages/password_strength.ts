// How hard a new password is to guess, told while it is typed, and what would make it harder. It advises and never stops
// anybody: the server decides. Its words stand in the page (views/new_password.eta).

import { ZxcvbnFactory, type ZxcvbnResult } from '@zxcvbn-ts/core';

/** Put in by the build: the start of the ranked lists, so that the script stays small. */
declare const COMMON_PASSWORDS: string[];
declare const COMMON_WORDS: string[];

type Words = { level: string[]; short: string; common: string; personal: string; pattern: string; more: string };

const estimator = new ZxcvbnFactory({
  dictionary: { passwords: COMMON_PASSWORDS, commonWords: COMMON_WORDS },
  maxLength: 100,
});
/** From this score of zxcvbn on (a hundred million guesses) nothing more is asked for. */
const GOOD_SCORE = 3;
/** So that a screen reader tells the state of a word, not of each letter. */
const QUIET_MS = 600;

for (const box of document.querySelectorAll<HTMLElement>('[data-strength-of]')) watch(box);

function watch(box: HTMLElement): void {
  const input = document.getElementById(box.dataset['strengthOf'] ?? '');
  const meter = box.querySelector('meter');
  const text = box.querySelector('p');
  if (!(input instanceof HTMLInputElement) || !meter || !text) return;
  const words = JSON.parse(box.dataset['words'] ?? '{}') as Words;
  let timer = 0;
  const update = () => {
    const password = input.value;
    box.hidden = password === '';
    const result = estimator.check(password, knownWords(input, box));
    const isShort = [...password].length < input.minLength;
    const score = isShort ? Math.min(result.score, 1) : result.score;
    meter.value = score + 1;
    const said =
      password === '' ? '' : `${words.level[score] ?? ''} ${advise(result, { isShort, score }, words)}`.trim();
    clearTimeout(timer);
    timer = setTimeout(() => {
      // Said again only when it changed.
      if (text.textContent !== said) text.textContent = said;
    }, QUIET_MS);
  };
  input.addEventListener('input', update);
  update();
}

/** What the person typed in other fields, and the site's own name: the first that a guesser tries. */
function knownWords(input: HTMLInputElement, box: HTMLElement): string[] {
  const others = [...(input.form?.elements ?? [])].flatMap((element) =>
    element instanceof HTMLInputElement && ['text', 'email'].includes(element.type) && element !== input
      ? [element.value]
      : [],
  );
  const texts = [...others, box.dataset['known'] ?? ''];
  return texts.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((word) => word.length > 2);
}

function advise({ sequence }: ZxcvbnResult, at: { isShort: boolean; score: number }, words: Words): string {
  if (at.isShort) return words.short;
  if (at.score >= GOOD_SCORE) return '';
  const has = (test: (match: ZxcvbnResult['sequence'][number]) => boolean) => sequence.some(test);
  if (has((match) => match['dictionaryName'] === 'userInputs')) return words.personal;
  if (has((match) => match['dictionaryName'] === 'passwords')) return words.common;
  if (has((match) => ['repeat', 'sequence', 'spatial', 'date', 'regex'].includes(match.pattern))) return words.pattern;
  return words.more;
}

// A message in ICU's syntax whose parsed form is kept only once its words are needed: of six languages most of a catalogue waits
// for ever, and what the parser makes of a text takes many times its length.

import { IntlMessageFormat } from 'intl-messageformat';

type Given = ConstructorParameters<typeof IntlMessageFormat>;
type Values = Parameters<IntlMessageFormat['format']>[0];

/** Made as an `IntlMessageFormat` is. */
export class LazyMessage {
  readonly #given: Given;
  #read: IntlMessageFormat | null = null;

  /** @throws Error, at once, for a text that is no message */
  constructor(...given: Given) {
    this.#given = given;
    this.#make();
  }

  format(values: Values): unknown {
    this.#read ??= this.#make();
    return this.#read.format(values);
  }

  getAst(): ReturnType<IntlMessageFormat['getAst']> {
    return (this.#read ?? this.#make()).getAst();
  }

  #make(): IntlMessageFormat {
    return new IntlMessageFormat(...this.#given);
  }
}

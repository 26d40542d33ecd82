// The published client has no types of its own: its functions, as its documentation and its code describe them.

declare module '@quintype/bridgekeeper-js' {
  const functions: Readonly<Record<string, (...values: unknown[]) => unknown>>;
  export = functions;
}

declare module 'bridgekeeper-js-2.8.1' {
  const functions: Readonly<Record<string, (...values: unknown[]) => unknown>>;
  export = functions;
}

// The wall clock as a value, for times inside tokens. Expiry of anything stored is decided by the database's clock instead.

export type Clock = { now(): Date };

export const systemClock: Clock = { now: () => new Date() };

// What the session-sharing API lends to what answers in front of it: its flow cookies, its addresses, and the form of its answers.

export { beginFlow, endedFlows, endedQuiet, flowsIn } from './flow.ts';
export { AUTHORIZE, codeAddress, nextHopAddress, PARAMETERS } from './hop_address.ts';
export { presentFailure, presentMe } from './present.ts';
